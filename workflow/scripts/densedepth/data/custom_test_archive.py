"""The test archive of custom data, and the validation pairs of any data in the same form."""

import math
from typing import Any, Dict, List, Optional, Tuple

from .. import data_settings
from ..errors import PipelineError
from ..progress import Progress
from . import test_archive_writer, validation_list
from .custom_pairs import TEST, VALIDATION, Pictures
from .sources import Source
from .train_archive import Archive, Row, size_text


def write(list_path: str, out: str, skip: int = 0, least: int = 1) -> int:
    """Write the test pairs of the list as the archive `out` (see `testset`); returns their number.

    Up to `skip` faulty pairs are left out, named on the way and listed in the archive's `pictures.json` under `skipped`
    as [{row, rgb, problem}], as in the training records' metadata file; one more raises PipelineError with its row.
    So do fewer than `least` pairs that can be used.
    """
    with Pictures(list_path, TEST) as source:
        return write_rows(source, source.rows(), None if source.own_size else source.size, out, skip, least)


def write_validation(source_path: str, list_path: str, out: str, skip: int = 0) -> int:
    """As `write`, the validation pairs: those of the list itself, or of the archive those that the list names."""
    if source_path == list_path:
        with Pictures(list_path, VALIDATION) as source:
            return write_rows(source, source.rows(), source.size, out, skip, kind=VALIDATION)
    with Archive(source_path) as archive:
        rows = validation_list.read(list_path)
        return write_rows(archive, rows, archive.pair(rows[0])[2], out, skip, kind=VALIDATION)


def write_rows(
    source: Source,
    rows: List[Row],
    size: Optional[Tuple[int, int]],
    out: str,
    skip: int,
    least: int = 1,
    kind: str = TEST,
) -> int:
    """As `write`, the pairs `rows` of `source`, all of `size` (height, width); None: each at its own."""
    # The number of images stands before them in the archive, so faults are looked for first.
    arrays = source.arrays
    more: Dict[str, Any] = {}
    if size is None and isinstance(source, Pictures):
        arrays, more["window"] = source.whole, source.window
    usable, sizes, skipped = _usable(source, arrays, rows, size, skip, kind)
    if size is None:
        # Those of one size side by side, since a network takes them in batches.
        order = sorted(range(len(usable)), key=sizes.__getitem__)
        usable, sizes = ([found[i] for i in order] for found in (usable, sizes))
        size = max(height for height, _ in sizes), max(width for _, width in sizes)
        more["sizes"] = sizes
    found = "{} of {} test pairs can be used".format(len(usable), len(rows))
    data_settings.check_gallery(source.path, found, len(usable), least)
    progress = Progress(len(usable), "pairs")

    def pairs():
        for number, row in enumerate(usable, 1):
            yield arrays(row)
            progress(number)

    crop = _crop(source.crop, *size)
    facts = {"format": 1, "holes": True, "max_depth_m": source.max_depth, "rgb": [row.rgb for row in usable]}
    test_archive_writer.write(out, pairs(), len(usable), size, crop, dict(facts, skipped=skipped, **more))
    if skipped:
        words = "{} of {} {} pairs are faulty and were left out; pictures.json in {} lists them under `skipped`"
        print(words.format(len(skipped), len(rows), kind, out), flush=True)
    return len(usable)


def _crop(given, height, width):
    """(top, bottom, left, right), inclusive: what a data set's test looks at, or all of the image."""
    if not given:
        return (0, height - 1, 0, width - 1)
    ends = []
    for length, whole, (first, last) in zip((height, width), given["size"], (given["rows"], given["columns"])):
        ends += [math.ceil(first * length / whole), math.floor((last + 1) * length / whole) - 1]
    return tuple(ends)


def _usable(source, arrays, rows, size, skip, kind):
    """([rows that can be read], [their sizes], [{row, rgb, problem} of the others])."""
    usable, sizes = [], []
    skipped: List[Dict[str, Any]] = []
    for row in rows:
        try:
            found = arrays(row)[0].shape[:2]
            if size and found != size:
                words = "{}: row {}, {}: is {}, the first pair is {}; all must have one size"
                raise PipelineError(words.format(source.path, row.number, row.rgb, size_text(found), size_text(size)))
        except PipelineError as error:
            if len(skipped) == skip:
                raise PipelineError(
                    "more than {} faulty pairs, among them: {}".format(skip, error) if skip else str(error)
                ) from None
            print("left out: {}".format(error), flush=True)
            skipped.append({"row": row.number, "rgb": row.rgb, "problem": str(error)})
        else:
            usable.append(row)
            sizes.append(found)
    if not usable:
        raise PipelineError("{}: no {} pair can be used".format(source.path, kind))
    return usable, sizes, skipped
