"""How sure the figures of a test set are: intervals, paired comparisons, groups of runs. NumPy only.

Images are what is drawn again, since the pixels of one image are far from independent. All that is needed stands in an
evaluation document: `per_image` has what each image adds to a figure, so nothing is predicted or measured again.

Sources: Efron, "Better bootstrap confidence intervals", JASA 82 (1987), for the interval (BCa); Phipson and Smyth,
"Permutation p-values should never be zero", SAGMB 9 (2010); Holm, "A simple sequentially rejective multiple test
procedure", Scand. J. Statist. 6 (1979); Welch, "The generalization of 'Student's' problem when several different
population variances are involved", Biometrika 34 (1947).
"""

import functools
import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import PipelineError
from .metric_table import BY_KEY

# The lower and upper tail of a 95 % interval.
TAILS = (0.025, 0.975)
RESAMPLES = 10000

# What an evaluation says of one protocol, see `documents.blocks`.
Block = Dict[str, Any]

# Fewer images give no interval that would hold what it promises.
FEWEST = 10

# Resamples at a time, and numbers in them: bounds the memory to some MB, however many images there are.
_CHUNK, _NUMBERS = 1000, 1000000


def intervals(block: Block, seed: int = 0, resamples: int = RESAMPLES) -> Dict[str, Tuple[float, float]]:
    """{metric: (low, high)}: the 95 % bootstrap interval (BCa) over images of each figure in `block`.

    `block` is that of one protocol (see `documents.blocks`): its `metrics` and `per_image`. Metrics are those of
    `block["metrics"]`, in their units. Empty where fewer than `FEWEST` images were measured.
    """
    table = _Table(block)
    if table.count < FEWEST:
        return {}
    drawn = _drawn(table, seed, resamples)
    jackknife = table.jackknife()
    return {name: _bca(table.figures[name], drawn[name], jackknife[name]) for name in table.names}


def comparable(first: Block, second: Block) -> bool:
    """Whether `compare` takes these two."""
    return len(first["per_image"]) >= FEWEST and _unlike(first, second) is None


def compare(first: Block, second: Block, seed: int = 0, resamples: int = RESAMPLES) -> Dict[str, Dict[str, float]]:
    """{metric: {difference, low, high, p}} of two blocks of one protocol on the same images; `second` minus `first`.

    difference, low, high: in the metric's unit, with the 95 % interval of the paired bootstrap: both are drawn with
    the same images. p: of the permutation test that exchanges the two results of an image; two-sided, and not yet
    corrected for the number of comparisons (see `holm`). Raises PipelineError where protocols or images differ.
    """
    return compare_groups([first], [second], seed, resamples)


def compare_groups(
    first: Sequence[Block], second: Sequence[Block], seed: int = 0, resamples: int = RESAMPLES
) -> Dict[str, Dict[str, float]]:
    """As `compare`, of two groups of runs: each image counts with its mean over the runs of a group.

    Pooled RMSE is the root of the mean over images and runs. How much runs of a group vary is not in it: see `welch`.
    """
    problem = next(filter(None, (_unlike(first[0], other) for other in [*first, *second])), None)
    if problem:
        raise PipelineError("{}; nothing to compare".format(problem))
    a, b = _Table.mean_of(first), _Table.mean_of(second)
    if a.count < FEWEST:
        raise PipelineError("{} images are too few to compare on; {} are the least".format(a.count, FEWEST))
    drawn_a, drawn_b = _drawn(a, seed, resamples), _drawn(b, seed, resamples)
    jack_a, jack_b = a.jackknife(), b.jackknife()
    chances = _exchanged(a, b, seed, resamples)
    found = {}
    for name in a.names:
        difference = b.figures[name] - a.figures[name]
        low, high = _bca(difference, drawn_b[name] - drawn_a[name], jack_b[name] - jack_a[name])
        found[name] = {"difference": difference, "low": low, "high": high, "p": chances[name]}
    return found


