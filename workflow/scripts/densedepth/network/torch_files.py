"""Tensors in files of PyTorch: `.safetensors`, and what `torch.save` writes (`.pth`). PyTorch itself is not needed.

A `.pth` file is a pickle, which may call any function of any library when it is read. This reader knows tensors, their
storages and plain containers, and refuses every other name; it imports nothing that a file asks for. Layouts: the
documentation of safetensors; `torch/serialization.py` of PyTorch 2.13, whose files before 1.6 are read too.
"""

import collections
import io
import json
import os
import pickle
import struct
import zipfile
from typing import Any, ClassVar, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import file_kinds, files
from ..errors import PipelineError
from ..imaging import untrusted

Tensors = Dict[str, np.ndarray]

_KINDS = ("a safetensors file", "a PyTorch file")

# Types of tensors that are read; those of bfloat16 are the upper halves of float32.
_BFLOAT16 = "bfloat16"
_SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": _BFLOAT16,
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# Bytes of the header of a safetensors file: the library's own limit.
_LARGEST_HEADER = 100_000_000
# What a file of before PyTorch 1.6 begins with, and the versions of its parts.
_OLD_MAGIC, _OLD_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# Where a training keeps the weights among other things.
_WEIGHTS_KEYS = ("state_dict", "model_state_dict", "model", "net")


def kind(path: str) -> Optional[str]:
    """`a safetensors file` or `a PyTorch file`, by the first bytes of the file at `path`; None for any other."""
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as stream:
        found = file_kinds.of(stream.read(1024))
    return found if found in _KINDS else None


def read(path: str) -> Tuple[Tensors, Dict[str, str]]:
    """({name: array}, metadata) of the safetensors or PyTorch file at `path`; only the former has metadata.

    Of a PyTorch file these are the tensors of a `state_dict`, also where a training has saved it beside other things
    as `state_dict`, `model_state_dict`, `model` or `net`. Raises PipelineError for files that are damaged, of another
    kind, or hold more than tensors.
    """
    found = kind(path)
    if found is None:
        raise PipelineError("{}: neither a safetensors file nor one of torch.save".format(path))
    try:
        return _safetensors(path) if found == _KINDS[0] else (_state_dict(path, _saved(path)), {})
    except _Refused as error:
        raise PipelineError(
            "{}: a pickle that asks for {}, which could be any code; save the weights alone, "
            "torch.save(model.state_dict(), ...), or as .safetensors".format(path, error)
        ) from None
    except untrusted.DAMAGE + _DAMAGE as error:
        raise PipelineError("{}: damaged ({}); copy it again".format(path, ascii(str(error))[1:-1][:200])) from None


_DAMAGE = (
    pickle.UnpicklingError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)


def write_safetensors(path: str, tensors: Tensors, metadata: Dict[str, str]) -> None:
    """Write float32 `tensors` and `metadata` to the safetensors file `path`; equal ones give equal bytes."""
    header: Dict[str, Any] = {"__metadata__": metadata}
    position = 0
    for name in sorted(tensors):
        end = position + tensors[name].size * 4
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode("utf-8")
    # The tensors begin at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            stream.write(np.ascontiguousarray(tensors[name], "<f4").tobytes())


def _safetensors(path):
    with open(path, "rb") as stream:
        length = struct.unpack("<Q", stream.read(8))[0]
        if length > min(_LARGEST_HEADER, os.path.getsize(path) - 8):
            raise ValueError("its header would have {} bytes".format(length))
        header = files.parse_json(stream.read(length).decode("utf-8"), path)
        data = stream.read()
    metadata = header.pop("__metadata__", {})
    found = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        if not 0 <= first <= end <= len(data):
            raise ValueError("{} lies beyond its end".format(name))
        if entry["dtype"] not in _SAFETENSORS:
            raise PipelineError("{}: {} has the type {}, which is not read".format(path, name, entry["dtype"]))
        if min(entry["shape"], default=0) < 0:
            raise ValueError("{} has a negative size".format(name))
        found[name] = _array(data[first:end], _SAFETENSORS[entry["dtype"]]).reshape(entry["shape"])
    return found, {str(key): str(value) for key, value in metadata.items()}


def _array(data, kind_of_number):
    if kind_of_number == _BFLOAT16:
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, kind_of_number)


class _Storage(NamedTuple):
    """Numbers in a PyTorch file, which come behind the pickle."""

    kind: str
    key: str


class _Tensor(NamedTuple):
    """A view of a storage: where it begins, its shape and strides, in numbers."""

    storage: _Storage
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]


class _Refused(Exception):
    """A name that a pickle asks for, and does not get."""


