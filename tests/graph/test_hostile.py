"""Files made to do harm: names that lead elsewhere, contents that fill the memory, code, links to other files."""

import io
import json
import os
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from densedepth.data import conversion, custom_list, custom_pairs, hdf5, matfile, nyu_labeled, records, train_archive
from densedepth.data import test_archive as testset
from densedepth.errors import PipelineError
from densedepth.network import weights
from PIL import Image


def picture(kind, mode, size=(32, 32)):
    stream = io.BytesIO()
    Image.new(mode, size, 90).save(stream, kind) if mode == "L" else Image.new(mode, size).save(stream, kind)
    return stream.getvalue()


def training_archive(path, names, **extra):
    """An archive with a pair for each of `names`, and `extra` members."""
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(train_archive.TRAIN_CSV, "".join("{0}.jpg,{0}.png\n".format(name) for name in names))
        for name in names:
            archive.writestr(name + ".jpg", picture("JPEG", "RGB"))
            archive.writestr(name + ".png", picture("PNG", "L"))
        for name, data in extra.items():
            archive.writestr(name, data)
    return str(path)


def everything_below(folder):
    return sorted(os.path.join(root, name) for root, _, names in os.walk(str(folder)) for name in names)


def test_member_names_that_lead_elsewhere_lead_nowhere(tmp_path):
    names = ["/tmp/densedepth-absolute", "../../outside", "a b/'q' \"d\" $(touch dollar)", "ünï/\\back"]
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    archive = training_archive(inside / "nyu_data.zip", names)
    conversion.convert(archive, str(inside / "x.tfrecords"), 1, 0, 1)
    made = everything_below(tmp_path)
    assert made == [str(inside / name) for name in ("nyu_data.zip", "x.json", "x.tfrecords")]
    assert not os.path.exists("/tmp/densedepth-absolute.jpg") and not os.path.exists("dollar")
    assert len(records.RecordIndex([str(inside / "x.tfrecords")])) == len(names)


def claim(path, member, size):
    """Make the zip's directory say that `member` has `size` bytes unpacked."""
    with open(path, "rb") as stream:
        data = bytearray(stream.read())
    # The entry in the central directory: its signature, and the size 24 bytes on; the name follows after 46.
    place = data.index(b"PK\x01\x02")
    while data[place + 46 : place + 46 + len(member)] != member.encode():
        place = data.index(b"PK\x01\x02", place + 1)
    data[place + 24 : place + 28] = struct.pack("<I", size)
    with open(path, "wb") as stream:
        stream.write(data)


@pytest.mark.parametrize("member", [train_archive.TRAIN_CSV, "data/a.jpg"])
def test_a_member_that_would_fill_the_memory_is_refused(tmp_path, member):
    path = training_archive(tmp_path / "bomb.zip", ["data/a"])
    claim(path, member, 4000000000)
    with pytest.raises(PipelineError, match="{} would have 4000000000 bytes unpacked".format(member)):
        with train_archive.Archive(path) as archive:
            archive.pair(archive.rows()[0])


def test_a_member_larger_than_it_says_gives_no_more_than_it_says(tmp_path):
    path = training_archive(tmp_path / "liar.zip", ["data/a"], big=b"\0" * 50000000)
    claim(path, "big", 1000)
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile):
        archive.read("big")


