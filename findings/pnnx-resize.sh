#!/usr/bin/env bash
# Version: pnnx 20261020, ncnn 1.0.20261020, onnx 1.23.2, NumPy 2.4.6, Python 3.11, Linux on x86-64
# Behaviour: A linear Resize with asymmetric positions becomes one with half-pixel positions, without a word; one with align_corners and nearest_mode=round_prefer_ceil, which means nothing for linear, becomes a layer that ncnn cannot load.
# Output seen: half_pixel differs by 0, align_corners by 0, asymmetric by 1 (of values 0 to 5) from ONNX's reference; with round_prefer_ceil load_param gives -1
# Why one guesses wrong: The converter ends with status 0 and writes a network of the right shapes each time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install ncnn==1.0.20261020 onnx==1.23.2 numpy==2.4.6
cd "$folder"
# Its program alone: the package asks for PyTorch, which reading ONNX does not need.
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install --no-deps pnnx==20261020
venv/bin/python - <<'PYTHON'
import glob
import os
import subprocess

import ncnn
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

(program,) = [path for path in glob.glob("venv/lib/python*/site-packages/pnnx/**/pnnx", recursive=True) if os.path.isfile(path)]
PICTURE = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)


def convert(positions, **attributes):
    """(ncnn's answer to load_param, largest difference from ONNX's reference or None)"""
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], mode="linear", coordinate_transformation_mode=positions, **attributes
    )
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 1, 2, 3]), ("y", [1, 1, 4, 6]))]
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 1, 4, 6])
    graph = helper.make_graph([node], "resize", shapes[:1], shapes[1:], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, "m.onnx")
    subprocess.run([program, "m.onnx", "inputshape=[1,1,2,3]"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    network = ncnn.Net()
    status = network.load_param("m.ncnn.param")
    if status:
        return status, None
    network.load_model("m.ncnn.bin")
    extractor = network.create_extractor()
    extractor.input("in0", ncnn.Mat(PICTURE[0]).clone())
    answer = np.array(extractor.extract("out0")[1])
    return status, float(np.abs(answer - ReferenceEvaluator(model).run(None, {"x": PICTURE})[0][0]).max())


found = {
    "half_pixel": convert("half_pixel"),
    "align_corners": convert("align_corners"),
    "asymmetric": convert("asymmetric"),
    "align_corners, round_prefer_ceil": convert("align_corners", nearest_mode="round_prefer_ceil"),
}
print(found)
same = (
    max(found["half_pixel"][1], found["align_corners"][1]) < 1e-5
    and found["asymmetric"][1] > 0.5
    and found["align_corners, round_prefer_ceil"][0] != 0
)
raise SystemExit(0 if same else "the behaviour has changed")
PYTHON