def _rebuilt_tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without a storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _rebuilt_parameter(tensor, *_):
    return tensor


_NAMES: Dict[Tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuilt_parameter,
}
_NAMES.update((("torch", name), kind_of_number) for name, kind_of_number in _STORAGES.items())


class _Unpickler(pickle._Unpickler):
    """Reads pickles of tensors. Python's own implementation: the one in C makes as much room as a number in the file
    says."""

    dispatch: ClassVar[Dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise _Refused(ascii("{}.{}".format(module, name))[1:-1][:100]) from None

    def persistent_load(self, pid: Any) -> Any:
        word, kind_of_number, key = pid[:3]
        if word not in ("storage", b"storage") or kind_of_number not in _STORAGES.values():
            raise ValueError("a reference to {}".format(ascii(word)))
        if len(pid) > 5 and pid[5] is not None:
            raise ValueError("a view of a storage")
        return _Storage(kind_of_number, str(key))

    def load_build(self) -> None:
        # Attributes of containers, such as the versions of layers in a state_dict: not needed.
        self.stack.pop()  # type: ignore[attr-defined]

    dispatch[pickle.BUILD[0]] = load_build


def _saved(path):
    """(what was saved, {key: bytes of a storage})."""
    if zipfile.is_zipfile(path):
        with untrusted.open_zip(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            root = next(name for name in members if name.endswith("/data.pkl"))[: -len("data.pkl")]
            packed = [name for name, info in members.items() if info.compress_type != zipfile.ZIP_STORED]
            if packed:
                raise ValueError("{} is compressed, which torch.save does not do".format(packed[0]))
            if root + "byteorder" in members and archive.read(root + "byteorder") != b"little":
                raise ValueError("its numbers are big-endian")
            saved = _Unpickler(io.BytesIO(archive.read(root + "data.pkl"))).load()
            prefix = root + "data/"
            keys = [name[len(prefix) :] for name in members if name.startswith(prefix)]
            return saved, {key: archive.read(prefix + key) for key in keys}
    with open(path, "rb") as stream:
        magic, version, system = (_Unpickler(stream).load() for _ in range(3))
        if magic != _OLD_MAGIC or version != _OLD_PROTOCOL or not system.get("little_endian", True):
            raise ValueError("an unknown form of torch.save")
        saved = _Unpickler(stream).load()
        sizes = {one.storage.key: one.storage for one in _leaves(saved)}
        storages = {}
        for key in map(str, _Unpickler(stream).load()):
            (count,) = struct.unpack("<q", stream.read(8))
            width = 2 if sizes[key].kind == _BFLOAT16 else np.dtype(sizes[key].kind).itemsize
            if not 0 <= count * width <= os.path.getsize(path):
                raise ValueError("a storage of {} numbers".format(count))
            storages[key] = stream.read(count * width)
        return saved, storages


def _leaves(value) -> List[_Tensor]:
    """All tensors in nested containers."""
    found, waiting, seen = [], [value], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Tensor):
            found.append(one)
        elif isinstance(one, (dict, list, tuple, set)) and id(one) not in seen:
            seen.add(id(one))
            waiting.extend(one.values() if isinstance(one, dict) else one)
    return found


def _state_dict(path, saved):
    value, storages = saved
    if isinstance(value, dict) and not any(isinstance(one, _Tensor) for one in value.values()):
        value = next((value[key] for key in _WEIGHTS_KEYS if isinstance(value.get(key), dict)), value)
    tensors = {}
    if isinstance(value, dict):
        tensors = {str(key): one for key, one in value.items() if isinstance(one, _Tensor)}
    if not tensors:
        raise PipelineError(
            "{}: holds no state_dict, {{name: tensor}}, by itself or as {}; save torch.save(model.state_dict(), "
            "...)".format(path, ", ".join(_WEIGHTS_KEYS))
        )
    return {name: _taken(name, one, storages) for name, one in tensors.items()}


def _taken(name, tensor, storages):
    """The numbers of a tensor, in memory of its own."""
    numbers = _array(storages[tensor.storage.key], tensor.storage.kind)
    if min(tensor.shape + tensor.strides + (tensor.offset,), default=0) < 0:
        raise ValueError("{} has a negative size".format(name))
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    # Not more numbers than the storage has: a stride of 0 would make any number of them.
    empty = 0 in tensor.shape
    if len(tensor.shape) != len(tensor.strides) or (not empty and not last < len(numbers)):
        raise ValueError("{} lies beyond its storage".format(name))
    count = 1
    for size in tensor.shape:
        count *= size
    if count > len(numbers):
        raise ValueError("{} has more numbers than its storage".format(name))
    if empty:
        return np.zeros(tensor.shape, numbers.dtype)
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()
