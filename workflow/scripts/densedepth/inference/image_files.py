"""Reader of photos: files, folders and patterns; any colour mode, bit depth and orientation; animations.

Pillow is imported when an image is read, so that the workflow can look for files without it.
"""

import dataclasses
import glob
import os
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from .. import file_names, files
from ..errors import PipelineError
from ..imaging import upright
from . import prediction_files

# What a folder is searched for. A file that is named is tried whatever its name.
SUFFIXES = (".apng", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")

_NO_IMAGE = "is a result of predict.py and no image"

# Containers whose further images are frames. Others, such as the MPO of phones, keep previews and second views there.
_ANIMATED = ("GIF", "PNG", "TIFF", "WEBP")


@dataclasses.dataclass(frozen=True)
class Frame:
    """One image of a file."""

    # From 1 in an animation, None for a single image.
    number: Optional[int]
    # uint8 (H, W, 3), upright.
    rgb: np.ndarray
    # What had to be done to it, in words, e.g. ["grey of 16 bits", "turned upright"].
    read_as: List[str]


@dataclasses.dataclass(frozen=True)
class Found:
    """The files that words stand for, each once, and lines that tell what of their folders was left out."""

    paths: List[str]
    lines: List[str]


def find(words: Iterable[str], broken_links: bool = False, videos: bool = False) -> List[str]:
    """The `paths` of `search`."""
    return search(words, broken_links, videos).paths


def search(words: Iterable[str], broken_links: bool = False, videos: bool = False) -> Found:
    """The files that `words` (files, folders, glob patterns; `**` reaches subfolders) stand for.

    Of a folder, those right in it that have one of `SUFFIXES`, with `videos` also those called like a video; nothing
    hidden (see `names`) that is not named. A result of predict.py is taken only where it is named and is an image; a
    line warns of it. Within a word the order is that of the numbers in the names: frame2 before frame10. A file that
    several words spell differently is spelled as by the first. Links to nothing are among them with `broken_links`, for
    who tells that they cannot be read. Raises PipelineError for a word that is no file.
    """

    def taken(path):
        # What is neither, such as a pipe, might never be read to its end.
        return os.path.isfile(path) or (broken_links and os.path.islink(path) and not os.path.exists(path))

    suffixes = SUFFIXES + file_names.VIDEOS if videos else SUFFIXES
    found: Dict[Tuple[str, str], str] = {}
    lines: List[str] = []
    no_images: List[str] = []
    for word in words:
        paths, results, reason, others = _below(word, suffixes) if os.path.isdir(word) else _named(word)
        paths = sorted(filter(taken, paths), key=file_names.natural)
        if not paths:
            raise PipelineError("--input {}: {}".format(word, reason))
        lines += others
        if results == [word] and not word.lower().endswith(SUFFIXES + file_names.VIDEOS):
            no_images.append(word)
            lines.append("warning: {}: left out, {}".format(word, _NO_IMAGE))
            continue
        if results == [word]:
            lines.append("warning: {}: is itself a result of predict.py".format(word))
        elif results:
            lines.append("{}: left out are {} results of predict.py".format(word, len(results)))
        for path in paths:
            # Links to one file are images with names of their own.
            found.setdefault((os.path.realpath(os.path.dirname(path)), os.path.basename(path)), path)
    if no_images and not found:
        raise PipelineError("--input {}: {}".format(no_images[0], _NO_IMAGE))
    return Found(list(found.values()), list(map(files.printable, lines)))


def _below(folder, suffixes):
    """(the files of a folder, the results of predict.py in it, why there is no file, lines on what is left out)."""
    every = list(file_names.files_below(folder, deep=False))
    results = list(filter(prediction_files.is_result, every))
    # A run into the folder of the images would take its own results for images the next time.
    own = set(results)
    paths = [path for path in every if path.lower().endswith(suffixes) and path not in own]
    others = file_names.left_out(folder, suffixes, deep=False)
    kinds = "images or videos" if len(suffixes) > len(SUFFIXES) else "images"
    reason = "is a folder without {} ({})".format(kinds, " ".join(suffixes))
    reason = _reason_with(results, every, reason + "; {}".format(others) * bool(others))
    return paths, results, reason, [others] * bool(others)


def _named(word):
    """As `_below`, of a file or a pattern."""
    # A name that exists is taken as it is, even with brackets in it.
    every = [word] if os.path.isfile(word) else _matches(word)
    results = list(filter(prediction_files.is_result, every))
    own = set(results) - {word}
    reason = "matches no file (working folder {}); quote the pattern or check the path".format(os.getcwd())
    reason = _reason_with(results, every, reason + file_names.hint(word))
    return [path for path in every if path not in own], results, reason, []


def _reason_with(results, every, reason):
    """`reason`, why there is no file, where `results` among `every` file there are left out."""
    if results and len(results) == len(every):
        words = "has only {} result{} of predict.py; name one to predict it"
        return words.format(len(results), "s" if len(results) > 1 else "")
    return reason + "; left out are {} results of predict.py".format(len(results)) * bool(results)


def _matches(word):
    """What the pattern stands for, without what is hidden unless the pattern itself names it."""
    named = word.split("/")
    return [
        path
        for path in glob.glob(word, recursive=True)
        if not any(file_names.hidden(part) and part not in named + [".", ".."] for part in path.split("/"))
    ]


def read(path: str) -> Frame:
    """The first image in the file as a `Frame`. Raises PipelineError when it is not a whole image."""
    return next(frames(path))


def frames(path: str) -> Iterator[Frame]:
    """Yield the `Frame`s of the file: one, or all of an animated GIF, PNG, WebP or a TIFF of several pages.

    Only one is in memory. Raises PipelineError, with what was wrong, when the file is not a whole image.
    """
    from ..imaging.untrusted import open_image

    try:
        with open_image(path) as picture:
            count = getattr(picture, "n_frames", 1) if picture.format in _ANIMATED else 1
            for number in range(count):
                picture.seek(number)
                rgb, read_as = upright.upright_rgb(picture)
                yield Frame(number + 1 if count > 1 else None, rgb, read_as)
    except Exception as error:
        # Damage makes the readers of Pillow raise whatever they stumble over, and one bad file must not stop the rest.
        raise PipelineError("{}: not an image that can be read ({})".format(path, _reason(path, error))) from None


def _reason(path, error):
    if path.lower().endswith(file_names.VIDEOS):
        return "a video; extract its frames first: ffmpeg -i {} frames/%06d.png".format(os.path.basename(path))
    if path.lower().endswith(file_names.CONVERTED) and "cannot identify" in str(error):
        return "a format that is not read; convert it: magick mogrify -format jpg {}".format(os.path.basename(path))
    if isinstance(error, MemoryError):
        return "no memory for it"
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return "a link to {}, which is not there".format(os.readlink(path))
    if "cannot identify" in str(error):
        if path.lower().endswith(SUFFIXES):
            return "no format that Pillow knows"
        words = "no format that Pillow knows; videos end in {}: rename or convert it"
        return words.format(" ".join(file_names.VIDEOS))
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
