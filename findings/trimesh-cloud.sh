#!/usr/bin/env bash
# Version: trimesh 5.2.0, NumPy 2.4.6, Python 3.11
# Behaviour: load_mesh gives an empty mesh for a PLY that holds points only, without an error; load gives the points.
# Output seen: load: PointCloud (3, 3); load_mesh: Trimesh (0, 3)
# Why one guesses wrong: A file that holds no mesh is expected to be refused, or its points to be the vertices of the mesh.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install trimesh==5.2.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import trimesh

with open("cloud.ply", "w") as stream:
    stream.write("ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n")
    stream.write("end_header\n0 0 1\n1 0 1\n0 1 1\n")
cloud, mesh = trimesh.load("cloud.ply"), trimesh.load_mesh("cloud.ply")
print("load:", type(cloud).__name__, cloud.vertices.shape, "load_mesh:", type(mesh).__name__, mesh.vertices.shape)
raise SystemExit(0 if cloud.vertices.shape == (3, 3) and mesh.vertices.shape == (0, 3) else "the behaviour has changed")
PYTHON
