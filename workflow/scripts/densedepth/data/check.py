"""Validation of all training and test data before they are used: every pixel is read, every invalid pair is named."""

import contextlib
import csv
from typing import Any, Dict, List, Optional

import numpy as np

from .. import files, progress
from ..errors import PipelineError
from ..imaging import visualize
from ..pool import ordered
from . import depth_units
from .custom_pairs import TEST, TRAIN, VALIDATION, Pictures
from .sources import kept_open, open_source
from .test_archive import open_test_set
from .train_archive import size_text

FORMAT = 1
BINS = 50
SAMPLES = 12

# Pairs a task: few enough to share the work.
_CHUNK = 500

# Pairs that a warning names.
_NAMED = 5


def check(source_path: str, test_path: Optional[str] = None, workers: int = 1) -> Dict[str, Any]:
    """Read all pairs of the source (see `sources.open_source`) and all images of the test archive `test_path`.

    Returns {format, source, pairs, faults: [{row, rgb, problem, split, skippable}], sizes: {size: pairs}, test_images,
    empty: [pair whose depth is 0 throughout, in words], copies: [test image that has the bytes of a training image,
    in words]} and what `_depth_figures` tells. `row` counts the lines of the csv; it is 0 for a fault of the whole test
    archive. `skippable` is whether `data.skip_bad` can leave the row out: it cannot where the row names no pair, nor
    where a pair is of another size than most.
    """
    tasks, malformed, farthest = _tasks(source_path)
    _tell(malformed)
    pairs = sum(len(task[2]) for task in tasks)
    print("reading {} pairs of {}".format(pairs, source_path), flush=True)
    try:
        found = list(ordered(_look, tasks, max(1, min(workers, len(tasks))), progress.Progress(pairs, "pairs")))
    finally:
        kept_open.cache_clear()
    sizes = _sizes(found)
    odd = _odd_sizes(source_path, sizes)
    _tell(odd)
    result = {
        "format": FORMAT,
        "source": source_path,
        "pairs": pairs + len(malformed),
        "test_images": 0,
        "faults": malformed + [fault for part in found for fault in part["faults"]] + odd,
        "sizes": {size: len(rows) for size, rows in sizes.items()},
        "empty": [words for part in found for words in part["empty"]],
        "copies": _copies(found),
    }
    parts = list(found)
    if test_path:
        result["test_images"], problem, part = _test_archive(test_path)
        parts.append(part)
        result["faults"] += [_fault(0, test_path, problem, TEST, skippable=False)] if problem else []
    result.update(_depth_figures(found, farthest, _is_list(source_path)))
    result["splits"] = _splits_figures(parts)
    return result


def _splits_figures(parts):
    """{split: what `depth_units.figures` tells, and `stored`: {how depth is stored: (pairs, the first of them)}}."""
    splits = {}
    for split in sorted({part["split"] for part in parts}, reverse=True):
        of_it = [part for part in parts if part["split"] == split]
        sums = [sum(part[name] for part in of_it) for name in ("counts", "pixels", "beyond")]
        splits[split] = dict(depth_units.figures(*sums), stored={})
        parted = depth_units.parted([median for part in of_it for median in part["medians"]])
        splits[split].update({"parted": parted} if parted else {})
        for part in of_it:
            for way, pairs in part["stored"].items():
                count, first = splits[split]["stored"].get(way, (0, pairs[0]))
                splits[split]["stored"][way] = (count + len(pairs), first)
    return splits


def _tasks(source_path):
    """([task of `_look`], [fault of a row that names no pair], the farthest depth that is expected)."""
    tasks, malformed, farthest = [], [], None
    parts = [(source_path, split) for split in _splits(source_path)]
    # Longer by the further sets of a mixture.
    for path, split in parts:
        lines: List[Any] = []
        with open_source(path, split) as source:
            rows = _rows(source, lines)
            parts += [(more, TRAIN) for _, _, more in source.sets[1:]] if split == TRAIN else []
            farthest = farthest or (float(source.max_depth) if isinstance(source, Pictures) else 10.0)
        malformed += [_fault(n, line.strip()[:80], error, split, skippable=False) for n, line, error in lines]
        tasks += [(path, split, rows[i : i + _CHUNK], farthest) for i in range(0, len(rows), _CHUNK)]
    return tasks, malformed, farthest


def _is_list(source_path):
    return source_path.endswith(".json")


def _splits(source_path):
    if not _is_list(source_path):
        return [TRAIN]
    with Pictures(source_path, VALIDATION) as source:
        return [TRAIN, *([VALIDATION] if source.rows() else []), TEST]


def _rows(source, malformed):
    """The rows that name a pair; the others are added to `malformed`."""
    return source.rows(check_members=False, malformed=malformed)


def _fault(row, rgb, problem, split, skippable=True):
    return {"row": row, "rgb": rgb, "problem": str(problem), "split": split, "skippable": skippable}


def _tell(faults):
    for fault in faults:
        progress.line(fault["problem"])