def holm(chances: Sequence[float]) -> List[float]:
    """Corrected p values of as many comparisons, in the order given: at most 1, never below the given ones (Holm)."""
    order = np.argsort(chances, kind="stable")
    corrected, greatest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        greatest = max(greatest, min(1.0, chances[place] * (len(chances) - rank)))
        corrected[place] = greatest
    return corrected


def spread(values: Sequence[float]) -> Tuple[float, Optional[float]]:
    """(mean, standard deviation with n - 1) of a figure over a group of runs; the deviation of one run is None."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def welch(first: Sequence[float], second: Sequence[float]) -> Dict[str, float]:
    """{difference, low, high, p} of a figure's means over two groups of runs; `second` minus `first`.

    By Welch's t test, which takes the figures of a group as drawn from a normal distribution of its own: the 95 %
    interval and two-sided p for other trainings, on the same test images. Each group needs two runs or more, else
    ValueError.
    """
    (mean_a, deviation_a), (mean_b, deviation_b) = spread(first), spread(second)
    if deviation_a is None or deviation_b is None:
        raise ValueError("a group of one run has no spread")
    difference = mean_b - mean_a
    parts = deviation_a**2 / len(first), deviation_b**2 / len(second)
    error = math.sqrt(sum(parts))
    if not error:
        return {"difference": difference, "low": difference, "high": difference, "p": float(difference == 0)}
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(first) - 1) + parts[1] ** 2 / (len(second) - 1))
    margin = error * _inverse(lambda value: _student(value, freedom), TAILS[1])
    chance = 2 * (1 - _student(abs(difference) / error, freedom))
    return {"difference": difference, "low": difference - margin, "high": difference + margin, "p": max(0.0, chance)}


class _Table:
    """What each image of `block` adds to the figures: one column of numbers and one of weights for each metric.

    Pooled figures weigh an image by its pixels, and pooled rms adds up squares; the mean of images weighs all alike.
    """

    def __init__(self, block):
        images = block["per_image"]
        self.figures = block["metrics"]
        self.names = [name for name in self.figures if all(_is_there(image, name) for image in images)]
        self.count = len(images)
        pixels = np.array([image.get("pixels", 1) for image in images], np.float64)
        pooled = block["protocol"].get("averaging", "pooled") == "pooled"
        columns, weights = [], []
        for name in self.names:
            values = np.array([image[_of_image(name)] for image in images], np.float64)
            weight = pixels if pooled and not BY_KEY[name].per_image else np.ones(self.count)
            columns.append(weight * (values**2 if name == "rms_pooled" else values))
            weights.append(weight)
        self.columns, self.weights = np.stack(columns, 1), np.stack(weights, 1)

    @classmethod
    def mean_of(cls, blocks):
        """The table of the means over several blocks of the same images."""
        tables = [cls(block) for block in blocks]
        if len(tables) == 1:
            return tables[0]
        mean = tables[0]
        mean.names = [name for name in mean.names if all(name in table.names for table in tables)]
        mean.columns, mean.weights = (
            sum(getattr(table, part)[:, [table.names.index(name) for name in mean.names]] for table in tables)
            / len(tables)
            for part in ("columns", "weights")
        )
        mean.figures = {name: float(values[0]) for name, values in mean.figures_of(np.ones((1, mean.count))).items()}
        return mean

    def __eq__(self, other):
        return self._numbers() == other._numbers()

    def __hash__(self):
        return hash(self._numbers())

    def _numbers(self):
        return tuple(self.names), self.columns.tobytes(), self.weights.tobytes()

    def figures_of(self, times):
        """{metric: (resamples,)} of test sets in which image i is there `times[:, i]` times."""
        return self.finished(times @ self.columns, times @ self.weights)

    def jackknife(self):
        """{metric: (images,)} of the test set without each one of its images."""
        return self.finished(self.columns.sum(0) - self.columns, self.weights.sum(0) - self.weights)

    def finished(self, sums, weights):
        """{metric: figures} of sums over images (resamples, metrics) and the sums of their weights."""
        figures = sums / weights
        return {
            name: np.sqrt(figures[:, place]) if name == "rms_pooled" else figures[:, place]
            for place, name in enumerate(self.names)
        }


def _is_there(image, name):
    """Whether the image has this score; one that is not finite is null in the file."""
    return image.get(_of_image(name)) is not None


def _of_image(name):
    return BY_KEY[name].image_key


def _unlike(first, second):
    """Why two blocks cannot be compared, or None."""
    for key in ("name", "crop", "depth_limits_m", "truth_m"):
        one, other = (block["protocol"].get(key) for block in (first, second))
        if one != other:
            return "protocols differ in {}: {} and {}".format(key, one, other)
    one, other = ([image["index"] for image in block["per_image"]] for block in (first, second))
    if one != other:
        return "evaluated on different images ({} and {})".format(len(one), len(other))
    return None


def _chunks(resamples, images):
    most = max(1, min(_CHUNK, _NUMBERS // images))
    for first in range(0, resamples, most):
        yield min(most, resamples - first)


def _joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# A block is drawn for its interval and for each comparison.
@functools.lru_cache(maxsize=16)
def _drawn(table, seed, resamples):
    """{metric: (resamples,)} of bootstrap test sets; the same seed draws the same images."""
    random = np.random.RandomState(seed)
    even = np.full(table.count, 1 / table.count)
    return _joined(
        [
            table.figures_of(random.multinomial(table.count, even, size).astype(float))
            for size in _chunks(resamples, table.count)
        ]
    )


def _exchanged(a, b, seed, resamples):
    """{metric: p}: how often a difference as large comes about when each image's results change sides by chance."""
    random = np.random.RandomState(seed)
    reached = dict.fromkeys(a.names, 1)
    apart, weights_apart = a.columns - b.columns, a.weights - b.weights
    for size in _chunks(resamples, a.count):
        keep = random.randint(0, 2, (size, a.count)).astype(float)
        moved, weights_moved = keep @ apart, keep @ weights_apart
        one = a.finished(b.columns.sum(0) + moved, b.weights.sum(0) + weights_moved)
        other = a.finished(a.columns.sum(0) - moved, a.weights.sum(0) - weights_moved)
        for name in a.names:
            observed = abs(b.figures[name] - a.figures[name])
            # The same sums in another order may differ in the last digits.
            reached[name] += int(np.count_nonzero(np.abs(other[name] - one[name]) >= observed * (1 - 1e-9)))
    return {name: count / (resamples + 1) for name, count in reached.items()}


