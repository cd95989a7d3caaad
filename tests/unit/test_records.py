"""TFRecord files: conversion, shards, random access, refusals."""

import hashlib
import io
import json
import os
import struct
import zipfile

import numpy
import pytest
from densedepth import conversion, records
from densedepth.errors import PipelineError
from PIL import Image

PAIRS = 11


def encoded(array, kind):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind)
    return stream.getvalue()


def make_archive(path, pairs=PAIRS, changed=()):
    """A zip whose pair i has images of value 10 i; `changed`: members to write otherwise."""
    changed = dict(changed)
    with zipfile.ZipFile(str(path), "w") as archive:
        names = ["data/t/{}".format(i) for i in range(pairs)]
        archive.writestr("data/nyu2_train.csv", "".join("{0}.jpg,{0}.png\r\n".format(name) for name in names))
        for i, name in enumerate(names):
            jpg = encoded(numpy.full((12, 16, 3), 10 * i, numpy.uint8), "JPEG")
            png = encoded(numpy.full((12, 16), 10 * i, numpy.uint8), "PNG")
            archive.writestr(name + ".jpg", changed.get(name + ".jpg", jpg))
            archive.writestr(name + ".png", changed.get(name + ".png", png))
    return str(path)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive") / "nyu_data.zip")


def parsed(serialized):
    from densedepth.tf import tf

    features = tf.train.Example.FromString(serialized).features.feature
    return {name: features[name].bytes_list.value[0] for name in features}


def read_all(paths):
    with records.RecordIndex(paths) as index:
        return [parsed(index.read(i)) for i in range(len(index))]


def listed(folder):
    return sorted(os.listdir(str(folder)))


def test_one_file_holds_the_archives_bytes(archive, tmp_path):
    out = str(tmp_path / "x.tfrecords")
    side = conversion.convert(archive, out, seed=3)
    assert listed(tmp_path) == ["x.json", "x.tfrecords"]
    examples = read_all([out])
    assert len(examples) == PAIRS
    with zipfile.ZipFile(archive) as source:
        for example in examples:
            name = example["name"].decode()
            assert example["data_x"] == source.read(name)
            assert example["data_y"] == source.read(name.replace(".jpg", ".png"))
    assert side == json.loads((tmp_path / "x.json").read_text())
    assert side["records"] == side["archive"]["rows"] == PAIRS
    assert side["rgb_size"] == [12, 16]
    assert side["archive"]["size_bytes"] == os.path.getsize(archive)
    with open(archive, "rb") as stream:
        assert side["archive"]["sha256"] == hashlib.sha256(stream.read()).hexdigest()


def test_tensorflow_reads_the_files(archive, tmp_path):
    from densedepth.tf import tf

    out = str(tmp_path / "x.tfrecords")
    conversion.convert(archive, out)
    with records.RecordIndex([out]) as index:
        ours = [index.read(i) for i in range(len(index))]
    assert ours == list(tf.python_io.tf_record_iterator(out))


def test_shuffle_is_by_seed_and_shards_keep_the_sequence(archive, tmp_path):
    def names(seed, shards):
        out = str(tmp_path / "s{}n{}.tfrecords".format(seed, shards))
        conversion.convert(archive, out, shards=shards, seed=seed)
        return [example["name"] for example in read_all(records.expand([out]))]

    first = names(0, 1)
    assert first == names(0, 3)
    assert first != names(1, 1)
    assert sorted(first) == sorted(names(1, 3))
    order = numpy.random.RandomState(0).permutation(PAIRS)
    assert first == ["data/t/{}.jpg".format(i).encode() for i in order]


def test_same_bytes_whatever_the_number_of_workers(archive, tmp_path):
    sides = []
    for workers in (1, 2):
        out = str(tmp_path / "w{}".format(workers) / "x.tfrecords")
        sides.append(conversion.convert(archive, out, shards=3, workers=workers))
    assert sides[0] == sides[1]
    assert sides[0]["shards"] == ["x-0000{}-of-00003.tfrecords".format(i) for i in range(3)]
    assert sides[0]["shard_records"] == [4, 4, 3]
    for name in sides[0]["shards"]:
        assert (tmp_path / "w1" / name).read_bytes() == (tmp_path / "w2" / name).read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_refusal_leaves_nothing_behind(tmp_path, workers):
    path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/7.jpg": b"no image"})
    out = tmp_path / "out"
    with pytest.raises(PipelineError, match=r"row 8, data/t/7.jpg: not an image"):
        conversion.convert(path, str(out / "x.tfrecords"), shards=2, workers=workers)
    assert listed(out) == []


def test_refusal_keeps_the_files_of_before(archive, tmp_path):
    out = tmp_path / "out"
    conversion.convert(archive, str(out / "x.tfrecords"))
    before = {name: (out / name).read_bytes() for name in listed(out)}
    path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/7.jpg": b"no image"})
    with pytest.raises(PipelineError):
        conversion.convert(path, str(out / "x.tfrecords"))
    assert {name: (out / name).read_bytes() for name in listed(out)} == before


@pytest.mark.parametrize("shards", [1, 11])
def test_images_of_more_than_one_size(tmp_path, shards):
    jpg = encoded(numpy.zeros((24, 32, 3), numpy.uint8), "JPEG")
    png = encoded(numpy.zeros((24, 32), numpy.uint8), "PNG")
    path = make_archive(tmp_path / "a.zip", changed={"data/t/5.jpg": jpg, "data/t/5.png": png})
    with pytest.raises(PipelineError, match="more than one size") as caught:
        conversion.convert(path, str(tmp_path / "out" / "x.tfrecords"), shards=shards)
    assert "row 6 (data/t/5.jpg) is 32x24" in str(caught.value)
    assert "is 16x12" in str(caught.value)
    assert listed(tmp_path / "out") == []


