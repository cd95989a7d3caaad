"""A look at all training and test data before anything is made of them: every pixel is read, every fault named."""

import csv

import numpy as np

from . import files, visualize
from .archives import Archive
from .errors import PipelineError
from .pictures import TEST, TRAIN
from .pool import Progress, ordered
from .sources import open_source
from .testset import open_test_set

FORMAT = 1
BINS = 50
SAMPLES = 12

# Pairs a task: few enough to share the work, many enough that opening a large archive costs little beside them.
_CHUNK = 500


def check(source_path, test_path=None, workers=1):
    """Read all pairs of the source (see `sources.open_source`) and all images of the test archive `test_path`.

    Returns {format, pairs, faults: [{row, rgb, problem}], holes (share of the pixels), farthest_m (the upper end of the
    histogram), histogram (pixels in each of `BINS` bins from 0), nearest and median and greatest depth found, in
    metres, test_images}. `row` counts the lines of the csv; it is 0 for a fault of the whole test archive.
    """
    splits = [TRAIN, TEST] if source_path.endswith(".json") else [TRAIN]
    tasks = []
    for split in splits:
        with open_source(source_path, split) as source:
            rows = source.rows(check_members=False) if isinstance(source, Archive) else source.rows()
            farthest = _farthest(source)
        tasks += [(source_path, split, rows[i : i + _CHUNK], farthest) for i in range(0, len(rows), _CHUNK)]
    pairs = sum(len(task[2]) for task in tasks)
    print("reading {} pairs of {}".format(pairs, source_path), flush=True)
    found = list(ordered(_look, tasks, min(workers, len(tasks)), Progress(pairs, "pairs")))
    faults = [fault for part in found for fault in part["faults"]]
    test_images = 0
    if test_path:
        test_images, problem = _test_archive(test_path)
        faults += [{"row": 0, "rgb": test_path, "problem": problem}] if problem else []
    histogram = sum(part["histogram"] for part in found)
    known, pixels = int(histogram.sum()), sum(part["pixels"] for part in found)
    result = {
        "format": FORMAT,
        "source": source_path,
        "pairs": pairs,
        "test_images": test_images,
        "faults": faults,
        "holes": 1 - known / pixels if pixels else None,
        "farthest_m": farthest,
        "histogram": histogram.tolist(),
    }
    if known:
        middle = int(np.searchsorted(np.cumsum(histogram), (known + 1) // 2))
        result["nearest_m"] = min(part["nearest"] for part in found)
        result["greatest_m"] = max(part["greatest"] for part in found)
        # The middle of a bin may lie beyond all that was found.
        median = (middle + 0.5) * farthest / BINS
        result["median_m"] = min(max(median, result["nearest_m"]), result["greatest_m"])
    return result


def _farthest(source):
    return 10.0 if source.unit is None else float(source.max_depth)


def _look(task, tick):
    source_path, split, rows, farthest = task
    histogram, pixels, faults = np.zeros(BINS, np.int64), 0, []
    nearest, greatest = np.inf, 0.0
    with open_source(source_path, split) as source:
        for row in rows:
            try:
                _, depth = source.arrays(row)
            except PipelineError as error:
                faults.append({"row": row.number, "rgb": row.rgb, "problem": str(error)})
                print(error, flush=True)
            else:
                known = depth[depth > 0]
                pixels += depth.size
                bins = np.minimum(known * (BINS / farthest), BINS - 1).astype(np.int64)
                histogram += np.bincount(bins, minlength=BINS)
                if len(known):
                    nearest, greatest = min(nearest, float(known.min())), max(greatest, float(known.max()))
            tick(1)
    return {"histogram": histogram, "pixels": pixels, "faults": faults, "nearest": nearest, "greatest": greatest}


def _test_archive(path):
    """(number of images, what is wrong or None)."""
    count = 0
    try:
        with open_test_set(path) as test_set:
            for _, _, indices in test_set.batches(4):
                count += len(indices)
    except PipelineError as error:
        print(error, flush=True)
        return count, str(error)
    return count, None


def depth_text(result):
    """The depth that `check` has found, in words."""
    words = "depth {nearest_m:.2f} to {greatest_m:.2f} m, median {median_m:.2f} m, {holes:.1%} unknown"
    return words.format(**result) if "median_m" in result else "no depth"


def doubt(result):
    """What looks like a wrong unit, in words, or None."""
    if "median_m" in result and result["greatest_m"] < 0.05 * result["farthest_m"]:
        words = (
            "warning: no depth beyond {greatest_m:.2f} m, where up to {farthest_m:g} m are expected; is the unit right?"
        )
        return words.format(**result)
    return None


def draw(path, source_path, result):
    """Draw a sheet of pairs spread over the data to the PNG `path`, with histograms of their depth and of all."""
    faulty = {(fault["row"], fault["rgb"]) for fault in result["faults"]}
    chosen = []
    for split in [TRAIN, TEST] if source_path.endswith(".json") else [TRAIN]:
        with open_source(source_path, split) as source:
            rows = source.rows(check_members=False) if isinstance(source, Archive) else source.rows()
        chosen += [(split, row) for row in rows if (row.number, row.rgb) not in faulty]
    count = min(SAMPLES, len(chosen))
    samples = []
    for i in range(count):
        split, row = chosen[(2 * i + 1) * len(chosen) // (2 * count)]
        with open_source(source_path, split) as source:
            rgb, depth = source.arrays(row)
        samples.append(("row {} ({}): {}".format(row.number, split, row.rgb), rgb, depth))
    if samples:
        title = "{} pairs, {} faulty; {}".format(result["pairs"], len(result["faults"]), depth_text(result))
        visualize.draw_sheet(path, title, samples, result["histogram"], result["farthest_m"])


def write_faults(path, result):
    """The faulty rows as a csv: row, rgb, problem."""
    with files.atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["row", "rgb", "problem"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(result["faults"])
