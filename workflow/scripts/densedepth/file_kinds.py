"""Recognition of a file's kind by its first bytes, for error messages."""

import struct
from typing import Optional

from .errors import PipelineError

_MAGIC = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x8b", "packed by gzip"),
    (b"BZh", "packed by bzip2"),
    (b"\xfd7zXZ\0", "packed by xz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"GGUF", "a GGUF file"),
    (b"\x80\x02\x8a\x0al\xfc\x9cF", "a PyTorch file"),
    *((b"\x80" + start, "a pickle") for start in (b"\4\x95", b"\5\x95", b"\2}", b"\2c", b"\3}", b"\3c")),
    (b"version https://git-lfs.github.com/spec", "a pointer of Git LFS (git lfs pull brings the file)"),
)
_TAR = 257, b"ustar"
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title", b"<meta")
# What a zip file is by its first member: the end of the name, and words.
_ZIP = b"PK\x03\x04"
_MEMBERS = (
    (b"metadata.json", "a .keras file of Keras 3"),
    (b"config.json", "a .keras file of Keras 3"),
    (b"model.weights.h5", "a .keras file of Keras 3"),
    (b"/data.pkl", "a PyTorch file"),
)
# What to do with a network in a file of another kind.
_ADVICE = {
    "a web page": "fetch it again",
    "a .keras file of Keras 3": 'save it in the other form: keras.models.load_model("x.keras").save("x.h5")',
    "a safetensors file": "import_model.py makes a checkpoint of a whole network",
    "a PyTorch file": "import_model.py makes a checkpoint of a whole network",
    "a pickle": "that may run any code and is not read; save the weights by torch.save or as .safetensors",
    "an HDF5 file": "import_model.py makes a checkpoint of a whole Keras model",
}
_ARCHIVES = ("a 7z archive", "a RAR archive", "a tar archive")


def of(head: bytes) -> Optional[str]:
    """What begins with `head` (the first 1024 bytes of the file), in words after "is"; None for what is not known."""
    if web_page(head):
        return "a web page"
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if head.startswith(_ZIP):
        return _zip_of(head)
    if len(head) > 10 and struct.unpack_from("<Q", head)[0] < 1 << 32 and head[8:10] == b'{"':
        return "a safetensors file"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite file"
    place, magic = _TAR
    return "a tar archive" if head[place : place + len(magic)] == magic else None


def _zip_of(head: bytes) -> str:
    """What a zip file is whose first member is named in `head`."""
    length = struct.unpack_from("<H", head, 26)[0] if len(head) >= 30 else 0
    name = head[30 : 30 + length]
    return next((words for end, words in _MEMBERS if name.endswith(end)), "a zip file")


def refuse(path: str, wanted: str) -> None:
    """Raise PipelineError, with the way out, when the file at `path` is a known kind of file; `wanted` is another."""
    with open(path, "rb") as stream:
        kind = of(stream.read(1024))
    if kind:
        advice = _ADVICE.get(kind) or "take another file"
        raise PipelineError("{}: is {}, expected {}; {}".format(path, kind, wanted, advice))


def packed(words: Optional[str]) -> bool:
    """Whether what `of` says is another kind of archive, which 7z can unpack."""
    return words is not None and (words in _ARCHIVES or words.startswith("packed by"))


def web_page(head: bytes) -> bool:
    """Whether these are the first bytes of a page of HTML: a server's error, a login, a question."""
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    while text.startswith(b"<!--") and b"-->" in text:
        text = text.partition(b"-->")[2].lstrip()
    return text.startswith(_PAGE) or (text.startswith(b"<?xml") and b"<html" in text)
