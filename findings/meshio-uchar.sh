#!/usr/bin/env bash
# Version: meshio 5.3.5, NumPy 2.4.6, Python 3.11
# Behaviour: Colours (property uchar) of a binary PLY are read as signed bytes; those of an ASCII PLY as unsigned ones.
# Output seen: binary: int8 0 127 -56; ascii: uint8 0 127 200
# Why one guesses wrong: uchar is unsigned in the format, and the same cloud as ASCII is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install meshio==5.3.5 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import struct

import meshio

HEAD = (
    "ply\nformat {} 1.0\nelement vertex 3\n"
    "property float x\nproperty float y\nproperty float z\nproperty uchar red\nend_header\n"
)
rows = [(0, 0, 1, 0), (1, 0, 1, 127), (0, 1, 1, 200)]
with open("binary.ply", "wb") as stream:
    stream.write(HEAD.format("binary_little_endian").encode() + b"".join(struct.pack("<fffB", *row) for row in rows))
with open("ascii.ply", "w") as stream:
    stream.write(HEAD.format("ascii") + "".join("%d %d %d %d\n" % row for row in rows))
red = {name: meshio.read(name + ".ply").point_data["red"] for name in ("binary", "ascii")}
print({name: (str(values.dtype), values.tolist()) for name, values in red.items()})
same = red["binary"].tolist() == [0, 127, -56] and red["ascii"].tolist() == [0, 127, 200]
raise SystemExit(0 if same else "the behaviour has changed")
PYTHON
