"""Where training pairs come from: `nyu_data.zip`, or a list of one's own pictures.

Both have `rows()`, `pair(row, check)` for the records, `arrays(row)` and `look(row)` for looking at, `unit` (metres a
value of 16-bit depth, None for the 8 bits of the archive) and `path`, and are context managers.
"""

from .archives import Archive
from .pictures import TRAIN, Pictures


def open_source(path, split=TRAIN):
    """The source at `path`: a list of pictures when it ends in .json, else an archive."""
    if path.endswith(".json"):
        return Pictures(path, split)
    return Archive(path)
