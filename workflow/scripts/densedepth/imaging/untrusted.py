"""Opening images, zip archives and arrays of unknown origin, within limits of their size."""

import contextlib
import errno
import io
import os
import shlex
import struct
import warnings
import zipfile
import zlib
from typing import BinaryIO, List, Union

from PIL import Image, UnidentifiedImageError

from .. import file_kinds, file_names
from ..errors import PipelineError

# Bytes of a member, unpacked, and of an image of the test set: far more than any has, so that an archive made to fill
# the memory is refused.
LARGEST = 256 << 20

# What zipfile and zlib raise on damaged, encrypted or unsupported members.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, OSError)


def open_zip(path: str) -> zipfile.ZipFile:
    """`path` as an open ZipFile. Raises PipelineError when it is missing, cut off or not a zip."""
    if os.path.isdir(path):
        raise PipelineError("{}: expected a zip file, got a folder; {}".format(path, _zip_again(path)))
    if not os.path.isfile(path):
        advice = file_names.hint(path) or "; download the archive or put it there by hand"
        raise PipelineError("{}: no such file{}".format(path, advice))
    try:
        archive = zipfile.ZipFile(path)
        _check_part(path, archive)
        return archive
    except DAMAGE + (ValueError,) as error:
        # A directory that should begin before the file does is an invalid argument to the system.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise PipelineError("{}: cannot be read ({})".format(path, error.strerror)) from None
        _check_part(path)
        _check_kind(path)
        raise PipelineError(
            "{}: truncated, or not a zip file ({}; {} bytes); get the archive again".format(
                path, error, os.path.getsize(path)
            )
        ) from None


def _check_kind(path):
    """Raise PipelineError for a file that is no zip file, but something else that is known."""
    with open(path, "rb") as stream:
        head = stream.read(1024)
    kind = file_kinds.of(head)
    # A zip file that cannot be opened is a damaged one.
    if kind and not head.startswith(b"PK"):
        advice = "get the archive again"
        if kind.startswith("packed by"):
            # What comes out may be a zip file, or a tar archive, which has advice of its own.
            name = os.path.splitext(os.path.basename(path))[0] + "_unpacked.zip"
            advice = "unpack it: 7z x -so {} > {}".format(shlex.quote(path), shlex.quote(name))
        elif file_kinds.packed(kind):
            advice = _zip_again(path)
        raise PipelineError("{}: expected a zip file, got {}; {}".format(path, kind, advice))


def _check_part(path, archive=None):
    """Raise PipelineError for the last of several files that one archive was split into; it may be no zip by itself."""
    stem = os.path.splitext(path)[0]
    if os.path.exists(stem + ".z01") or (archive and any(info.volume for info in archive.infolist())):
        if archive:
            archive.close()
        raise PipelineError(
            "{}: is one part of a split archive ({}.z01, ...); join them: zip -s 0 {} --out {}".format(
                path, os.path.basename(stem), shlex.quote(path), shlex.quote(stem + "_joined.zip")
            )
        )


def check_supported(path: str, info: zipfile.ZipInfo) -> None:
    """Raise PipelineError for a member (ZipInfo) of the zip file at `path` that is packed in a way not read here."""
    if info.flag_bits & _ENCRYPTED or info.compress_type == _AES:
        reason = "is encrypted"
    elif info.compress_type in _UNSUPPORTED and info.compress_type not in _SUPPORTED:
        reason = "is compressed by {}".format(_UNSUPPORTED[info.compress_type])
    else:
        return
    words = "{}: {} {}, which is not read here (the archive may well be whole); {}"
    raise PipelineError(words.format(path, info.filename, reason, _zip_again(path)))


# From APPNOTE.TXT of PKWARE, 4.4.4 and 4.4.5. Python reads more with each of its versions, and less where it was built
# without a library.
_ENCRYPTED = 0x1
_AES = 99
_UNSUPPORTED = {
    9: "Deflate64, as Windows Explorer does beyond 2 GB",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
}
_SUPPORTED = [
    method
    for method, library in ((12, "bz2"), (14, "lzma"), (getattr(zipfile, "ZIP_ZSTANDARD", None), "zstd"))
    if getattr(zipfile, library, None) is not None
]


