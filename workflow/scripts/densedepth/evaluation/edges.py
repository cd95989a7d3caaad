"""Depth edges: are they where those of the ground truth are? NumPy; the edges themselves are found with SciPy.

Sources: the boundary F1 of Bochkovskii et al. 2024 (Depth Pro, arXiv 2410.02073, section 3.2); depth boundary errors of
Koch et al. 2018 (iBims-1, arXiv 1805.01328), with the constants of its evaluation script 0.9; Canny, "A computational
approach to edge detection", PAMI 8 (1986), in the form of scikit-image.
"""

from typing import Dict, Optional

import numpy as np

# Ratios of neighbouring depths from which on there is an edge, and the weights of the F1 found with each.
_RATIOS = [float(ratio) for ratio in np.linspace(1.05, 1.25, 10)]
_WEIGHTS = [ratio / sum(_RATIOS) for ratio in _RATIOS]

# Of Canny's detector, on depths that are scaled to 0..1: deviation of the blur in pixels, thresholds of the gradient.
_SIGMA, _LOW, _HIGH = np.sqrt(2), 0.1, 0.2

# Pixels: how far a predicted edge may be from one of the ground truth to be taken for it.
_FARTHEST = 10.0


def boundary_f1(truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray) -> float:
    """F1 of occluding boundaries, 0..1, of depths (h, w) in metres where `mask` is true; 0 where neither has one.

    Two neighbours are a boundary, to the side that is nearer, where the ratio of their depths exceeds t. Precision and
    recall over pairs of neighbours are averaged over the four sides; the F1 is averaged over ten t of 1.05 to 1.25,
    weighted by t. It needs no scale. As in Depth Pro, a side to which no boundary lies counts as 0, so that even the
    ground truth itself has an F1 below 1 where all its boundaries lie to fewer sides.
    """
    ratios = []
    for axis in (0, 1):
        both = _ahead(mask, axis) & _behind(mask, axis)
        pair = [_ahead(one, axis)[both] / _behind(one, axis)[both] for one in (truth, prediction)]
        for g, p in (pair, [1 / one for one in pair]):
            # Most pairs are no boundary with any t.
            kept = (g > _RATIOS[0]) | (p > _RATIOS[0])
            ratios.append((g[kept], p[kept]))
    total = 0.0
    for ratio, weight in zip(_RATIOS, _WEIGHTS):
        recall = precision = 0.0
        for g, p in ratios:
            hits = np.count_nonzero((g > ratio) & (p > ratio))
            recall += hits / max(1, int(np.count_nonzero(g > ratio))) / 4
            precision += hits / max(1, int(np.count_nonzero(p > ratio))) / 4
        if recall + precision:
            total += weight * 2 * recall * precision / (recall + precision)
    return total


def _ahead(maps, axis):
    return maps[1:] if axis == 0 else maps[:, 1:]


def _behind(maps, axis):
    return maps[:-1] if axis == 0 else maps[:, :-1]


def boundary_errors(truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray) -> Dict[str, Optional[float]]:
    """{edge_accuracy, edge_completeness} in pixels: distances to the nearest depth edge; both are better when lower.

    accuracy: from each predicted edge that is nearer than 10 pixels to one of the ground truth, to that one.
    completeness: from each edge of the ground truth to the nearest predicted one. Without such a predicted edge both
    are 10; None where the ground truth has no edge. iBims-1 gives its edges by hand; here those of the ground truth are
    found as the predicted ones are, by `canny`, each map being scaled to 0..1.
    """
    from scipy import ndimage

    edges, found = (canny(_unit(one, mask), mask) for one in (truth, prediction))
    if not edges.any():
        return {"edge_accuracy": None, "edge_completeness": None}
    to_edge = ndimage.distance_transform_edt(~edges)
    near = found & (to_edge < _FARTHEST)
    if not near.any():
        return {"edge_accuracy": _FARTHEST, "edge_completeness": _FARTHEST}
    to_found = ndimage.distance_transform_edt(~found)
    return {"edge_accuracy": float(to_edge[near].mean()), "edge_completeness": float(to_found[edges].mean())}


def canny(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Bool array of the edges in `values` (h, w), one or two pixels wide; none touches a pixel that is not in `mask`.

    Gradients are those of Sobel's operator after a Gaussian blur; what is below the lower threshold, or lower than its
    neighbours along the gradient, is no edge; of the rest, what is connected with a gradient above the upper one is.
    """
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(np.where(mask, values, 0.0), _SIGMA, mode="constant")
    blurred /= ndimage.gaussian_filter(mask.astype(np.float64), _SIGMA, mode="constant") + np.finfo(np.float64).eps
    down, right = ndimage.sobel(blurred, axis=0), ndimage.sobel(blurred, axis=1)
    strength = np.sqrt(down * down + right * right)
    inside = ndimage.binary_erosion(mask, np.ones((3, 3), bool), border_value=0)
    weak = _crests(down, right, strength, inside & (strength >= _LOW))
    labels, count = ndimage.label(weak, np.ones((3, 3), bool))
    strong = np.zeros(count + 1, bool)
    strong[labels[weak & (strength >= _HIGH)]] = True
    strong[0] = False
    return strong[labels]


def _crests(down, right, strength, candidates):
    """Those of `candidates` whose strength is not below that on either side, interpolated along the gradient."""
    rows, columns = np.nonzero(candidates)
    d, r, own = down[rows, columns], right[rows, columns], strength[rows, columns]
    steep = np.abs(d) >= np.abs(r)
    # One step along the larger part of the gradient; how far sideways is given by the smaller one.
    share = np.divide(np.where(steep, np.abs(r), np.abs(d)), np.where(steep, np.abs(d), np.abs(r)))
    row_sign, column_sign = np.where(d >= 0, 1, -1), np.where(r >= 0, 1, -1)
    keep = np.ones(len(rows), bool)
    for side in (1, -1):
        straight = strength[rows + side * row_sign * steep, columns + side * column_sign * ~steep]
        diagonal = strength[rows + side * row_sign, columns + side * column_sign]
        keep &= straight * (1 - share) + diagonal * share <= own
    crests = np.zeros(candidates.shape, bool)
    crests[rows[keep], columns[keep]] = True
    return crests


def _unit(depth, mask):
    """`depth` scaled to 0..1 over the pixels in `mask`."""
    lowest, highest = float(depth[mask].min()), float(depth[mask].max())
    return (depth - lowest) / (highest - lowest or 1.0)
