"""TFRecord files of the training set, found and read by position; `conversion` writes them.

Each record is a tf.train.Example with the byte features `data_x` (the JPEG file), `data_y` (the PNG file), both as they
are in the archive, and `name` (member name of the JPEG). One file `x.tfrecords`, or shards
`x-00000-of-00004.tfrecords`; beside them `x.json` tells what they hold. No TensorFlow is needed: its import takes as
long as the conversion of thousands of pairs.

A record in the file is its length (uint64), a checksum of these 8 bytes, the data, and a checksum of the data, all
little-endian; a checksum is the CRC-32C, rotated and offset (tensorflow/core/lib/io/record_writer.h).
"""

import glob
import hashlib
import os
import re
import struct
import sys
from typing import Any, Dict, Iterable, List, Mapping, Union

import numpy

from .. import metadata
from ..errors import PipelineError

try:
    import google_crc32c
except ImportError:
    # An interpreter that others have set up, as that of an Ascend image, is told in one line what it lacks.
    google_crc32c = None

SUFFIX = ".tfrecords"
# What the records are found by; the report reads more.
SCHEMA = {"shards": [metadata.NAME]}
# Of a mixture, in the order of the records.
SETS = [{"name": str, "weight": metadata.Number(0, 1000), "records": metadata.COUNT}]

_LENGTH = struct.Struct("<Q")
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


def shard_names(out: str, shards: int) -> List[str]:
    """The file names for `--out out`: `x.tfrecords` itself, or `x-00000-of-0000n.tfrecords` for n shards above 1."""
    if shards == 1:
        return [out]
    stem = _stem(out)
    return ["{}-{:05d}-of-{:05d}{}".format(stem, shard, shards, SUFFIX) for shard in range(shards)]


def side_name(out: str) -> str:
    """The metadata file of the records `out`: `x.json` for `x.tfrecords`."""
    return _stem(out) + ".json"


def _stem(out):
    return out[: -len(SUFFIX)] if out.endswith(SUFFIX) else out


def expand(paths: Iterable[str]) -> List[str]:
    """The record files that the words `paths` mean, in order: a file, a glob, or the base name of shards.

    `x.tfrecords` stands for the shards that `x.json` lists when there is one, else for `x-*-of-*.tfrecords`. Raises
    PipelineError for a word that means no file, an incomplete set of shards, and a file left from another conversion.
    """
    found = []
    for path in paths:
        found.extend(_expand(path))
    twice = sorted({path for path in found if found.count(path) > 1})
    if twice:
        raise PipelineError("{}: the record file is named twice".format(twice[0]))
    return found


def _expand(path):
    if os.path.isfile(path):
        _refuse_leftover(path)
        return [path]
    if os.path.isdir(path):
        raise PipelineError("{}: is a folder; name the record files in it".format(path))
    if glob.has_magic(path):
        matches = sorted(name for name in glob.glob(path) if os.path.isfile(name))
        if not matches:
            raise PipelineError("{}: no file fits this pattern".format(path))
        return matches
    if os.path.isfile(side_name(path)):
        folder = os.path.dirname(path)
        shards = [os.path.join(folder, name) for name in metadata.read(side_name(path), SCHEMA)["shards"]]
    else:
        shards = _shards_by_name(path)
    if not shards:
        raise PipelineError(
            "{}: no such record file, and no shards {}-*-of-*{} either; make them with dataset_tool_tf.py".format(
                path, _stem(path), SUFFIX
            )
        )
    for shard in shards:
        if not os.path.isfile(shard):
            raise PipelineError("{}: missing; {} has {} shards".format(shard, path, len(shards)))
    return shards


def _refuse_leftover(path):
    side = side_name(path)
    if os.path.isfile(side):
        shards = metadata.read(side, SCHEMA)["shards"]
        if os.path.basename(path) not in shards:
            raise PipelineError(
                "{}: not of the conversion that {} describes ({} shards); remove one of the two".format(
                    path, side, len(shards)
                )
            )


def _shards_by_name(path):
    """All shard names of the set of which some are there; raises PipelineError when sets of several sizes are."""
    counts = set()
    for name in glob.glob("{}-*-of-*{}".format(glob.escape(_stem(path)), SUFFIX)):
        match = re.search(r"-\d{5}-of-(\d{5})" + re.escape(SUFFIX) + "$", name)
        if match:
            counts.add(int(match.group(1)))
    if len(counts) > 1:
        raise PipelineError(
            "{}: sets of {} shards lie side by side; remove all but one".format(
                path, " and ".join(map(str, sorted(counts)))
            )
        )
    return shard_names(path, counts.pop()) if counts else []


