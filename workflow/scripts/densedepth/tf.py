"""The one import of TensorFlow: graph mode with the version 1 names, whatever version is installed.

Use it as `from .tf import tf`.
"""

import contextlib
import os
import sys
import warnings
from typing import Any

# TensorFlow reports every missing GPU library as an error; what really fails is raised as an exception anyway.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Current versions turn oneDNN on by themselves only on newer processors; a training step at 480x640 on one with AVX2
# alone takes 0.57 of the time with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# TensorFlow 1.15 gives every large tensor back to the system at once, and half of a training step's time then goes into
# the system's clearing of fresh pages. Current versions keep the memory by themselves, but for oneDNN's operations in a
# second store unless told otherwise; with one store, training and evaluation take some 0.13 GB less.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")


@contextlib.contextmanager
def _silent():
    """Nothing on the standard error of this process, not even from C++, which announces oneDNN there."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _without_keras():
    """No Keras, which current versions load at the end of their own start; `import keras` finds it afterwards.

    Nothing here uses it, and with all that it loads itself it takes a third of the start and 80 MB.
    """
    waiting = "keras" not in sys.modules
    if waiting:
        sys.modules["keras"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if waiting:
            del sys.modules["keras"]


with warnings.catch_warnings():
    # TensorFlow 1.15 warns once per dtype about NumPy names that later releases dropped.
    warnings.simplefilter("ignore")
    with _silent(), _without_keras():
        import tensorflow.compat.v1 as tf

    # No public name leads to these in graph mode.
    from tensorflow.python.framework import kernels
    from tensorflow.python.ops import collective_ops
    from tensorflow.python.util import deprecation

# Otherwise TensorFlow 1.15 looks for deprecated arguments of each operation, although it would only log them, which the
# next line turns off: a sixth of the time in which the graph of a training is built.
deprecation._PRINT_DEPRECATION_WARNINGS = False
tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()

# What stands in annotations for tensors, operations and variables of the graph, whose types TensorFlow does not tell.
Tensor = Any

__all__ = ["Tensor", "collective_ops", "kernels", "tf"]