def _zip_again(path):
    """Commands that make a zip file, as it is read here, of the folder or archive at `path`."""
    stem = os.path.splitext(os.path.basename(os.path.abspath(path)))[0]
    folder, out = shlex.quote(stem + "_unpacked"), shlex.quote("../{}_again.zip".format(stem))
    if os.path.isdir(path):
        return "zip what is in it: cd {} && zip -r {} .".format(shlex.quote(path), out)
    return "unpack it and zip it again: 7z x -o{} {} && cd {} && zip -r {} .".format(
        folder, shlex.quote(path), folder, out
    )


def unpacked(path: str, archive: zipfile.ZipFile, member: str, largest: int = LARGEST) -> bytes:
    """The bytes of `member` of the open ZipFile `archive`, which lies at `path`.

    Raises PipelineError when they are more than `largest` or packed in a way that is not read here, and what is in
    `DAMAGE`.
    """
    info = archive.getinfo(member)
    check_supported(path, info)
    # zipfile never gives more than the size that the member's entry tells.
    size = info.file_size
    if size > largest:
        raise PipelineError(
            "{}: {} would have {} bytes unpacked, more than {}: not an archive of images".format(
                path, member, size, largest
            )
        )
    return archive.read(member)


def open_image(source: Union[str, BinaryIO]) -> Image.Image:
    """`Image.open(source)`, without its warning of large images, and in plain words of those that it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(source)
        except Image.DecompressionBombError:
            limit = round(2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6)
            raise Image.DecompressionBombError("more than {} megapixels".format(limit)) from None
        except UnidentifiedImageError:
            raise UnidentifiedImageError("cannot identify its format" + _what_else(source)) from None


def picture(data: bytes) -> Image.Image:
    """The image in `data`, its pixels decoded. Raises what Pillow does, and OSError for a PNG without its last rows."""
    image = open_image(io.BytesIO(data))
    # Here, since NumPy keeps the error to itself.
    image.load()
    # What is missing Pillow leaves 0 without a word, so that no other file has to be inflated again.
    last_row = (0, image.height - 1, image.width, image.height)
    if image.format == "PNG" and not any(image.crop(last_row).tobytes()):
        _check_rows(data)
    return image


# Values of a pixel by the kind of colours of a PNG.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def _check_rows(data):
    """Raise OSError where a PNG, which can be decoded, has fewer bytes of rows than its header asks for.

    Interlaced ones, whose rows come in seven parts, are not looked at.
    """
    place, name, header, parts = 8, b"", b"", []
    while name != b"IEND" and place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + 8 + length]
        if name == b"IDAT":
            parts.append(content)
        elif name == b"IHDR":
            header = content
        place += length + 12
    width, height, bits, colours, _, _, interlaced = struct.unpack_from(">IIBBBBB", header)
    expected = height * (1 + -(-width * bits * _CHANNELS[colours] // 8))
    found = len(zlib.decompressobj().decompress(b"".join(parts), expected))
    if found < expected and not interlaced:
        raise OSError("{} of {} bytes of rows are there".format(found, expected))


def _what_else(source):
    """What a file that is no image is, for messages."""
    with open(source, "rb") if isinstance(source, str) else contextlib.nullcontext(source) as stream:
        stream.seek(0)
        head = stream.read(1024)
    kind = file_kinds.of(head) if head else "empty"
    return ": it is {}".format(kind) if kind else ""


def visible(archive: zipfile.ZipFile) -> List[str]:
    """The names of the members of an open ZipFile without hidden ones, such as macOS' `__MACOSX/._1.jpg`."""
    return [name for name in archive.namelist() if not any(map(file_names.hidden, name.split("/")))]
