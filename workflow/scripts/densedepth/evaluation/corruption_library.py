"""The common corruptions of ImageNet-C by the package imagecorruptions, which runs in an environment of its own.

Its images differ from those of `corruptions`, whose blurs and shares are of the image's size: here they are the amounts
that Hendrycks and Dietterich 2019 (arXiv 1903.12261) set for images of 224 pixels, as their results are quoted. The
depth is left as it is; `elastic_transform` moves pixels by little.
"""

import json
import subprocess
from typing import Any, Dict

import numpy as np

from ..errors import PipelineError
from . import corruption_worker

PREFIX = "imagenet_c_"
# The 15 common ones.
NAMES = tuple(
    PREFIX + name
    for name in (
        *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
        *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    )
)
UNIT = "severity"


class Library:
    """A running worker. A context manager."""

    def __init__(self, python: str) -> None:
        """Start it with the interpreter `python`. Raises PipelineError where that has no such package."""
        self._python = python
        command = [python, corruption_worker.__file__]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise PipelineError("{}: cannot be started ({}); {}".format(python, error.strerror, _WAY_OUT)) from None
        try:
            self._described = self._answer()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *exception: Any) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._process.wait()

    def describe(self) -> Dict[str, str]:
        """Name and version of the package."""
        return self._described

    def apply(self, name: str, severity: int, rgb: np.ndarray, seed: int = 0) -> np.ndarray:
        """The uint8 image `rgb` (H, W, 3), made worse by one of `NAMES` in a severity of 1 to 5; uint8 (H, W, 3).

        The same seed gives the same image. Raises PipelineError where the package refuses.
        """
        request = {"name": name[len(PREFIX) :], "severity": severity, "seed": seed, "shape": list(rgb.shape)}
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n" + np.ascontiguousarray(rgb).tobytes())
            self._process.stdin.flush()
        except OSError:
            raise PipelineError("{}: {}: the process ended, see above".format(self._python, name)) from None
        self._answer(name + ": ")
        image = self._process.stdout.read(rgb.size)
        return np.frombuffer(image, np.uint8).reshape(rgb.shape)

    def _answer(self, about=""):
        assert self._process.stdout
        line = self._process.stdout.readline()
        found = json.loads(line) if line else {"error": "the process ended, see above"}
        if "error" in found:
            raise PipelineError("{}: {}{}; {}".format(self._python, about, found["error"], _WAY_OUT))
        return found


_WAY_OUT = "`make corruptions` makes an environment for it"
