"""The evaluation archive `nyu_test.zip`, streamed: three NumPy arrays.

eigen_test_rgb.npy     (654,480,640,3)  uint8, or floats of 0..255
eigen_test_depth.npy   (654,480,640)    floats, metres, above zero
eigen_test_crop.npy    (4,)             integers: first row, last row, first column, last column, all inclusive
pictures.json          only in archives made of custom data: the greatest depth, whether 0 means invalid depth, the
                       files of the images, and the faulty pairs that were left out. Of images at their own sizes
                       also these, in whose upper left corner of the arrays they lie, and what networks see of them
"""

import contextlib
import io
import os
import struct
import tokenize
import zipfile
from typing import IO, Any, Iterator, List, Optional, Tuple

import numpy

from .. import file_names, files, metadata
from ..errors import PipelineError
from ..imaging.depth import LIMITS_M, STRETCHED, Framing
from ..imaging.untrusted import DAMAGE, LARGEST, check_supported, open_zip, unpacked, visible
from .test_archive_writer import CROP, DEPTH, PICTURES, RGB

# Bytes read at once where only the checksum counts.
_PIECE = 1 << 20

# `pictures.json`, as far as it is used.
SCHEMA = {
    "max_depth_m": metadata.Number(1e-3, 1000),
    "holes": bool,
    "rgb?": [metadata.Text()],
    "sizes?": [metadata.PICTURE_SIZE],
    "window?": metadata.Null(metadata.PICTURE_SIZE),
    "skipped?": [{"row": metadata.COUNT, "rgb": metadata.Text(), "problem": str}],
}


def open_test_set(path: str) -> "TestSet":
    """The archive at `path` as a `TestSet`, shapes, dtypes and crop checked. Raises PipelineError naming the array."""
    archive = open_zip(path)
    try:
        return TestSet(path, archive)
    except BaseException:
        archive.close()
        raise