def _look(task, tick):
    source_path, split, rows, farthest = task
    source = kept_open(source_path, split)
    found: Dict[str, Any] = {"histogram": np.zeros(BINS, np.int64), "pixels": 0, "beyond": 0}
    found.update(nearest=np.inf, greatest=0.0, split=split, sizes={}, faults=[], empty=[], digests=[], stored={})
    found["medians"] = []
    found["counts"] = np.zeros(depth_units.PARTS, np.int64)
    for row in rows:
        try:
            _, depth, beyond = source.look(row)
        except PipelineError as error:
            found["faults"].append(_fault(row.number, row.rgb, error, split))
            _tell(found["faults"][-1:])
        else:
            found["sizes"].setdefault(size_text(depth.shape), []).append((row.number, row.rgb))
            _count(found, depth, beyond, farthest)
            known = depth[depth > 0]
            if len(known) or beyond:
                # Where most is beyond the greatest depth, at least that.
                found["medians"].append((float(np.median(known) if len(known) > beyond else farthest), _named(row)))
            if not depth.any():
                found["empty"].append(_named(row))
            if isinstance(source, Pictures):
                found["digests"].append((source.digest(row), _named(row)))
                found["stored"].setdefault(source.stored_as(row), []).append(_named(row))
        tick(1)
    return found


def _named(row):
    return "row {}, {}".format(row.number, row.rgb)


def _count(found, depth, beyond, farthest):
    """Add the pixels of `depth` to `found`."""
    known = depth[depth > 0]
    found["pixels"] += depth.size
    found["beyond"] += beyond
    found["counts"] += depth_units.counts(known)
    bins = np.minimum(known * (BINS / farthest), BINS - 1).astype(np.int64)
    found["histogram"] += np.bincount(bins, minlength=BINS)
    if len(known):
        found["nearest"] = min(found["nearest"], float(known.min()))
        found["greatest"] = max(found["greatest"], float(known.max()))


def _sizes(found):
    """{size: [(row, image)]} of all pairs."""
    sizes: Dict[str, List[Any]] = {}
    for part in found:
        for size, rows in part["sizes"].items():
            sizes.setdefault(size, []).extend(rows)
    return sizes


def _odd_sizes(source_path, sizes):
    """Faults for the pairs that are not of the size of most: a conversion stops at them."""
    usual = max(sizes, key=lambda size: len(sizes[size]), default=None)
    count = len(sizes[usual]) if usual else 0
    words = "{}: row {}, {}: is {}, where {} pairs are {}; all must have one size"
    return [
        _fault(number, rgb, words.format(source_path, number, rgb, size, count, usual), TRAIN, skippable=False)
        for size, rows in sizes.items()
        if size != usual
        for number, rgb in rows
    ]


def _copies(found):
    """[`row 4, b.jpg is row 1, a.jpg`] of the test images whose files are copies of training images."""
    trained = dict(pair for part in found if part["split"] == TRAIN for pair in part["digests"])
    tested = (pair for part in found if part["split"] == TEST for pair in part["digests"])
    return ["{} is {}".format(name, trained[digest]) for digest, name in tested if digest in trained]


