"""Recognition of a file's kind by its first bytes, for error messages."""

from typing import Optional

_MAGIC = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x8b", "packed by gzip"),
    (b"BZh", "packed by bzip2"),
    (b"\xfd7zXZ\0", "packed by xz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"version https://git-lfs.github.com/spec", "a pointer of Git LFS (git lfs pull brings the file)"),
)
_TAR = 257, b"ustar"
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title", b"<meta")
_ARCHIVES = ("a 7z archive", "a RAR archive", "a tar archive")


def of(head: bytes) -> Optional[str]:
    """What begins with `head` (the first 1024 bytes of the file), in words after "is"; None for what is not known."""
    if web_page(head):
        return "a web page"
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    place, magic = _TAR
    return "a tar archive" if head[place : place + len(magic)] == magic else None


def packed(words: Optional[str]) -> bool:
    """Whether what `of` says is another kind of archive, which 7z can unpack."""
    return words is not None and (words in _ARCHIVES or words.startswith("packed by"))


def web_page(head: bytes) -> bool:
    """Whether these are the first bytes of a page of HTML: a server's error, a login, a question."""
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    while text.startswith(b"<!--") and b"-->" in text:
        text = text.partition(b"-->")[2].lstrip()
    return text.startswith(_PAGE) or (text.startswith(b"<?xml") and b"<html" in text)