class TestSet:
    """Images with true depth, in the archive's order. A context manager; may be read any number of times.

    `count` images of `image_size` (height, width); `crop` = (top, bottom, left, right), inclusive, is the part of each
    image that evaluation looks at. `limits` are the nearest and farthest depth, in metres, that a prediction takes;
    with `holes` a depth of 0 means that it is not known. `names`: what the images are called, None where the archive
    does not say. `skipped`: the faulty pairs that are not in the archive, as [{row, rgb, problem}]. `sizes`: those of
    images at their own sizes, else None; `image_size` is then the largest of each length, and `crop` ends with the
    image. `framing`: how the images get into a network's input.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name

    def __init__(self, path: str, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._zip = archive
        self._rgb = _Array(path, archive, RGB)
        self._depth = _Array(path, archive, DEPTH)
        crop = _Array(path, archive, CROP)

        rgb, depth = self._rgb, self._depth
        if len(rgb.shape) != 4 or rgb.shape[3] != 3 or min(rgb.shape) < 1:
            raise rgb.error("expected shape (images, height, width, 3), got {}", rgb.shape)
        if rgb.dtype != numpy.uint8 and rgb.dtype.kind != "f":
            raise rgb.error("expected dtype uint8 or floating point, got {}", rgb.dtype)
        if len(depth.shape) != 3:
            raise depth.error("expected shape (images, height, width), got {}", depth.shape)
        if depth.dtype.kind != "f":
            raise depth.error("expected floating point (metres), got dtype {}", depth.dtype)
        if depth.shape != rgb.shape[:3]:
            raise depth.error("has shape {}, which does not fit {} of shape {}", depth.shape, RGB, rgb.shape)
        self.count = rgb.shape[0]
        self.image_size = rgb.shape[1:3]
        self.crop = self._read_crop(crop)
        self.sizes: Optional[List[Tuple[int, int]]] = None
        self.framing = STRETCHED
        self.limits, self.holes, self.names, self.skipped = self._read_pictures()

    def __enter__(self) -> "TestSet":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._rgb.close()
        self._depth.close()
        self._zip.close()

    def _read_crop(self, crop):
        if crop.shape != (4,) or crop.dtype.kind not in "iu":
            raise crop.error(
                "expected four integers (top, bottom, left, right), got shape {} and dtype {}",
                crop.shape,
                crop.dtype,
            )
        with crop.open() as stream:
            top, bottom, left, right = (int(value) for value in crop.read(stream, 4, "the crop"))
        height, width = self.image_size
        if not (0 <= top <= bottom < height and 0 <= left <= right < width):
            raise crop.error(
                "rows {}..{}, columns {}..{} do not lie within an image of {} rows and {} columns",
                *(top, bottom, left, right, height, width),
            )
        return top, bottom, left, right

    def _read_pictures(self):
        if PICTURES not in self._zip.namelist():
            return LIMITS_M, False, None, []
        source = "{}: {}".format(self.path, PICTURES)
        try:
            facts = files.parse_json(unpacked(self.path, self._zip, PICTURES).decode("utf-8"), source)
        except DAMAGE + (ValueError,) as error:
            raise PipelineError("{}: cannot be read ({})".format(source, str(error).split("\n")[0])) from None
        metadata.check(source, facts, SCHEMA)
        self._take_sizes(source, facts)
        limits = (LIMITS_M[0], float(facts["max_depth_m"]))
        return limits, facts["holes"], self._names(facts.get("rgb")), facts.get("skipped", [])

    def _take_sizes(self, source, facts):
        if "sizes" not in facts:
            return
        self.sizes = [(height, width) for height, width in facts["sizes"]]
        largest = tuple(max(lengths) for lengths in zip(*self.sizes))
        if len(self.sizes) != self.count or largest != tuple(self.image_size):
            words = "{}: sizes are not those of {} images of up to {}x{}; write the test set again"
            raise PipelineError(words.format(source, self.count, *self.image_size))
        self.framing = Framing(True, tuple(facts["window"]) if facts.get("window") else None)

    def size_of(self, index: int) -> Tuple[int, int]:
        """(height, width) of the image."""
        return self.sizes[index] if self.sizes else (self.image_size[0], self.image_size[1])

    def groups(self, batch_size: int) -> List[List[int]]:
        """The indices of each of the `batches`: at most so many images, of one size."""
        found: List[List[int]] = []
        for index in range(self.count):
            if found and len(found[-1]) < batch_size and self.size_of(index) == self.size_of(found[-1][0]):
                found[-1].append(index)
            else:
                found.append([index])
        return found

    def _names(self, paths):
        """What the images are called, of the value of `rgb` in `pictures.json`; None where there is none."""
        if paths is None:
            return None
        if len(paths) != self.count:
            words = "{}: {}: rgb does not name {} files, one for each image; write the test set again"
            raise PipelineError(words.format(self.path, PICTURES, self.count))
        return file_names.shown(paths)

    def batches(self, batch_size: int, holes: bool = False) -> Iterator[Tuple[numpy.ndarray, numpy.ndarray, List[int]]]:
        """Yield (rgb uint8 (n,H,W,3), depth float32 (n,H,W) in metres, [indices]); any of the `groups` may be short.

        One pass over the archive; only one batch is in memory. Raises PipelineError, naming array and image, for values
        that are not finite, depths that are not above zero (with `holes`, here or of the archive, such depths are
        passed on), and a damaged archive.
        """
        with self._rgb.open() as rgb_stream, self._depth.open() as depth_stream:
            for indices in self.groups(batch_size):
                rgb, depth = self._read(indices, rgb_stream, depth_stream, holes)
                yield rgb, depth, indices
            self._rgb.end(rgb_stream)
            self._depth.end(depth_stream)

    def image(self, index: int, holes: bool = False) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """(rgb, depth) of the image of this number, as `batches(1, holes)` give them.

        Of an array that is stored without compression only that image is read. In another one what lies before it is
        unpacked, but for what an earlier call has: ask in rising order. `check_sums` compares the archive's checksums.
        Raises PipelineError as `batches` does, and for a number that no image has.
        """
        if not 0 <= index < self.count:
            raise PipelineError("{}: has no image {}, only {}".format(self.path, index, self.count))
        return self._read([index], self._rgb.at(index), self._depth.at(index), holes)

    def check_sums(self) -> None:
        """Compare the archive's checksums, as a pass of `batches` does, where figures are made of single images.

        Raises PipelineError naming the array that is damaged.
        """
        for array in (self._rgb, self._depth):
            with array.open() as stream:
                array.end(stream)

    def _read(self, indices, rgb_stream, depth_stream, holes):
        """(rgb, depth) of the images, which are the next of the streams."""
        name, (height, width) = "image {}".format(indices[0]), self.size_of(indices[0])
        rgb = self._rgb.read(rgb_stream, len(indices), name)[:, :height, :width]
        depth = self._depth.read(depth_stream, len(indices), name)[:, :height, :width]
        return self._pixels(rgb, indices), self._metres(depth, indices, holes or self.holes)

    def _pixels(self, rgb, indices):
        if rgb.dtype == numpy.uint8:
            return rgb
        for image, index in zip(rgb, indices):
            # Written so that NaN fails too.
            if not (image.min() >= 0 and image.max() <= 255):
                raise self._rgb.error("image {}: values beyond 0..255", index)
        if rgb.max() <= 1:
            raise self._rgb.error("image {}: expected values in 0..255, got 0..1", indices[0])
        return numpy.floor(rgb + 0.5).astype(numpy.uint8)

    def _metres(self, depth, indices, holes):
        depth = depth.astype(numpy.float32)
        if holes:
            return depth
        for image, index in zip(depth, indices):
            if not (image.min() > 0 and image.max() < numpy.inf):
                raise self._depth.error(
                    "image {}: depths that are not finite and above zero (only a masked protocol takes invalid depths)",
                    index,
                )
        return depth


class _Array:
    """One .npy member: header read at once, values read in order from a stream."""

    def __init__(self, path, archive, name):
        # That of `at`, and what closes it.
        self._stream: Any = None
        self._opened = contextlib.ExitStack()
        self.path = path
        self.name = name
        self._zip = archive
        self._info = self._find(archive, name)
        with self.open() as stream:
            offset = stream.tell()
        expected = offset + self._count() * self.dtype.itemsize
        if self._info.file_size != expected:
            raise self.error(
                "has {} bytes, where shape {} and dtype {} make {}; the array is cut off or damaged",
                *(self._info.file_size, self.shape, self.dtype, expected),
            )

        image = expected // max(1, int(self.shape[0])) if self.shape else expected
        if image > LARGEST:
            raise self.error("an image has {} bytes, more than {}", image, LARGEST)

    def _find(self, archive, name):
        """The member `name`, at the top or in exactly one folder."""
        found = [info for info in archive.infolist() if info.filename.split("/")[-1] == name]
        top = [info for info in found if info.filename == name]
        if len(top or found) == 1:
            return (top or found)[0]
        if found:
            raise self.error("is there {} times: {}", len(found), ", ".join(info.filename for info in found))
        members = sorted(visible(archive))
        listed = ", ".join(members[:5]) + (", ..." if len(members) > 5 else "")
        raise self.error("is not in the archive; its {} members: {}", len(members), listed or "none")

    def error(self, text, *values):
        return PipelineError("{}: {}: {}".format(self.path, self.name, text.format(*values)))

    def _count(self):
        count = 1
        for length in self.shape:
            count *= int(length)
        return count

    def open(self):
        """A stream of the values; `shape` and `dtype` are those of its header."""
        check_supported(self.path, self._info)
        try:
            stream = self._zip.open(self._info)
            version = numpy.lib.format.read_magic(stream)
            # The others are for headers beyond 64 KB, which no array of images has.
            if version != (1, 0):
                raise ValueError("format {}.{}".format(*version))
            self.shape, fortran_order, self.dtype = numpy.lib.format.read_array_header_1_0(stream)
        except DAMAGE + (ValueError, OverflowError, tokenize.TokenError) as error:
            raise self.error("not a NumPy array that can be read ({})", error) from None
        if self.dtype.hasobject:
            raise self.error("has dtype object, which is never loaded")
        if fortran_order and len(self.shape) > 1:
            raise self.error("expected C order, got Fortran order; save numpy.ascontiguousarray of it")
        return stream

    def read(self, stream, count, what):
        """The next `count` entries along the first axis, as a new array."""
        shape = (count,) + tuple(self.shape[1:])
        size = self.dtype.itemsize
        for length in shape:
            size *= int(length)
        try:
            data = _read_exactly(stream, size)
        except DAMAGE as error:
            raise self.error("{}: cannot be read ({}); get the archive again", what, error) from None
        return numpy.frombuffer(data, self.dtype).reshape(shape)

    def at(self, index):
        """A stream at this entry along the first axis, which is the same with each call."""
        if self._stream is None:
            self._stream = self._opened.enter_context(self.open())
            self._first = self._stream.tell()
            if self._info.compress_type == zipfile.ZIP_STORED:
                self._stream = self._opened.enter_context(_Elsewhere(self._zip.fp))
                self._first += _first_byte(self._stream, self._info)
        try:
            self._stream.seek(self._first + index * (self._count() // int(self.shape[0])) * self.dtype.itemsize)
        except DAMAGE as error:
            raise self.error("image {}: cannot be read ({}); get the archive again", index, error) from None
        return self._stream

    def close(self):
        self._opened.close()

    def end(self, stream):
        """Read to the end, where the checksum of the whole member is compared."""
        try:
            while stream.read(_PIECE):
                pass
        except DAMAGE as error:
            raise self.error("damaged ({}); get the archive again", error) from None


class _Elsewhere(io.RawIOBase):
    """The bytes of an open file from a place of its own, whatever has the file's name by now."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._place = file, 0

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Read on from the byte of this number; `whence` is as it is."""
        self._place = place
        return place

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the system does at once; the number of bytes, 0 at the end."""
        count = os.preadv(self._file.fileno(), [buffer], self._place)
        self._place += count
        return count


def _first_byte(stream, info):
    """Where the bytes of a stored member begin in its archive, behind a header whose last parts are of any length."""
    stream.seek(info.header_offset + 26)
    return info.header_offset + 30 + sum(struct.unpack("<HH", stream.read(4)))


def _read_exactly(stream, size):
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        read = stream.readinto(view[filled:])
        if not read:
            raise EOFError("the data end after {} of {} bytes".format(filled, size))
        filled += read
    return data