def _bca(figure, drawn, jackknife):
    """The interval of `figure` from its bootstrap values, corrected for their bias and for skewness."""
    below = (np.mean(drawn < figure) + np.mean(drawn <= figure)) / 2
    deviations = jackknife.mean() - jackknife
    squares = float((deviations**2).sum())
    if not squares or not 0 < below < 1:
        # All images are alike, or the figure lies beyond all that was drawn: no correction can be estimated.
        return tuple(float(value) for value in np.percentile(drawn, [100 * tail for tail in TAILS]))
    bias, skew = _quantile(below), float((deviations**3).sum()) / (6 * squares**1.5)
    ends = []
    for tail in TAILS:
        shifted = bias + _quantile(tail)
        ends.append(100 * _normal(bias + shifted / (1 - skew * shifted)))
    return tuple(float(value) for value in np.percentile(drawn, ends))


def _normal(value):
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-value / math.sqrt(2))


def _quantile(share):
    """The value below which `share` of the standard normal distribution lies."""
    return _inverse(_normal, share)


def _student(value, freedom):
    """Student's distribution function at `value` >= 0, by Simpson's rule over its density in polar form."""
    angles = np.linspace(0.0, math.atan(value / math.sqrt(freedom)), 2001)
    weights = np.array([1, *[4, 2] * 999, 4, 1]) * angles[1] / 3
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    return min(1.0, 0.5 + scale * float(weights @ np.cos(angles) ** (freedom - 1)))


def _inverse(rising, share):
    """Where the `rising` function reaches `share`, by bisection to 1e-12 of the farthest place looked at."""
    low, high = -10.0, 10.0
    while rising(high) < share:
        low, high = high, 10 * high
    while high - low > 1e-12 * max(10.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < share else (low, middle)
    return (low + high) / 2
