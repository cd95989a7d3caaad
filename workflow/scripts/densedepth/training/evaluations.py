"""Evaluations between the epochs of a training, as the reference port makes them."""

import dataclasses
import os
import subprocess
import sys
from typing import Tuple

from ..errors import PipelineError

# The epochs that the reference port evaluates.
PORT_EPOCHS = (5,) + tuple(range(10, 21))

# Found at once: a rank on Ascend works in a folder of its own, where a relative path means another file.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PROGRAM = os.path.join(os.path.dirname(_PACKAGE), "evaluate.py")


@dataclasses.dataclass(frozen=True)
class Evaluations:
    """Evaluations of the checkpoints epoch<N> in the folder `checkpoints`, N being one of `epochs` in rising order.

    results: folder for evaluation/epoch<N>.json and events for TensorBoard. test_data: the test archive. name: of the
    run.
    """

    name: str
    epochs: Tuple[int, ...]
    checkpoints: str
    results: str
    test_data: str

    def make_missing(self) -> None:
        """Evaluate the checkpoints that have no evaluation yet, or an older one.

        Each in a process of its own, so that training depends on no code of the evaluation. Raises PipelineError when
        one fails.
        """
        logs = os.path.join(self.results, "evaluation")
        for epoch in self.epochs:
            name = "epoch{}".format(epoch)
            folder, figures = os.path.join(self.checkpoints, name), os.path.join(logs, name + ".json")
            if not _newer(os.path.join(folder, "model.json"), figures):
                continue
            command = [sys.executable, _PROGRAM, "--ckptdir", folder, "--test_data", self.test_data]
            command += ["--logdir", logs, "--json", figures, "--name", self.name]
            command += ["--tensorboard", os.path.join(self.results, "tensorboard", "evaluation")]
            sys.stdout.flush()
            if subprocess.call(command) != 0:
                raise PipelineError("{}: its evaluation failed, see above; repeat the command to resume".format(name))


def _newer(path, other):
    """Whether the file `path` is there and `other` is not, or is older."""
    return os.path.exists(path) and not (os.path.exists(other) and os.path.getmtime(other) >= os.path.getmtime(path))
