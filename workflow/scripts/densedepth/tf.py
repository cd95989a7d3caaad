"""The one import of TensorFlow: graph mode with the version 1 names, whatever version is installed.

Use it as `from .tf import tf`.
"""

import os
import warnings

# TensorFlow reports every missing GPU library as an error; what really fails is raised as an exception anyway.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On current versions the default order of float operations varies with oneDNN; results are compared across versions.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

with warnings.catch_warnings():
    # TensorFlow 1.15 warns once per dtype about NumPy names that later releases dropped.
    warnings.simplefilter("ignore")
    import tensorflow.compat.v1 as tf

    # No public name leads to these in graph mode.
    from tensorflow.python.ops import collective_ops

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()

__all__ = ["collective_ops", "tf"]
