"""How a network's figures fall when its images are made worse, and what its own disagreement says of its errors."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import runtime
from ..errors import PipelineError
from ..imaging import depth
from . import corruption_library, metrics, ranks, under_test
from .corruptions import CORRUPTIONS, SEVERITIES, apply

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

FORMAT = 1

# Parts of equally many pixels into which the curve of disagreement and error is cut.
PARTS = 10

# Pixels of an image that a curve is made of, evenly chosen.
_PIXELS = 4000

# Sizes at which a network also sees an image, by the size that it is evaluated at.
SCALES = (0.75, 1.25)


def measure(
    network: under_test.Network,
    test_set: "TestSet",
    images: int,
    names: Sequence[str] = tuple(CORRUPTIONS),
    progress: Optional[Callable[[int], Any]] = None,
    library: Optional[corruption_library.Library] = None,
) -> Dict[str, Any]:
    """JSON-like: `clean`, {corruption: its figures by severity}, and the curves of `disagreement`: of an image with its
    mirror image (`flip`), and with itself at other sizes (`scale`).

    images: at most so many, evenly chosen from `test_set`; progress(passes) is called after each image and corruption;
    library: what makes the images of those of `names` that are of `corruption_library`.
    Figures are those of `metrics`, pooled over the crop of the protocol `port`, of the depth that `network` scores.
    """
    legal = (*CORRUPTIONS, *corruption_library.NAMES)
    unknown = [name for name in names if name not in legal]
    if unknown:
        raise PipelineError("corruption {}: unknown, legal are {}".format(unknown[0], ", ".join(legal)))
    missing = [name for name in names if name not in CORRUPTIONS and not library]
    if missing:
        raise PipelineError("corruption {}: needs --library (`make corruptions`)".format(missing[0]))
    test_set.check_sums()
    chosen = sorted(set(np.linspace(0, test_set.count - 1, min(images, test_set.count)).astype(int).tolist()))
    clean = metrics.Accumulator()
    found = {name: [metrics.Accumulator() for _ in range(SEVERITIES)] for name in names}
    pairs: Dict[str, List[np.ndarray]] = {"flip": [], "scale": []}
    done = 0
    for index in chosen:
        rgb, truth = (one[0] for one in test_set.image(index, holes=True))
        counted = _counted(truth, network)
        both = network.both(rgb, counted, index)
        scored = _add(clean, network, both, counted)
        pairs["flip"].append(_apart(np.abs(both[0] - both[1]), scored, counted, counted > 0))
        apart, seen = _apart_by_scale(network, rgb, both[0], counted, index)
        pairs["scale"].append(_apart(apart, scored, counted, (counted > 0) & seen))
        for name, figures in found.items():
            for severity, one in enumerate(figures, 1):
                worse, depth_of_it = _worse(name, severity, rgb, truth, index, library)
                moved = _counted(depth_of_it, network)
                _add(one, network, network.both(worse, moved, index), moved)
            done += 1
            if progress:
                progress(done)
    return {
        "format": FORMAT,
        "source": network.describe(),
        "alignment": network.alignment,
        "test_data": {"path": test_set.path, "images": len(chosen)},
        "clean": clean.result(),
        "corruptions": {name: _by_severity(name, figures) for name, figures in found.items()},
        "disagreement": {name: calibration(*np.concatenate(found, axis=1)) for name, found in pairs.items()},
        "library": library.describe() if library else None,
        "runtime": runtime.describe(),
    }


def _worse(name, severity, rgb, truth, seed, library):
    if name in CORRUPTIONS:
        return apply(name, severity, rgb, truth, seed)
    return library.apply(name, severity, rgb, seed), truth


def _by_severity(name, figures):
    unit, amounts = corruption_library.UNIT, tuple(range(1, SEVERITIES + 1))  # type: Tuple[str, Tuple[float, ...]]
    if name in CORRUPTIONS:
        unit, amounts = CORRUPTIONS[name][:2]
    return {
        "unit": unit,
        "severities": [
            dict(one.result(), severity=severity, amount=amount)
            for severity, (amount, one) in enumerate(zip(amounts, figures), 1)
            if one.images
        ],
    }


def _counted(truth, network) -> np.ndarray:
    """The ground truth inside the crop, 0 where a pixel does not count."""
    inside = network.inside(truth)
    mask = np.isfinite(inside) & (inside > 0)
    if network.protocol.masked:
        mask &= network.protocol.mask(inside)
    return np.where(mask, inside, 0)


def _add(accumulator, network, both, counted) -> np.ndarray:
    """Add the figures of an image; returns the depth (h, w) that they are of."""
    scored = network.scored(both)
    if (counted > 0).any():
        accumulator.add(truth=counted, prediction=scored, mask=counted > 0)
    return scored


def _apart(apart, predicted, truth, mask) -> np.ndarray:
    """(2, pixels) of some pixels of `mask`: `apart` by the prediction, and the prediction's error by the truth."""
    step = max(1, int(mask.sum()) // _PIXELS)
    g, p, found = (values[mask][::step].astype(np.float64) for values in (truth, predicted, apart))
    return np.stack([found / p, np.abs(g - p) / g])


def _apart_by_scale(network, rgb, own, truth, index) -> Tuple[np.ndarray, np.ndarray]:
    """Standard deviation in metres of the depth `own` and those at `SCALES`, and (bool) where all show the image."""
    size = rgb.shape[:2]
    maps, seen = [own], np.ones(size, bool)
    for scale in SCALES:
        shown = under_test.Shown(*_scaled(size, network.size or size, scale, network.framing), size)
        image = depth.put(rgb[shown.part], shown.where, network.size or size)
        maps.append(network.taken_out(image, shown, truth, index))
        seen &= shown.mask()
    return np.std(maps, axis=0), network.inside(seen)


def _scaled(size, input_size, scale, framing) -> Tuple[depth.Place, Tuple[slice, slice]]:
    """(where in the network's input an image of `size` lies at `scale`, the part of it that is seen there).

    A smaller image lies in the middle, surrounded by its border pixels; of a larger one the middle is seen.
    """
    usual = depth.place(size, input_size) if framing.placed else depth.Place(input_size[0], input_size[1], 0, 0)
    wanted = [round(scale * length) for length in (usual.height, usual.width)]
    shown = [min(length, most) for length, most in zip(wanted, input_size)]
    top, left = ((most - length) // 2 for length, most in zip(shown, input_size))
    counts = [round(whole * length / most) for whole, length, most in zip(size, shown, wanted)]
    starts = [(whole - count) // 2 for whole, count in zip(size, counts)]
    rows, columns = (slice(start, start + count) for start, count in zip(starts, counts))
    return depth.Place(shown[0], shown[1], top, left), (rows, columns)


def calibration(disagreement: np.ndarray, error: np.ndarray) -> Dict[str, Any]:
    """What the disagreement of predictions of the same image says of the error.

    disagreement: how far apart they are, by the prediction p that is evaluated; error: |g - p| / g, both of the same
    pixels. Returns `parts`, in each of which are equally many pixels, by rising disagreement: the means of both; and
    Spearman's `rank_correlation` over all of them, 1 where a larger disagreement always means a larger error.
    """
    order = np.argsort(disagreement, kind="stable")
    parts = [
        {"disagreement": float(disagreement[part].mean()), "error": float(error[part].mean())}
        for part in np.array_split(order, min(PARTS, len(order)))
    ]
    return {"pixels": len(order), "parts": parts, "rank_correlation": ranks.correlation(disagreement, error)}


def lines(document: Dict[str, Any]) -> List[str]:
    """A table: AbsRel and delta1 of the clean images, and of each corruption by severity."""
    found = ["{:<28} AbsRel {rel_truth:.3f}  delta1 {delta1:.3f}".format("clean", **document["clean"])]
    for name, corruption in document["corruptions"].items():
        for key, title in (("rel_truth", "AbsRel"), ("delta1", "delta1")):
            figures = "  ".join("{:.3f}".format(one[key]) for one in corruption["severities"])
            found.append("{:<28} {} {}".format(name, title, figures))
    for name, title in (("flip", "mirrored images"), ("scale", "images of other sizes")):
        curve = document["disagreement"][name]
        ends = [curve["parts"][place]["error"] for place in (0, -1)]
        words = "AbsRel of the tenth of the pixels where {} agree most: {:.3f}, least: {:.3f}"
        found.append(words.format(title, *ends))
    return found