def _depth_figures(found, farthest, limited):
    """The figures of the depth in the parts `found` of the data.

    holes and beyond_max_depth: shares of the pixels; the second is part of the first, None where the source is not
    `limited` by a max_depth. farthest_m: the upper end of the histogram. histogram: pixels in each of `BINS` bins from
    0. nearest_m, median_m, greatest_m: of the depth found, if any.
    """
    histogram = sum((part["histogram"] for part in found), np.zeros(BINS, np.int64))
    known, pixels = int(histogram.sum()), sum(part["pixels"] for part in found)
    figures = {
        "holes": 1 - known / pixels if pixels else None,
        "beyond_max_depth": sum(part["beyond"] for part in found) / pixels if pixels and limited else None,
        "farthest_m": farthest,
        "histogram": histogram.tolist(),
    }
    if known:
        middle = int(np.searchsorted(np.cumsum(histogram), (known + 1) // 2))
        figures["nearest_m"] = min(part["nearest"] for part in found)
        figures["greatest_m"] = max(part["greatest"] for part in found)
        # The middle of a bin may lie beyond all that was found.
        median = (middle + 0.5) * farthest / BINS
        figures["median_m"] = min(max(median, figures["nearest_m"]), figures["greatest_m"])
    return figures


def _test_archive(path):
    """(number of images, what is wrong or None, the depth as `_splits_figures` takes it)."""
    count = 0
    part: Dict[str, Any] = {"split": TEST, "pixels": 0, "beyond": 0, "stored": {}, "medians": []}
    part["counts"] = np.zeros(depth_units.PARTS, np.int64)
    try:
        with open_test_set(path) as test_set:
            for _, depth, indices in test_set.batches(4):
                count += len(indices)
                part["pixels"] += depth.size
                part["counts"] += depth_units.counts(depth[(depth > 0) & np.isfinite(depth)])
    except PipelineError as error:
        progress.line(str(error))
        return count, str(error), part
    return count, None, part


def verdict(result: Dict[str, Any], skip: int) -> Optional[str]:
    """Why a conversion or an evaluation would stop at the data, in words, or None.

    As these count it: up to `skip` faulty pairs of each split are left out.
    """
    rows = [fault for fault in result["faults"] if fault["row"]]
    counts = {
        split: sum(fault["split"] == split and fault["skippable"] for fault in rows)
        for split in _splits(result["source"])
    }
    fixed = sum(not fault["skippable"] for fault in rows)
    words = []
    if fixed or max(counts.values()) > skip:
        each = ", ".join("{}: {}".format(*count) for count in counts.items())
        words.append(
            "{} of {} pairs are faulty ({}; allowed in each: {})".format(len(rows), result["pairs"], each, skip)
        )
    if max(counts.values()) > skip:
        words.append("get their files again, or leave such pairs out by data.skip_bad")
    if fixed:
        words.append("{} of them cannot be left out".format(fixed))
    if len(rows) < len(result["faults"]):
        words.append("the test archive is faulty")
    return "; ".join(words) or None


def depth_text(result: Dict[str, Any]) -> str:
    """The depth that `check` has found, in words."""
    if "median_m" not in result:
        return "no depth"
    words = "depth {nearest_m:.2f} to {greatest_m:.2f} m, median {median_m:.2f} m, {holes:.1%} invalid"
    if result["beyond_max_depth"] is not None:
        words += " ({beyond_max_depth:.1%} beyond max_depth)"
    return words.format(**result)


def doubts(result: Dict[str, Any]) -> List[str]:
    """What looks wrong though it can be read, as a list of warnings."""
    others = [words for words in (_empty_doubt(result), _copies_doubt(result)) if words]
    return depth_units.doubts(result["splits"], result["farthest_m"]) + others


def _empty_doubt(result):
    count, read = len(result["empty"]), sum(result["sizes"].values())
    if not count:
        return None
    if count == read:
        return "warning: no pair has any depth: all {} depth images are 0 throughout".format(count)
    return "warning: the depth of {} of {} pairs is 0 throughout: {}".format(count, read, _some(result["empty"]))


def _copies_doubt(result):
    words = "warning: {} test images are copies of training images: {}"
    return words.format(len(result["copies"]), _some(result["copies"])) if result["copies"] else None


def _some(names):
    return "; ".join(names[:_NAMED]) + ("; ..." if len(names) > _NAMED else "")


def draw(path: str, source_path: str, result: Dict[str, Any], test_path: Optional[str] = None) -> None:
    """Draw a sheet of pairs spread over the data to the PNG `path`, with histograms of their depth and of all.

    Where there are test pairs, of the list or of the archive `test_path`, half of the samples are of the test.
    """
    faulty = {(fault["split"], fault["row"]) for fault in result["faults"]}
    splits = _splits(source_path)
    most = SAMPLES // 2 if test_path or len(splits) > 1 else SAMPLES
    samples = []
    with contextlib.ExitStack() as stack:
        for split in splits:
            source: Any = stack.enter_context(open_source(source_path, split))
            rows = [row for row in _rows(source, []) if (split, row.number) not in faulty]
            chosen = [rows[i] for i in _spread(most, len(rows))]
            heads = ["row {} ({}):".format(row.number, split) for row in chosen]
            samples += [(_caption(head, row.rgb), *source.arrays(row)) for head, row in zip(heads, chosen)]
        if test_path:
            samples += _test_samples(test_path, most)
        title = "{} pairs, {} faulty; {}".format(result["pairs"], len(result["faults"]), depth_text(result))
        visualize.draw_sheet(path, title, samples, result["histogram"], result["farthest_m"])


def _caption(head, path):
    """`head` and `path`, of which the beginning is left out where both are too long for the sheet."""
    path = files.printable(path)
    # As drawn, a dollar sign takes two letters.
    most = max(10, visualize.CAPTION - len(head) - 1 - path.count("$"))
    return "{} {}".format(head, path if len(path) <= most else "..." + path[3 - most :])


def _spread(most, count):
    """At most `most` indices spread evenly over 0..count-1."""
    taken = min(most, count)
    return [(2 * i + 1) * count // (2 * taken) for i in range(taken)]


def _test_samples(path, most):
    """At most `most` samples of the test archive; of a damaged one, those before the damage."""
    samples = []
    with contextlib.suppress(PipelineError), open_test_set(path) as test_set:
        for index in sorted(set(_spread(most, test_set.count))):
            rgb, depth = (one[0] for one in test_set.image(index, holes=True))
            name = test_set.names[index] if test_set.names else ""
            known = np.where(np.isfinite(depth), np.maximum(depth, 0), 0)
            samples.append((_caption("image {} (test)".format(index), name).rstrip(), rgb, known))
    return samples


def write_faults(path: str, result: Dict[str, Any]) -> None:
    """The faulty rows as a csv: row, rgb, problem."""
    with files.atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["row", "rgb", "problem"], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(result["faults"])
