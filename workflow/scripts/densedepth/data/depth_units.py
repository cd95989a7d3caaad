"""Plausibility of the depth unit of each split, by the quantiles of the depth and by how it is stored."""

import math
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

# The upper half of a float32 above zero is a logarithmic scale of 128 or more parts to the octave.
_SHIFT = 16
PARTS = 1 << 15

# Shares of the farthest depth that is expected: where 99 of 100 pixels, or the median, are nearer, the unit is often
# wrong by 10 or more.
_LEAST_FAR = 0.1
_LEAST_MEDIAN = 0.05

# How far the medians of the splits may be apart.
_MOST_APART = 4

# What parts the pairs of a split in two units, see `parted`, and how many pairs either has. Units in use differ by 3.9
# (256 and 1000 to the metre), 5 or more; of one group, halves are 2.7 (normal) or 3.5 (uniform) of their widths apart.
_FACTOR = 3
_WIDTHS = 4
_LEAST_PAIRS = 5
_LEAST_SHARE = 0.05


def counts(known: np.ndarray) -> np.ndarray:
    """The pixels of the depths `known`, float32 above zero, in each of `PARTS` parts."""
    return np.bincount(np.ascontiguousarray(known, np.float32).view(np.uint32) >> _SHIFT, minlength=PARTS)


def figures(counted: np.ndarray, pixels: int, beyond: int) -> Dict[str, Any]:
    """What is reported of a split: {pixels, beyond_max_depth: share, near_m, median_m, far_m}, of the depth counted.

    near_m and far_m are nearer and farther than all but one in a hundred pixels; None, as the median, without depth.
    """
    total, middles = np.cumsum(counted), None
    if total[-1]:
        parts = np.searchsorted(total, [total[-1] * share for share in (0.01, 0.5, 0.99)])
        middles = (
            ((parts.astype(np.uint32) << _SHIFT) + (1 << (_SHIFT - 1))).astype(np.uint32).view(np.float32).tolist()
        )
    near, median, far = middles or (None, None, None)
    share = beyond / pixels if pixels else 0.0
    known = int(total[-1]) / pixels if pixels else 0.0
    return {"known": known, "beyond_max_depth": share, "near_m": near, "median_m": median, "far_m": far}


def parted(medians: List[Tuple[float, str]]) -> Optional[Dict[str, Any]]:
    """Two groups of pairs whose depths are far apart: {near, far: (median, pairs, the first)}.

    medians: (median depth in m, the pair in words) of each pair of a split. None where there is one group only. The
    groups are those of the least variance of the logarithm within; they count if their means are `_FACTOR` apart, and
    `_WIDTHS` standard deviations of either.
    """
    order = sorted(range(len(medians)), key=lambda i: medians[i][0])
    logs = np.log([medians[i][0] for i in order])
    least = max(_LEAST_PAIRS, int(_LEAST_SHARE * len(logs)))
    places = np.arange(least, len(logs) - least + 1)
    if not len(places):
        return None
    sums, squares = np.cumsum(logs), np.cumsum(logs * logs)
    low, high = sums[places - 1] / places, (sums[-1] - sums[places - 1]) / (len(logs) - places)
    within = squares[-1] - places * low**2 - (len(logs) - places) * high**2
    best = int(np.argmin(within))
    apart, place = high[best] - low[best], int(places[best])
    if apart < max(math.log(_FACTOR), _WIDTHS * math.sqrt(max(0.0, within[best]) / len(logs))):
        return None
    groups = {"near": order[:place], "far": order[place:]}
    return {
        name: (float(np.median([medians[i][0] for i in group])), len(group), medians[min(group)][1])
        for name, group in groups.items()
    }


def doubts(splits: Dict[str, Dict[str, Any]], farthest: float) -> List[str]:
    """Warnings on `splits`, {name: `figures` and `stored`: {how depth is stored: (pairs, the first of them)}}."""
    found = [_low(splits, farthest), _beyond(splits, farthest), _apart(splits), _stored(splits), *_parted(splits)]
    return ["warning: " + words for words in found if words]


def _low(splits, farthest):
    low = [
        "{} (median {median_m:.3g} m, 99 % nearer than {far_m:.3g} m)".format(name, **split)
        for name, split in splits.items()
        if split["median_m"] is not None
        and (split["far_m"] < _LEAST_FAR * farthest or split["median_m"] < _LEAST_MEDIAN * farthest)
    ]
    words = "the depth of {} is low, where up to {:g} m are expected; are metres_per_unit and max_depth right?"
    return words.format(" and ".join(low), farthest) if low else None


def _beyond(splits, farthest):
    names = [name for name, split in splits.items() if split["beyond_max_depth"] > split["known"]]
    words = (
        "{}: more depth is at max_depth ({:g} m) or beyond than below it; are metres_per_unit, "
        "max_depth and invalid right?"
    )
    return words.format(", ".join(names), farthest) if names else None


def _apart(splits):
    medians = sorted((split["median_m"], name) for name, split in splits.items() if split["median_m"] is not None)
    if not medians or medians[-1][0] < _MOST_APART * medians[0][0]:
        return None
    words = "the median depth is {:.3g} m in {}, {:.3g} m in {}; are both in one unit?"
    return words.format(*medians[0], *medians[-1])


def _parted(splits):
    words = (
        "the depth of {} parts in two: {} pairs around {:.3g} m ({}) and {} around {:.3g} m ({}); are all "
        "in one unit? The list can give each its own (column metres_per_unit)"
    )
    for name, split in splits.items():
        if split.get("parted"):
            (near, few, one), (far, many, other) = (split["parted"][group] for group in ("near", "far"))
            yield words.format(name, few, near, one, many, far, other)


def _stored(splits):
    ways: Dict[str, List[str]] = {}
    for name, split in splits.items():
        for way, (count, first) in split["stored"].items():
            ways.setdefault(way, []).append("{} of {} ({})".format(count, name, first))
    if len(ways) < 2:
        return None
    told = "; ".join("{}: {}".format(way, ", ".join(pairs)) for way, pairs in sorted(ways.items()))
    return "depth is stored in {} ways, which one metres_per_unit seldom fits: {}".format(len(ways), told)