def test_more_shards_than_pairs(archive, tmp_path):
    with pytest.raises(PipelineError, match="12 shards for the 11 pairs"):
        conversion.convert(archive, str(tmp_path / "x.tfrecords"), shards=12)


def test_seed_out_of_range(archive, tmp_path):
    with pytest.raises(PipelineError, match="seed -1"):
        conversion.convert(archive, str(tmp_path / "x.tfrecords"), seed=-1)


def test_unwritable_place_is_one_line(archive, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((PipelineError, OSError)):
        conversion.convert(archive, str(tmp_path / "file" / "x.tfrecords"))


# Random access


def test_names_and_order_over_shards(archive, tmp_path):
    out = str(tmp_path / "x.tfrecords")
    conversion.convert(archive, out, shards=3)
    with records.RecordIndex(records.expand([out])) as index:
        assert len(index) == PAIRS
        assert index.name(0) == "x-00000-of-00003.tfrecords record 0"
        assert index.name(4) == "x-00001-of-00003.tfrecords record 0"
        assert index.name(numpy.int64(10)) == "x-00002-of-00003.tfrecords record 2"


def test_no_files_are_no_records():
    with records.RecordIndex([]) as index:
        assert len(index) == 0


@pytest.fixture
def record_file(archive, tmp_path):
    out = tmp_path / "x.tfrecords"
    conversion.convert(archive, str(out))
    return out


@pytest.mark.parametrize("cut", [1, 4, 5, 300])
def test_truncated_file(record_file, cut):
    data = record_file.read_bytes()
    record_file.write_bytes(data[:-cut])
    with pytest.raises(PipelineError, match=r"record 10 at byte .* cut off") as caught:
        records.RecordIndex([str(record_file)])
    assert str(record_file) in str(caught.value)


def test_file_cut_within_a_header(record_file):
    with records.RecordIndex([str(record_file)]) as index:
        length = len(index.read(0))
    record_file.write_bytes(record_file.read_bytes()[: 16 + length + 5])
    with pytest.raises(PipelineError, match="record 1 at byte {}: cut off".format(16 + length)):
        records.RecordIndex([str(record_file)])


def test_damaged_header_and_other_files(record_file, tmp_path):
    data = bytearray(record_file.read_bytes())
    data[0] ^= 1
    record_file.write_bytes(bytes(data))
    with pytest.raises(PipelineError, match="record 0 at byte 0: not a TFRecord header"):
        records.RecordIndex([str(record_file)])
    other = tmp_path / "other.tfrecords"
    other.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(PipelineError, match="not a TFRecord header"):
        records.RecordIndex([str(other)])


def test_missing_record_file(tmp_path):
    with pytest.raises(PipelineError, match="No such file"):
        records.RecordIndex([str(tmp_path / "none.tfrecords")])


def test_checksum_of_a_known_header():
    # From RFC 3720, appendix B.4: 32 bytes of zero have the CRC-32C 8a9136aa.
    masked = records._masked_crc32c(bytes(32))
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    assert (rotated << 15 | rotated >> 17) & 0xFFFFFFFF == 0x8A9136AA


# Which files a word means


def touch(folder, *names):
    for name in names:
        (folder / name).write_bytes(struct.pack("<Q", 0))


def test_expand_file_glob_and_base_name(tmp_path):
    names = ["x-00000-of-00002.tfrecords", "x-00001-of-00002.tfrecords"]
    touch(tmp_path, "y.tfrecords", *names)
    shards = [str(tmp_path / name) for name in names]
    assert records.expand([str(tmp_path / "y.tfrecords")]) == [str(tmp_path / "y.tfrecords")]
    assert records.expand([str(tmp_path / "x-*.tfrecords")]) == shards
    assert records.expand([str(tmp_path / "x.tfrecords")]) == shards
    assert records.expand([str(tmp_path / "y.tfrecords")] + shards)[1:] == shards


def test_expand_names_the_missing_shard(tmp_path):
    touch(tmp_path, "x-00000-of-00003.tfrecords", "x-00002-of-00003.tfrecords")
    with pytest.raises(PipelineError, match=r"x-00001-of-00003\.tfrecords: missing"):
        records.expand([str(tmp_path / "x.tfrecords")])


def test_expand_refuses_what_is_unclear(tmp_path):
    touch(tmp_path, "x-00000-of-00001.tfrecords", "x-00000-of-00002.tfrecords", "y.tfrecords")
    with pytest.raises(PipelineError, match="sets of 1 and 2 shards"):
        records.expand([str(tmp_path / "x.tfrecords")])
    with pytest.raises(PipelineError, match="named twice"):
        records.expand([str(tmp_path / "y.tfrecords")] * 2)
    with pytest.raises(PipelineError, match="is a folder"):
        records.expand([str(tmp_path)])
    with pytest.raises(PipelineError, match="no file fits"):
        records.expand([str(tmp_path / "z*.tfrecords")])
    with pytest.raises(PipelineError, match=r"dataset_tool_tf\.py"):
        records.expand([str(tmp_path / "z.tfrecords")])


def test_expand_goes_by_the_side_file(archive, tmp_path):
    out = str(tmp_path / "x.tfrecords")
    conversion.convert(archive, out, shards=2)
    conversion.convert(archive, out, shards=3)
    assert len(records.expand([out])) == 3
    touch(tmp_path, "x.tfrecords")
    with pytest.raises(PipelineError, match="not of the conversion"):
        records.expand([out])
