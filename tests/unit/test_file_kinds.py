"""A file that is not what its name says is told for what it is."""

import json
import pickle
import struct
import zipfile

import pytest
from densedepth import file_kinds
from densedepth.errors import PipelineError


def of_zip(*names):
    def write(path):
        with zipfile.ZipFile(str(path), "w") as archive:
            for name in names:
                archive.writestr(name, b"{}")

    return write


def of_bytes(data):
    return lambda path: path.write_bytes(data)


HEADER = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()


@pytest.mark.parametrize(
    "write, words",
    [
        (of_zip("metadata.json", "config.json", "model.weights.h5"), "a .keras file of Keras 3, .*save"),
        (of_zip("config.json", "model.weights.h5"), "a .keras file of Keras 3"),
        (of_zip("archive/data.pkl", "archive/data/0"), "a PyTorch file"),
        (of_zip("a.png"), "a zip file"),
        (of_bytes(struct.pack("<Q", len(HEADER)) + HEADER + bytes(4)), "a safetensors file"),
        (of_bytes(b"\x1c\0\0\0TFL3"), "a TensorFlow Lite file"),
        (of_bytes(b"GGUF\3\0\0\0"), "a GGUF file"),
        (of_bytes(b"<html><body>"), "a web page"),
        *((of_bytes(pickle.dumps({"weight": [1.5]}, version)), "a pickle, .* is not read") for version in (2, 3, 4)),
    ],
)
def test_refused_for_what_it_is(tmp_path, write, words):
    path = tmp_path / "weights.h5"
    write(path)
    with pytest.raises(PipelineError, match="weights.h5: is {}".format(words)) as caught:
        file_kinds.refuse(str(path), "an HDF5 file")
    assert "\n" not in str(caught.value) and "expected an HDF5 file" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"PK", b"\0" * 8, b"\xff" * 1024, b"\x08\0\0\0\0\0\0\0{", b"\n\x10\n\x01x"])
def test_what_is_not_known_is_not_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    file_kinds.refuse(str(tmp_path / "a"), "an HDF5 file")
