"""File names: which files of a folder are read, suggestions for a missing file, how names are shown.

The rule for what is hidden: files and folders whose name begins with a dot, and the folders that systems keep for
themselves. It holds for what is found, below a folder or by a pattern; what is named itself is always taken.
"""

import collections
import os
import re
import unicodedata
from typing import Any, Collection, Counter, Dict, Iterable, Iterator, List, Optional, Tuple

# Folders of Synology's previews, macOS' archives, Windows' and Linux' bins; all others begin with a dot.
_SYSTEM = ("@eadir", "__macosx", "$recycle.bin", "system volume information", "#recycle", "lost+found")


def hidden(name: str) -> bool:
    """Whether a file or folder of this name, without folders before it, is never found."""
    return name.startswith(".") or name.lower() in _SYSTEM


def files_below(folder: str, deep: bool = True, above: Tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the paths of the files in `folder`, by name, and with `deep` in the folders below; none that is hidden.

    Links to folders are followed, but not those that lead back up. above: the real paths of the folders that `folder`
    is in.
    """
    above += (os.path.realpath(folder),)
    with os.scandir(folder) as entries:
        found = sorted((entry for entry in entries if not hidden(entry.name)), key=lambda entry: entry.name)
    for entry in found:
        # Unlike that of the entry, this answer is no error for a link to itself.
        if not (os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()):
            yield entry.path
        elif deep and os.path.realpath(entry.path) not in above:
            yield from files_below(entry.path, deep, above)


def natural(path: str) -> List[Any]:
    """The key that sorts names by the numbers in them: frame2 before frame10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path)]


def left_out(folder: str, suffixes: Collection[str], deep: bool = True) -> Optional[str]:
    """One line on the files in `folder` that have none of `suffixes`, so that none is left out unseen; None without."""
    counts: Counter[str] = collections.Counter()
    for path in files_below(folder, deep):
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in suffixes:
            counts[suffix or "without suffix"] += 1
    if not counts:
        return None
    listed = ["{} {}".format(count, suffix) for suffix, count in sorted(counts.items(), key=lambda item: -item[1])]
    more = ", ..." if len(listed) > 8 else ""
    example = max(counts, key=lambda suffix: (suffix in CONVERTED, counts[suffix]))
    advice = ""
    if example in CONVERTED:
        advice = "; convert them first, e.g. magick mogrify -format png '*{}'".format(example)
    words = "{}: left out are {}{}, since only {} are read{}"
    return words.format(folder, ", ".join(listed[:8]), more, " ".join(suffixes), advice)


# What is taken for a video; not .ts and .mts, on which the ffmpeg of the package imageio-ffmpeg may crash.
VIDEOS = (".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv")

# Formats of pictures that some programs or all do not look for, and that ImageMagick converts.
CONVERTED = (
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".tga"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef"),
)


def alike(name: str) -> str:
    """What names have in common that are easily mixed up: Unicode form, case, slashes, spaces around, .jpg or .jpeg."""
    composed = unicodedata.normalize("NFC", name.replace("\\", "/").strip())
    while composed.startswith(("/", "./")):
        composed = composed[1:]
    folded = unicodedata.normalize("NFC", composed.casefold())
    return folded[: -len(".jpeg")] + ".jpg" if folded.endswith(".jpeg") else folded


def nearest(name: str, others: Iterable[str]) -> Optional[str]:
    """The one of `others` that is `alike` to `name`; None if there is none, or several.

    Nothing else is guessed: 17.jpg is another picture than 18.jpg, and 17.png may be its depth.
    """
    wanted = alike(name)
    twins = [other for other in others if alike(other) == wanted]
    return twins[0] if len(twins) == 1 else None


def hint(path: str, base: str = "") -> str:
    """What to say after "`path` is not there": `; did you mean X?` of one that is, or nothing.

    base: the folder from which paths start, where a leading / is one too much.
    """
    if "\0" in path or os.path.lexists(path):
        return ""
    found = _near(path)
    if not found and path.startswith("/"):
        found = _near(os.path.join(base, path.lstrip("/")))
    return "; did you mean {}?{}".format(found, form_hint(path, found)) if found else ""


def form_hint(name: str, found: str) -> str:
    """What must be said of two names that look alike: that the letters are the same in another Unicode form."""
    same = name != found and unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", found)
    return " (the same letters in another Unicode form: rename the file or type the name again)" if same else ""


def _near(path):
    """A path that is there, each part of which is `nearest` to that of `path`; None without."""
    found = "/" if path.startswith("/") else ""
    for part in path.replace("\\", "/").split("/"):
        if part in ("", "."):
            continue
        if os.path.lexists(os.path.join(found, part)):
            found = os.path.join(found, part)
            continue
        try:
            twin = nearest(part, os.listdir(found or "."))
        except OSError:
            return None
        if twin is None:
            return None
        found = os.path.join(found, twin)
    return found or None


def of_image(image: Dict[str, Any], otherwise: str = "image {}") -> str:
    """What an entry of `per_image`, or a scene of a gallery, is called: its name, or its number in `otherwise`."""
    return str(image["name"]) if image.get("name") else otherwise.format(image["index"])


def shown(paths: Iterable[str]) -> List[str]:
    """What `paths` are called where people read: the names of the files, with folders where two have one name."""
    paths = ["".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in path) for path in paths]
    short = [os.path.basename(path) for path in paths]
    if len(set(short)) == len(short):
        return short
    # Not os.path.commonpath, which refuses absolute beside relative paths.
    parts = [path.split("/") for path in paths]
    common = 0
    while len({tuple(one[: common + 1]) for one in parts}) == 1 and all(len(one) > common + 1 for one in parts):
        common += 1
    return ["/".join(one[common:]) for one in parts]
