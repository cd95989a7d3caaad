"""Files as torch.save writes them, without PyTorch: stand-ins for the few names of its pickles."""

import collections
import pickle
import struct
import sys
import types
import zipfile

import numpy as np

_CLASSES = {"float32": "FloatStorage", "int64": "LongStorage", "float64": "DoubleStorage", "float16": "HalfStorage"}


class _Storage:
    def __init__(self, array, key):
        self.array, self.key = array, key


class _Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.parts = storage, offset, shape, strides

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (*self.parts, False, collections.OrderedDict())


def tensor(array, key, offset=0, shape=None, strides=None):
    """A tensor of its own storage `key`, whose numbers are `array`'s; offset, shape and strides may be others."""
    array = np.ascontiguousarray(array)
    own = tuple(stride // array.itemsize for stride in array.strides)
    return _Tensor(_Storage(array.ravel(), key), offset, array.shape if shape is None else shape, strides or own)


def state_dict(values):
    """{name: tensor} of {name: array}, as a module's `state_dict` is."""
    return collections.OrderedDict((name, tensor(values[name], str(key))) for key, name in enumerate(values))


def save(path, saved, monkeypatch, old=False, **packing):
    """Write what was `saved`, in which tensors are of `tensor`, to `path`, `old` as before PyTorch 1.6; its path."""
    utils, torch = types.ModuleType("torch._utils"), types.ModuleType("torch")

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__ = utils.__name__
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in _CLASSES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    storages = {}
    with monkeypatch.context() as patch, open(str(path), "wb") as stream:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)

        class Pickler(pickle._Pickler):
            def persistent_id(self, obj):
                if not isinstance(obj, _Storage):
                    return None
                storages[obj.key] = obj.array
                kind = getattr(torch, _CLASSES[obj.array.dtype.name])
                return ("storage", kind, obj.key, "cpu", len(obj.array)) + ((None,) if old else ())

        if old:
            for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
                pickle.dump(value, stream, protocol=2)
            Pickler(stream, protocol=2).dump(saved)
            pickle.dump(sorted(storages), stream, protocol=2)
            for key in sorted(storages):
                stream.write(struct.pack("<q", len(storages[key])) + storages[key].tobytes())
            return str(path)
        with zipfile.ZipFile(stream, "w", **packing) as archive:
            with archive.open("archive/data.pkl", "w") as member:
                Pickler(member, protocol=2).dump(saved)
            archive.writestr("archive/byteorder", "little")
            for key, array in storages.items():
                archive.writestr("archive/data/" + key, array.tobytes())
    return str(path)