class RecordIndex:
    """Random access to the records of some TFRecord files. A context manager; reading is safe from several threads.

    Only the 12-byte headers are read to build it; `len()` is the number of records over all files. Raises PipelineError
    naming file, record and offset where a file is cut off or is no TFRecord file.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = list(paths)
        self._descriptors: List[int] = []
        shards, starts, lengths = [], [], []
        try:
            for shard, path in enumerate(self.paths):
                shard_starts, shard_lengths = self._scan(path)
                shards.append(numpy.full(len(shard_starts), shard, numpy.int64))
                starts.append(numpy.array(shard_starts, numpy.int64))
                lengths.append(numpy.array(shard_lengths, numpy.int64))
        except BaseException:
            self.close()
            raise
        empty = [numpy.zeros(0, numpy.int64)]
        self._shards = numpy.concatenate(shards + empty)
        self._starts = numpy.concatenate(starts + empty)
        self._lengths = numpy.concatenate(lengths + empty)
        # (records, weight) of each set of a mixture, in their order; none where all count alike.
        self.sets = _sets(self.paths, len(self._starts))
        counts = [len(shard) for shard in shards]
        self._firsts = numpy.cumsum([0] + counts)

    def _scan(self, path):
        """Offsets and lengths of the data of each record of the file."""
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise PipelineError("{}: {}".format(path, error.strerror)) from None
        self._descriptors.append(descriptor)
        size = os.fstat(descriptor).st_size
        starts: List[int] = []
        lengths: List[int] = []
        offset = 0
        while offset < size:
            header = os.pread(descriptor, _HEADER.size, offset)
            if len(header) < _HEADER.size:
                raise self._truncated(path, len(starts), offset, size)
            length, checksum = _HEADER.unpack(header)
            if _masked_crc32c(header[:8]) != checksum:
                raise PipelineError(
                    "{}: record {} at byte {}: not a TFRecord header; the file is damaged or of another kind".format(
                        path, len(starts), offset
                    )
                )
            start = offset + _HEADER.size
            offset = start + length + _FOOTER.size
            if offset > size:
                raise self._truncated(path, len(starts), start - _HEADER.size, size)
            starts.append(start)
            lengths.append(length)
        return starts, lengths

    @staticmethod
    def _truncated(path, record, offset, size):
        return PipelineError(
            "{}: record {} at byte {}: cut off, the file ends at byte {}; make the records again".format(
                path, record, offset, size
            )
        )

    def __len__(self) -> int:
        return len(self._starts)

    def __enter__(self) -> "RecordIndex":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def read(self, i: int) -> bytes:
        """The serialized Example of record `i` of all (0-based), as bytes.

        Raises PipelineError when the file has been cut off since, and when the data is not what was written.
        """
        length, start = int(self._lengths[i]), int(self._starts[i])
        try:
            read = os.pread(self._descriptors[self._shards[i]], length + _FOOTER.size, start)
        except OSError as error:
            raise PipelineError("{} at byte {}: {}".format(self.name(i), start, error.strerror)) from None
        if len(read) != length + _FOOTER.size:
            raise PipelineError(
                "{} at byte {}: cut off while in use; make the records again".format(self.name(i), start)
            )
        data = read[:length]
        if _FOOTER.unpack_from(read, length)[0] != _masked_crc32c(data):
            raise PipelineError(
                "{} at byte {}: damaged, its checksum is another; make the records again".format(self.name(i), start)
            )
        return data

    def identity(self) -> Dict[str, Any]:
        """What tells this set of records from another, as JSON: their number and a digest of all their lengths."""
        digest = hashlib.sha256(self._lengths.astype("<i8").tobytes()).hexdigest()
        shards = [os.path.basename(path) for path in self.paths]
        more = {"sets": [list(one) for one in self.sets]} if self.sets else {}
        return {"records": len(self), "shards": shards, "lengths": digest, **more}

    def name(self, i: int) -> str:
        """`x-00001-of-00004.tfrecords record 17`, for messages."""
        shard = int(self._shards[i])
        return "{} record {}".format(os.path.basename(self.paths[shard]), i - int(self._firsts[shard]))


def _sets(paths, count):
    """What the metadata file of the records `paths` says of the sets of a mixture, as `RecordIndex.sets`."""
    stem = re.sub(r"-\d{5}-of-\d{5}" + re.escape(SUFFIX) + "$", "", paths[0]) if paths else ""
    side = stem + ".json"
    if stem == (paths or [""])[0] or not os.path.isfile(side):
        return []
    content = metadata.read(side, dict(SCHEMA, **{"sets?": SETS}))
    if "sets" not in content or content["shards"] != [os.path.basename(path) for path in paths]:
        return []
    found = [(one["records"], one["weight"]) for one in content["sets"]]
    if sum(records for records, _ in found) != count:
        raise PipelineError("{}: sets are of {} records, not {}; make them again".format(side, sum(dict(found)), count))
    return found


def framed(data: bytes) -> bytes:
    """The bytes of one record that holds `data`."""
    length = _LENGTH.pack(len(data))
    return b"".join((length, _FOOTER.pack(_masked_crc32c(length)), data, _FOOTER.pack(_masked_crc32c(data))))


def _masked_crc32c(data):
    if google_crc32c is None:
        raise PipelineError("google-crc32c is missing; run `{} -m pip install google-crc32c`".format(sys.executable))
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def example(features: Mapping[str, Union[bytes, float]]) -> bytes:
    """A serialized tf.train.Example of {name: bytes or float}; keys in order, so that equal input gives equal bytes.

    The same bytes as SerializeToString(deterministic=True) gives (tensorflow/core/example/{example,feature}.proto):
    messages within messages, each of which is the byte of its field, its length, and its content.
    """
    entries = []
    for name, value in sorted(features.items()):
        kind, value = (1, value) if isinstance(value, bytes) else (2, struct.pack("<f", value))
        feature = _field(kind, _field(1, [value]))
        entries += _field(1, _field(1, [name.encode()]) + _field(2, feature))
    return b"".join(_field(1, entries))


def _field(number, parts):
    """A field of bytes: number and kind, length as a varint of 7 bits a byte, content.

    As a list of its parts, so that images within five messages are copied once.
    """
    length = sum(map(len, parts))
    head = bytearray([number << 3 | 2])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return [bytes(head)] + parts
