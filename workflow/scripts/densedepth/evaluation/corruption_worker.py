"""The process that `corruption_library` starts, with an interpreter that has the package imagecorruptions.

    .venv/corruptions/bin/python corruption_worker.py

It answers on the standard output: first a line of JSON with the name and version of the package, or with an `error`.
Each request is a line of JSON, {name, severity, seed, shape}, and the bytes of a uint8 image of that shape; the answer
is a line of JSON, empty or with an `error`, and the bytes of the image, made worse.
"""

import json
import os
import sys
from typing import Any, Dict


def main() -> None:
    """Answer until the standard input ends."""
    # What a package prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        from importlib import metadata

        from imagecorruptions import corrupt

        # Published under this name by those who keep it, and by its authors under its own.
        known = {one.metadata["Name"].lower(): one.version for one in metadata.distributions()}
        name = "imagecorruptions-imaug" if "imagecorruptions-imaug" in known else "imagecorruptions"
        _answer(answers, {"package": name, "version": known.get(name, "")})
    except Exception as error:
        _answer(answers, {"error": "{}: {}".format(type(error).__name__, error)})
        return
    for line in sys.stdin.buffer:
        request = json.loads(line)
        image = sys.stdin.buffer.read(_count(request["shape"]))
        try:
            worse, found = _worse(corrupt, request, image), {}
        except Exception as error:
            worse, found = b"", {"error": "{}: {}".format(type(error).__name__, error)}
        _answer(answers, found, worse)


def _worse(corrupt, request, image):
    import numpy

    numpy.random.seed(request["seed"])
    rgb = numpy.frombuffer(image, numpy.uint8).reshape(request["shape"])
    seeded = {"seed": request["seed"]} if request["name"] in ("impulse_noise", "glass_blur") else {}
    worse = corrupt(rgb, severity=request["severity"], corruption_name=request["name"], **seeded)
    return numpy.ascontiguousarray(worse, numpy.uint8).tobytes()


def _count(shape):
    count = 1
    for length in shape:
        count *= length
    return count


def _answer(answers: Any, found: Dict[str, str], image: bytes = b"") -> None:
    answers.write(json.dumps(found).encode() + b"\n" + image)
    answers.flush()


if __name__ == "__main__":
    main()
