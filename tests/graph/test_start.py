"""What the start of TensorFlow brings along: each program of each job pays for it."""

import os
import subprocess
import sys

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workflow", "scripts")
CODE = """
import sys
from densedepth.tf import tf
for name in ("keras", "matplotlib"):
    assert name not in sys.modules, name
try:
    import keras
except ImportError as error:
    assert error.name == "keras" and tf.VERSION.startswith("1."), error
"""


def test_tensorflow_comes_without_keras_which_can_be_imported_afterwards():
    environment = dict(os.environ, PYTHONPATH=SCRIPTS)
    subprocess.check_call([sys.executable, "-c", CODE], env=environment)