def png_header(width, height):
    """A PNG that says to be huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def test_a_picture_of_billions_of_pixels_is_refused_by_its_header(tmp_path):
    path = str(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(train_archive.TRAIN_CSV, "a.jpg,a.png\n")
        archive.writestr("a.jpg", picture("JPEG", "RGB"))
        archive.writestr("a.png", png_header(100000, 100000))
    with pytest.raises(PipelineError, match=r"a.png: has more than 179 megapixels"):
        with train_archive.Archive(path) as archive:
            archive.pair(archive.rows()[0])


def test_archive(path, **arrays):
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr("eigen_test_{}.npy".format(name), data)
    return str(path)


test_archive.__test__ = False


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("name", ["rgb", "depth", "crop"])
def test_a_pickled_array_is_never_unpickled(tmp_path, name):
    sign = tmp_path / "unpickled"
    arrays = {"rgb": npy(np.zeros((1, 4, 4, 3), np.uint8)), "depth": npy(np.ones((1, 4, 4), np.float32))}
    arrays["crop"] = npy(np.array([0, 3, 0, 3]))
    arrays[name] = npy(np.array([Payload(str(sign))], dtype=object))
    with pytest.raises(PipelineError, match="eigen_test_{}.npy: has dtype object, which is never".format(name)):
        testset.open_test_set(test_archive(tmp_path / "nyu_test.zip", **arrays))
    assert not sign.exists()


def test_an_array_of_one_enormous_image_is_refused(tmp_path):
    side = 10240
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1, side, side, 3)})
    rgb = header.getvalue() + b"\0" * (3 * side * side)
    with pytest.raises(PipelineError, match=r"eigen_test_rgb.npy: an image has .* bytes, more than"):
        testset.open_test_set(test_archive(tmp_path / "nyu_test.zip", rgb=rgb, depth=b"", crop=b""))


def test_facts_that_would_fill_the_memory_are_refused(tmp_path):
    arrays = {"rgb": npy(np.zeros((1, 4, 4, 3), np.uint8)), "depth": npy(np.ones((1, 4, 4), np.float32))}
    path = test_archive(tmp_path / "nyu_test.zip", crop=npy(np.array([0, 3, 0, 3])), **arrays)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pictures.json", b"{}")
    claim(path, "pictures.json", 4000000000)
    with pytest.raises(PipelineError, match=r"pictures.json would have 4000000000 bytes unpacked"):
        testset.open_test_set(path)


def npy_header(shape, kind="|u1"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("start", [b"\x93NUMPY\x02\x00\xff\xff\xff\xff", b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10000])
def test_a_header_that_is_none_is_refused(tmp_path, start):
    with pytest.raises(PipelineError, match=r"eigen_test_rgb.npy: not a NumPy array that can be read"):
        testset.open_test_set(test_archive(tmp_path / "nyu_test.zip", rgb=start, depth=b"", crop=b""))


def test_an_array_of_fewer_than_no_images_is_refused(tmp_path):
    rgb = npy_header((-1, -1, 4, 3)) + b"\0" * 12
    with pytest.raises(PipelineError, match=r"eigen_test_rgb.npy: (has|expected) shape"):
        testset.open_test_set(
            test_archive(tmp_path / "nyu_test.zip", rgb=rgb, depth=npy(np.ones((1, 1, 4))), crop=npy(np.arange(4)))
        )


@pytest.mark.parametrize(
    "content",
    [
        npy_header((10**6, 10**7)),
        npy_header((2**62, 4), "<f8"),
        npy_header((-4, -4)),
        b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10000,
        npy(np.array([{}], dtype=object)),
    ],
    ids=["larger than its file", "larger than a number", "less than nothing", "no header", "objects"],
)
def test_a_depth_map_of_ones_own_that_claims_too_much_is_refused(tmp_path, content):
    (tmp_path / "pairs.csv").write_text("a.png,a.npy,train\nb.png,b.npy,test\n")
    Image.new("RGB", (32, 32)).save(str(tmp_path / "a.png"))
    (tmp_path / "a.npy").write_bytes(content + b"\0" * 16)
    found = custom_list.listed((32, 32), 1, 10, table=str(tmp_path / "pairs.csv"))
    (tmp_path / "list.json").write_text(json.dumps(found))
    with custom_pairs.Pictures(str(tmp_path / "list.json")) as source:
        with pytest.raises(PipelineError, match=r"a.npy: cannot be read as a NumPy array"):
            source.pair(source.rows()[0])


def keras_file(path):
    """The frame of a file of weights, with one layer."""
    file = h5py.File(str(path), "w")
    file.attrs["layer_names"] = [b"conv1_conv"]
    file.attrs["a"] = 1
    return file


def test_a_link_to_another_hdf5_file_is_refused(tmp_path):
    with h5py.File(str(tmp_path / "secret.h5"), "w") as other:
        other["layer/values"] = np.ones(3)
    with keras_file(tmp_path / "a.h5") as file:
        file.create_group("inner")["conv1_conv"] = h5py.ExternalLink("secret.h5", "/layer")
    with pytest.raises(PipelineError, match=r"a.h5: /inner/conv1_conv is a link to another file"):
        weights.read_keras(str(tmp_path / "a.h5"))


def test_values_stored_in_another_file_are_refused(tmp_path):
    (tmp_path / "secret").write_bytes(b"0123456789ab")
    with keras_file(tmp_path / "a.h5") as file:
        layer = file.create_group("conv1_conv")
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_external(str(tmp_path / "secret").encode(), 0, 12)
        space = h5py.h5s.create_simple((3,))
        h5py.h5d.create(layer.id, b"kernel", h5py.h5t.NATIVE_FLOAT, space, create)
    with pytest.raises(PipelineError, match=r"a.h5: /conv1_conv/kernel has its values in another file"):
        weights.read_keras(str(tmp_path / "a.h5"))


def test_an_array_of_weights_that_would_fill_the_memory_is_refused(tmp_path):
    with keras_file(tmp_path / "a.h5") as file:
        # Nothing is stored for zeros.
        layer = file.create_group("conv1_conv")
        layer.create_dataset("kernel", (1 << 20, 1 << 20), np.float32, chunks=(1024, 1024), compression="gzip")
        layer.attrs["weight_names"] = [b"kernel"]
    with pytest.raises(PipelineError, match=r"a.h5: /conv1_conv/kernel has 4398046511104 bytes in one piece"):
        weights.read_keras(str(tmp_path / "a.h5"))


def test_arrays_that_fill_the_memory_together_are_refused(tmp_path):
    with keras_file(tmp_path / "a.h5") as file:
        # Nothing is stored for zeros.
        layer = file.create_group("conv1_conv")
        names = ["kernel{}".format(number) for number in range(5)]
        for name in names:
            layer.create_dataset(name, (250, 1 << 20), np.uint8, chunks=(1, 1 << 20), compression="gzip")
        layer.attrs["weight_names"] = [name.encode() for name in names]
    with pytest.raises(PipelineError, match=r"a.h5: its arrays have 1310720000 bytes together, more than 1073741824"):
        weights.read_keras(str(tmp_path / "a.h5"))


def test_names_beyond_any_file_of_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "MOST_NAMES", 50)
    with keras_file(tmp_path / "a.h5") as file:
        for number in range(30):
            file.create_group("inner/{}".format(number))
            file.create_group("other/{}".format(number))
    with pytest.raises(PipelineError, match=r"a.h5: holds more than 50 names"):
        weights.read_keras(str(tmp_path / "a.h5"))


def test_a_file_that_takes_too_long_is_left(tmp_path, monkeypatch):
    with h5py.File(str(tmp_path / "a.h5"), "w") as file:
        for number in range(80000):
            file[str(number)] = h5py.SoftLink("/")
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    with pytest.raises(PipelineError, match=r"a.h5: a damaged HDF5 file: .* ended by signal 24 \(after 1 s"):
        weights.read_keras(str(tmp_path / "a.h5"))


def test_names_that_lead_in_a_circle_are_walked_once(tmp_path):
    with keras_file(tmp_path / "a.h5") as file:
        layer = file.create_group("conv1_conv")
        layer["kernel"] = np.ones(3, np.float32)
        layer["itself"], layer["root"] = layer, file
        layer["nothing"] = h5py.SoftLink("/gone")
        layer.attrs["weight_names"] = [b"kernel"]
    assert list(weights.read_keras(str(tmp_path / "a.h5"))) == ["conv1_conv/kernel"]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda layer: layer.create_group("kernel"), "is a group, expected an array"),
        (
            lambda layer: layer.create_dataset("kernel", data=np.ones(3, np.complex64)),
            "type complex64, expected",
        ),
        (lambda layer: layer.create_dataset("kernel", data=np.array([b"a"])), r"type \|S1, expected real numbers"),
        (
            lambda layer: layer.create_dataset("kernel", (2,), h5py.special_dtype(vlen=np.float32)),
            "type object, expected real numbers",
        ),
        (
            lambda layer: layer.create_dataset("kernel", data=np.zeros(3, [("a", "f4"), ("b", "i4")])),
            r"type \[\('a', '<f4'\), .*, expected real numbers",
        ),
        (lambda layer: layer.create_dataset("kernel", data=h5py.Empty("f4")), "holds nothing, expected real numbers"),
    ],
    ids=["group", "complex", "text", "objects", "records", "empty"],
)
def test_weights_that_are_no_numbers_are_told(tmp_path, make, words):
    with keras_file(tmp_path / "a.h5") as file:
        layer = file.create_group("conv1_conv")
        make(layer)
        layer.attrs["weight_names"] = [b"kernel"]
    with pytest.raises(PipelineError, match="a.h5: /conv1_conv/kernel .*" + words):
        weights.read_keras(str(tmp_path / "a.h5"))


def labeled_file(folder):
    """An open file of labelled data without its depths."""
    file = h5py.File(str(folder / "labeled.mat"), "w")
    file.create_dataset("images", (2, 3, 640, 480), np.uint8, chunks=(1, 3, 640, 480), compression="gzip")
    return file


def test_labelled_data_that_lie_in_another_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(matfile, "read_numbers", lambda path, name: [1])
    with h5py.File(str(tmp_path / "secret.h5"), "w") as other:
        other["depths"] = np.ones((2, 640, 480), np.float32)
    with labeled_file(tmp_path) as file:
        file["depths"] = h5py.ExternalLink("secret.h5", "/depths")
    words = [str(tmp_path / name) for name in ("labeled.mat", "splits.mat", "out.zip")]
    with pytest.raises(PipelineError, match=r"labeled.mat: //depths is a link to another file"):
        nyu_labeled.write(*words)
    with labeled_file(tmp_path) as file:
        file.create_dataset("depths", (1024, 640, 480), np.float32, chunks=(1024, 640, 480), compression="gzip")
    with pytest.raises(PipelineError, match=r"labeled.mat: /depths has 1258291200 bytes in one piece"):
        nyu_labeled.write(*words)


def test_a_matlab_array_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(matfile, "LARGEST", 1 << 20)
    data = zlib.compress(struct.pack("<II", 14, 1 << 24) + b"\0" * (1 << 24))
    head = b"MATLAB 5.0".ljust(124) + b"\0\1IM"
    (tmp_path / "splits.mat").write_bytes(head + struct.pack("<II", 15, len(data)) + data)
    with pytest.raises(PipelineError, match=r"splits.mat: damaged.*an array of 1048576 bytes or more"):
        matfile.read_numbers(str(tmp_path / "splits.mat"), "testNdxs")
