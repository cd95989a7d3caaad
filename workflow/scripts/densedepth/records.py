"""TFRecord files of the training set, found and read by position; `conversion` writes them.

Each record is a tf.train.Example with the byte features `data_x` (the JPEG file), `data_y` (the PNG file), both as they
are in the archive, and `name` (member name of the JPEG). One file `x.tfrecords`, or shards
`x-00000-of-00004.tfrecords`; beside them `x.json` tells what they hold. No TensorFlow is needed to read them.
"""

import glob
import hashlib
import os
import re
import struct

import numpy

from . import files
from .errors import PipelineError

SUFFIX = ".tfrecords"

_HEADER = struct.Struct("<QI")
_FOOTER_BYTES = 4


def shard_names(out, shards):
    """The file names for `--out out`: `x.tfrecords` itself, or `x-00000-of-0000n.tfrecords` for n shards above 1."""
    if shards == 1:
        return [out]
    stem = _stem(out)
    return ["{}-{:05d}-of-{:05d}{}".format(stem, shard, shards, SUFFIX) for shard in range(shards)]


def side_name(out):
    """The side file of the records `out`: `x.json` for `x.tfrecords`."""
    return _stem(out) + ".json"


def _stem(out):
    return out[: -len(SUFFIX)] if out.endswith(SUFFIX) else out


def expand(paths):
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
        shards = [os.path.join(folder, name) for name in files.read_json(side_name(path)).get("shards", [])]
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
        shards = files.read_json(side).get("shards", [])
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

    def __init__(self, paths):
        self.paths = list(paths)
        self._descriptors = []
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
        starts, lengths = [], []
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
            offset = start + length + _FOOTER_BYTES
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

    def __len__(self):
        return len(self._starts)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Close the files."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def read(self, i):
        """The serialized Example of record `i` of all (0-based), as bytes."""
        length, start = int(self._lengths[i]), int(self._starts[i])
        data = os.pread(self._descriptors[self._shards[i]], length, start)
        if len(data) != length:
            raise PipelineError("{} at byte {}: cut off while in use".format(self.name(i), start))
        return data

    def identity(self):
        """What tells this set of records from another, as JSON: their number and a digest of all their lengths."""
        digest = hashlib.sha256(self._lengths.astype("<i8").tobytes()).hexdigest()
        return {"records": len(self), "shards": [os.path.basename(path) for path in self.paths], "lengths": digest}

    def name(self, i):
        """`x-00001-of-00004.tfrecords record 17`, for messages."""
        shard = int(self._shards[i])
        return "{} record {}".format(os.path.basename(self.paths[shard]), i - int(self._firsts[shard]))


def _crc32c_table():
    """Table of the Castagnoli polynomial, reflected (RFC 3720, appendix B.4)."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc32c_table()


def _masked_crc32c(data):
    """CRC-32C of a few bytes, rotated and offset as the TFRecord format asks."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
