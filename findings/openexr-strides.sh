#!/usr/bin/env bash
# Version: OpenEXR 3.5.3 (Python module), NumPy 2.4.6, Python 3.11
# Behaviour: File.write takes the memory of an array in order and ignores its strides: a transposed array is written scrambled, without an error.
# Output seen: contiguous: equal; transposed: scrambled, first row 0 6 12 18 1 7 in place of 0 1 2 3 4 5
# Why one guesses wrong: The array that was given has the right shape and values in Python, and the file has the right size and opens.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install openexr==3.5.3 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
import OpenEXR


def written(depth):
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"Z": depth}) as file:
        file.write("depth.exr")
    with OpenEXR.File("depth.exr") as file:
        return file.channels()["Z"].pixels


depth = np.arange(24, dtype=np.float32).reshape(4, 6)
turned = np.ascontiguousarray(depth.T).T
assert np.array_equal(depth, turned)
print("contiguous:", np.array_equal(written(depth), depth), "transposed, first row:", written(turned)[0])
same = np.array_equal(written(depth), depth) and written(turned)[0].tolist() == [0, 6, 12, 18, 1, 7]
raise SystemExit(0 if same else "the behaviour has changed")
PYTHON
