"""Where training pairs come from: `nyu_data.zip`, or a list of custom RGB-D pairs.

Both have `rows()`, `pair(row, check)` for the records, `arrays(row)` and `look(row)` for looking at, `identity()`,
`state(rows)` (text that differs once a file of these rows was changed, none of them read), `unit` (metres a value of
16-bit depth, None for the 8 bits of the archive) and `path`, and are context managers.
"""

import functools
from typing import Union

from .custom_pairs import TRAIN, Pictures
from .train_archive import Archive

Source = Union[Archive, Pictures]


def open_source(path: str, split: str = TRAIN) -> Source:
    """The source at `path`: a list of images, which ends in .json or `.json::set of its mixture`, else an archive."""
    if path.partition("::")[0].endswith(".json"):
        return Pictures(path, split)
    return Archive(path)


@functools.lru_cache(maxsize=1)
def kept_open(path: str, split: str = TRAIN) -> Source:
    """As `open_source`, once in a process: the directory of a large archive takes time, and 70 MB.

    `kept_open.cache_clear()` gives it back.
    """
    return open_source(path, split)
