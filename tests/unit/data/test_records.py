"""TFRecord files: their bytes, random access, and which files a word means."""

import re
import struct
import zipfile

import numpy
import pytest
from densedepth.data import conversion, records, train_archive
from densedepth.errors import PipelineError
from record_archive import PAIRS


def test_an_archive_is_known_by_what_its_members_hold(archive, tmp_path):
    def identity(change=None, order=sorted):
        path = str(tmp_path / "again.zip")
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
            for name in order(source.namelist()):
                data = source.read(name)
                target.writestr(name, data[:-1] + b"x" if name == change else data)
        with train_archive.Archive(path) as again:
            return again.identity()["members_sha256"]

    assert re.match("[0-9a-f]{64}$", identity())
    # Neither how the members are packed nor their order counts.
    with train_archive.Archive(archive) as source:
        assert identity() == identity(order=reversed) == source.identity()["members_sha256"]
    with zipfile.ZipFile(archive) as source:
        assert len({identity()} | {identity(name) for name in source.namelist()}) == 1 + len(source.namelist())


def test_tensorflow_reads_the_files(archive, tmp_path):
    from densedepth.tf import tf

    out = str(tmp_path / "x.tfrecords")
    conversion.convert(archive, out)
    with records.RecordIndex([out]) as index:
        ours = [index.read(i) for i in range(len(index))]
    assert ours == list(tf.python_io.tf_record_iterator(out))


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16383, 16384, 2**21])
def test_examples_are_those_of_tensorflow_to_the_byte(length):
    from densedepth.tf import tf

    features = {"name": b"n\xc3\xa4me", "data_y": b"y" * length, "data_x": b"x", "depth_unit": 0.00015}
    theirs = tf.train.Example()
    for name, value in features.items():
        kind = "bytes_list" if isinstance(value, bytes) else "float_list"
        getattr(theirs.features.feature[name], kind).value.append(value)
    assert records.example(features) == theirs.SerializeToString(deterministic=True)


def test_a_changed_byte_is_noticed(archive, tmp_path):
    out = tmp_path / "x.tfrecords"
    conversion.convert(archive, str(out))
    data = bytearray(out.read_bytes())
    data[-100] ^= 1
    out.write_bytes(bytes(data))
    with records.RecordIndex([str(out)]) as index:
        index.read(PAIRS - 2)
        with pytest.raises(PipelineError, match=r"x.tfrecords record 10 at byte \d+: damaged"):
            index.read(PAIRS - 1)


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
    with pytest.raises(PipelineError, match="is a folder; name the record files in it"):
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
