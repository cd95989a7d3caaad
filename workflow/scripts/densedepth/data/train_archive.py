"""The training archive `nyu_data.zip`, read member by member and never unpacked.

data/nyu2_train.csv                 no header, `rgb member,depth member` a line
data/nyu2_train/<scene>_out/1.jpg   640x480 JPEG, 8 bit, three components
data/nyu2_train/<scene>_out/1.png   640x480 PNG, 8 bit, one channel, metres = value / 255 * 10
"""

import hashlib
import io
import os
import struct
import zlib
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy
from PIL import Image

from .. import file_names, files
from ..errors import PipelineError
from ..imaging.untrusted import DAMAGE, check_supported, open_image, open_zip, picture, unpacked, visible

TRAIN_CSV = "data/nyu2_train.csv"


class Row(NamedTuple):
    """One pair of the csv: its line number (from 1) and the member names of its two images."""

    number: int
    rgb: str
    depth: str


# Gets (line number, line, error) of each line that names no pair.
Malformed = List[Tuple[int, str, PipelineError]]


class Archive:
    """`nyu_data.zip`, open. A context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._zip = open_zip(path)
        # As of a list of pairs.
        self.sets = [("", 1.0, path)]

    # The depth has 8 bits, see above.
    unit = None
    max_depth = 10.0
    crop = None

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._zip.close()

    def rows(
        self, csv: str = TRAIN_CSV, check_members: bool = True, malformed: Optional[Malformed] = None
    ) -> List[Row]:
        """The `Row`s of the member `csv`: any line ends, blank lines and a header skipped, fields stripped.

        malformed: a list that gets (line number, line, PipelineError) of each line without two fields. Raises
        PipelineError for a missing or empty csv, for such a line without the list, and for a member that is not there
        (without `check_members` reading its pair does that).
        """
        if not self._has(csv):
            raise PipelineError("{}: has no {}{}".format(self.path, csv, self._csv_hint(csv)))
        try:
            text = unpacked(self.path, self._zip, csv).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PipelineError("{}: {} is not text in UTF-8 ({})".format(self.path, csv, error)) from None
        except DAMAGE as error:
            raise PipelineError("{}: {} cannot be read ({}); get the archive again".format(self.path, csv, error))
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or (number == 1 and _is_header(line)):
                continue
            try:
                found.append(self._row(csv, number, line))
            except PipelineError as error:
                if malformed is None:
                    raise
                malformed.append((number, line, error))
                continue
            if check_members:
                self._check_members(found[-1], csv)
        if not found and not malformed:
            raise PipelineError("{}: {} has no rows".format(self.path, csv))
        return found

    def _row(self, csv, number, line):
        fields = [field.strip() for field in line.split(",")]
        if "\0" in line:
            raise PipelineError(
                "{}: row {} of {} holds a NUL byte; save it as text in UTF-8".format(self.path, number, csv)
            )
        if len(fields) != 2 or not all(fields):
            raise PipelineError(
                "{}: row {} of {} is not `rgb member,depth member`: {!r}".format(self.path, number, csv, line[:80])
            )
        return Row(number, *fields)

    def _has(self, member):
        try:
            return bool(self._zip.getinfo(member))
        except KeyError:
            return False

    def _check_members(self, row, csv=TRAIN_CSV):
        for member in (row.rgb, row.depth):
            if not self._has(member):
                raise PipelineError(
                    "{}: row {} of {} names {}, which the archive does not have{}".format(
                        self.path, row.number, csv, member, self._member_hint(member)
                    )
                )
            check_supported(self.path, self._zip.getinfo(member))

    def _csv_hint(self, csv):
        elsewhere = sorted(name for name in visible(self._zip) if name.endswith(os.path.basename(csv)))
        if elsewhere:
            return (
                "; it has {}: was it zipped again without its folder, or within another? Names start with data/".format(
                    elsewhere[0]
                )
            )
        found = sorted(visible(self._zip))
        listed = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        return "; its {} members: {}".format(len(found), listed or "none")

    def _member_hint(self, member):
        near = file_names.nearest(member, visible(self._zip))
        if near:
            return "; did you mean {}?{}".format(near, file_names.form_hint(member, near))
        inner = member.partition("/")[2]
        if inner and self._has(inner):
            return " (it has {}: was it zipped again without the folder {}/?)".format(inner, member.partition("/")[0])
        tail = "/" + member
        for name in visible(self._zip):
            if name.endswith(tail):
                return " (it has {}: was it zipped again within another folder?)".format(name)
        return "; the csv and the images do not match, or the archive is incomplete: get it again"

    def identity(self) -> Dict[str, Any]:
        """What tells this archive from another, as JSON: a digest of names, sizes and CRC-32 of its members.

        That of all bytes would read some GB once more; the CRC-32 is checked whenever a member is read.
        """
        digest = hashlib.sha256()
        for name, size, crc in sorted((info.filename, info.file_size, info.CRC) for info in self._zip.infolist()):
            digest.update("{}\n{} {:08x}\n".format(name, size, crc).encode("utf-8", "surrogatepass"))
        return {"members_sha256": digest.hexdigest()}

    def state(self, rows: Iterable[Row]) -> str:
        """Text that differs once the archive was changed."""
        return files.state([self.path])

    def pair(self, row: Row, check: bool = False) -> Tuple[bytes, bytes, Tuple[int, int]]:
        """(JPEG bytes, PNG bytes, (height, width)) of `row`, checked by the headers; with `check` by all pixels.

        Raises PipelineError with row and member for a damaged member, one that is not an image of the expected
        kind, 16-bit depth, and sizes that differ.
        """
        self._check_members(row)
        rgb = self._read(row, row.rgb)
        depth = self._read(row, row.depth)
        rgb_size = _jpeg_size(rgb, self._where(row, row.rgb))
        depth_size = _png_size(depth, self._where(row, row.depth))
        if rgb_size != depth_size:
            raise PipelineError(
                "{}: is {}, but its depth {} is {}; the two must have one size".format(
                    self._where(row, row.rgb), size_text(rgb_size), row.depth, size_text(depth_size)
                )
            )
        if check:
            self._decoded(row, row.rgb, rgb, rgb_size + (3,))
            self._decoded(row, row.depth, depth, rgb_size)
        return rgb, depth, rgb_size

    def arrays(self, row: Row) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """(rgb uint8 (H, W, 3), depth float32 (H, W) in metres) of `row`; raises as `pair` does."""
        rgb, depth, size = self.pair(row)
        depth = self._decoded(row, row.depth, depth, size).astype(numpy.float32) * numpy.float32(10 / 255)
        return self._decoded(row, row.rgb, rgb, size + (3,)), depth

    def look(self, row: Row) -> Tuple[numpy.ndarray, numpy.ndarray, int]:
        """What `arrays` gives, and the number of pixels that are unknown for being too far: none, by the 8 bits."""
        return self.arrays(row) + (0,)

    def _decoded(self, row, member, data, shape):
        """The pixels, which are of `shape` as the first header says; Pillow goes by the last one."""
        try:
            pixels = numpy.asarray(picture(data))
        except DAMAGE + (SyntaxError, ValueError) as error:
            raise PipelineError(
                "{}: its pixels cannot be decoded ({}); get the archive again".format(self._where(row, member), error)
            ) from None
        if pixels.shape != shape or pixels.dtype != numpy.uint8:
            words = "{}: its pixels are {} {}, where its header says {} uint8; get the archive again"
            raise PipelineError(words.format(self._where(row, member), pixels.shape, pixels.dtype, shape))
        return pixels

    def _read(self, row, member):
        try:
            return unpacked(self.path, self._zip, member)
        except DAMAGE as error:
            raise PipelineError(
                "{}: damaged member ({}); get the archive again".format(self._where(row, member), error)
            ) from None

    def _where(self, row, member):
        return "{}: row {}, {}".format(self.path, row.number, member)


def _is_header(line):
    """Whether the first line of a csv of pairs names its columns: members have a suffix, or a folder before them."""
    fields = line.split(",")
    return len(fields) == 2 and not any("." in field or "/" in field for field in fields)


def size_text(size: Sequence[int]) -> str:
    """(height, width) as `640x480`, the way images are described."""
    return "{1}x{0}".format(*size)


def _jpeg_size(data, where):
    size = _quick_jpeg_size(data)
    if size is None:
        image = _open(data, where, "a JPEG image")
        if image.format != "JPEG":
            raise PipelineError("{}: expected a JPEG image, got {}".format(where, image.format))
        if image.mode != "RGB":
            raise PipelineError(
                "{}: expected three components of 8 bit (RGB), got a JPEG of mode {}".format(where, image.mode)
            )
        size = image.size[::-1]
    # Entropy-coded data never holds this pair of bytes, so its absence means that the end is missing.
    if data.rfind(b"\xff\xd9") < 0:
        raise PipelineError("{}: the JPEG ends early (no end marker); get the archive again".format(where))
    return size


def _quick_jpeg_size(data):
    """(height, width) of an ordinary JFIF or Exif file of three components of 8 bit; None where Pillow is to look.

    Pillow's look at a header takes as long as reading the member. Segments are a marker, their length and content; that
    of the frame (C0: baseline, C2: progressive) has the size. From ITU-T T.81, annex B.
    """
    place = 2
    while data[:2] == b"\xff\xd8" and place + 10 <= len(data) and data[place] == 0xFF:
        marker, length = struct.unpack_from(">BH", data, place + 1)
        if marker in (0xC0, 0xC2):
            bits, height, width, components = struct.unpack_from(">BHHB", data, place + 4)
            usual = (bits, components) == (8, 3) and 0 < height * width <= Image.MAX_IMAGE_PIXELS
            return (height, width) if usual else None
        # Application data other than JFIF and Exif may change the meaning of the components; frames of other kinds.
        if not (0xE0 <= marker <= 0xE1 or marker in (0xDB, 0xC4, 0xFE)):
            return None
        place += 2 + length
    return None


def _png_size(data, where):
    # The header as the format has it, with its checksum; Pillow says what else it is.
    if data[:16] != b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" or zlib.crc32(data[12:29]) != _number(data[29:33]):
        image = _open(data, where, "a PNG image")
        raise PipelineError("{}: expected an 8-bit PNG of depth, got {}".format(where, image.format))
    height, width, bits, colour = _number(data[20:24]), _number(data[16:20]), data[24], data[25]
    if bits == 16:
        raise PipelineError(
            "{}: expected 8-bit depth (metres = value / 255 * 10), got 16-bit; the 16-bit millimetres of "
            "data/nyu2_test are not training data".format(where)
        )
    if colour != 0 or bits != 8:
        raise PipelineError(
            "{}: expected one channel of 8 bit, got a PNG of mode {} with {} bit".format(
                where, _open(data, where, "a PNG image").mode, bits
            )
        )
    if height * width > Image.MAX_IMAGE_PIXELS:
        _open(data, where, "a PNG image")
    if b"IEND" not in data[-64:]:
        raise PipelineError("{}: the PNG ends early (no end chunk); get the archive again".format(where))
    return height, width


def _number(data):
    return int.from_bytes(data, "big")


def _open(data, where, kind):
    """The image in `data` with its header read; Pillow decodes pixels only when asked."""
    try:
        return open_image(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise PipelineError("{}: has {}".format(where, error)) from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError):
        raise PipelineError(
            "{}: not an image ({} bytes, starting {!r}); expected {}".format(where, len(data), data[:8], kind)
        ) from None
