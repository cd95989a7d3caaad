#!/usr/bin/env bash
# Version: Pillow 13.0.0, NumPy 2.4.6, Python 3.11
# Behaviour: A 16-bit PGM whose maxval is not 65535 is stretched: values are multiplied by 65535 / maxval and rounded.
# Output seen: maxval 4095: 0 1 100 4095 becomes 0 16 1600 65535; maxval 65535: unchanged
# Why one guesses wrong: A PNG of 16 bits comes back as stored, so a depth map in millimetres is expected to do so as a PGM.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install pillow==13.0.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
from PIL import Image


def read_back(maxval):
    values = np.array([0, 1, 100, maxval], ">u2")
    with open("depth.pgm", "wb") as stream:
        stream.write(b"P5\n4 1\n%d\n" % maxval + values.tobytes())
    return np.asarray(Image.open("depth.pgm")).ravel().tolist()


print("maxval 4095:", read_back(4095), "maxval 65535:", read_back(65535))
same = read_back(4095) == [0, 16, 1600, 65535] and read_back(65535) == [0, 1, 100, 65535]
raise SystemExit(0 if same else "the behaviour has changed")
PYTHON
