"""Files of PyTorch are read without it, and without running what they hold."""

import collections
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.network import torch_files

import torch_saved

VALUES = {
    "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a.half": np.linspace(-1, 1, 5).astype(np.float16),
    "a.num_batches_tracked": np.array(7),
}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_what_torch_saved_is_read(tmp_path, monkeypatch, old, key):
    saved = torch_saved.state_dict(VALUES)
    # A whole state of a training, and attributes of a container as state_dict has them.
    saved._metadata = collections.OrderedDict(version=1)
    saved = saved if key is None else {"epoch": 3, key: saved, "best": 0.5}
    path = torch_saved.save(tmp_path / "x.pth", saved, monkeypatch, old)
    assert torch_files.kind(path) == "a PyTorch file"
    found, metadata = torch_files.read(path)
    assert sorted(found) == sorted(VALUES) and metadata == {}
    for name, value in VALUES.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_views_are_read_by_their_strides(tmp_path, monkeypatch):
    numbers = np.arange(12, dtype=np.float32)
    saved = {"transposed": torch_saved.tensor(numbers, "0", 1, (3, 2), (1, 4))}
    path = torch_saved.save(tmp_path / "x.pth", saved, monkeypatch)
    found = torch_files.read(path)[0]["transposed"]
    np.testing.assert_array_equal(found, [[1, 5], [2, 6], [3, 7]])


class Runs:
    """Unpickled as pickles are, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, monkeypatch, old):
    trap = tmp_path / "trap"
    saved = dict(torch_saved.state_dict(VALUES), extra=Runs(str(trap)))
    path = torch_saved.save(tmp_path / "x.pth", saved, monkeypatch, old)
    with pytest.raises(PipelineError, match=r"x\.pth: a pickle that asks for posix\.mkdir, which could be any code"):
        torch_files.read(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "saved",
    [
        {"x": torch_saved.tensor(np.zeros(4, np.float32), "0", 2, (3,), (1,))},
        {"x": torch_saved.tensor(np.zeros(4, np.float32), "0", 0, (1 << 40,), (0,))},
        {"x": torch_saved.tensor(np.zeros(4, np.float32), "0", 0, (2,), (-1,))},
        {"x": torch_saved.tensor(np.zeros(4, np.float32), "0", 0, (2, 2), (1,))},
    ],
    ids=["behind", "repeated", "backwards", "strides"],
)
def test_tensors_that_do_not_lie_in_their_storage_are_refused(tmp_path, monkeypatch, saved):
    path = torch_saved.save(tmp_path / "x.pth", saved, monkeypatch)
    with pytest.raises(PipelineError, match=r"x\.pth: damaged \(x "):
        torch_files.read(path)


def test_what_is_no_state_dict_is_refused(tmp_path, monkeypatch):
    path = torch_saved.save(tmp_path / "x.pth", {"epoch": 3}, monkeypatch)
    with pytest.raises(PipelineError, match=r"x\.pth: holds no state_dict"):
        torch_files.read(path)
    path = torch_saved.save(
        tmp_path / "y.pth", torch_saved.state_dict(VALUES), monkeypatch, compression=zipfile.ZIP_DEFLATED
    )
    with pytest.raises(PipelineError, match=r"y\.pth: damaged \(archive/data\.pkl is compressed"):
        torch_files.read(path)
    (tmp_path / "z.pth").write_bytes(b"no such thing")
    with pytest.raises(PipelineError, match=r"z\.pth: neither a safetensors file nor one of torch\.save"):
        torch_files.read(str(tmp_path / "z.pth"))


def test_any_damage_is_one_line(tmp_path, monkeypatch):
    """Cut off anywhere, or with a byte changed, a file is read, or refused in one line."""
    whole = {}
    for name, old in (("zip.pth", False), ("old.pth", True)):
        torch_saved.save(tmp_path / name, torch_saved.state_dict(VALUES), monkeypatch, old)
        whole[name] = (tmp_path / name).read_bytes()
    torch_files.write_safetensors(str(tmp_path / "x.safetensors"), {"a": VALUES["a.weight"]}, {"k": "v"})
    whole["x.safetensors"] = (tmp_path / "x.safetensors").read_bytes()
    stream, refused = np.random.RandomState(0), 0
    for name, data in whole.items():
        for _ in range(150):
            damaged = bytearray(data[: stream.randint(8, len(data))] if stream.randint(3) == 0 else data)
            damaged[stream.randint(len(damaged))] = stream.randint(256)
            (tmp_path / name).write_bytes(bytes(damaged))
            try:
                torch_files.read(str(tmp_path / name))
            except PipelineError as error:
                assert "\n" not in str(error)
                refused += 1
    assert refused > 100


def test_safetensors_are_as_the_format_says(tmp_path):
    path = tmp_path / "x.safetensors"
    values = {"b": np.float32([[1, 2]]), "a": np.float32(5).reshape(())}
    torch_files.write_safetensors(str(path), values, {"format": "pt"})
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    assert length % 8 == 0 and header["b"] == {"dtype": "F32", "shape": [1, 2], "data_offsets": [4, 12]}
    assert data[8 + length :] == np.float32([5, 1, 2]).tobytes()
    found, metadata = torch_files.read(str(path))
    assert metadata == {"format": "pt"} and torch_files.kind(str(path)) == "a safetensors file"
    for name, value in values.items():
        np.testing.assert_array_equal(found[name], value)


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    numbers = np.float32([1.5, -2, 0.125])
    header = json.dumps({"x": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
    data = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
    np.testing.assert_array_equal(torch_files.read(str(tmp_path / "x.safetensors"))[0]["x"], numbers)
