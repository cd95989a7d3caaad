"""How a network's figures fall when its images are made worse, and what its own disagreement says of its errors."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import runtime
from ..errors import PipelineError
from ..imaging import depth
from ..inference import forward
from . import corruption_library, metrics, protocols
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
    predictor: Any,
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
    Figures are those of `metrics`, pooled over the crop of the protocol `port`, of flip-averaged depth.
    """
    legal = (*CORRUPTIONS, *corruption_library.NAMES)
    unknown = [name for name in names if name not in legal]
    if unknown:
        raise PipelineError("corruption {}: unknown, legal are {}".format(unknown[0], ", ".join(legal)))
    missing = [name for name in names if name not in CORRUPTIONS and not library]
    if missing:
        raise PipelineError("corruption {}: needs --library (`make corruptions`)".format(missing[0]))
    port = protocols.fitted(protocols.named(["port"])[0], test_set)
    chosen = set(np.linspace(0, test_set.count - 1, min(images, test_set.count)).astype(int).tolist())
    clean = metrics.Accumulator()
    found = {name: [metrics.Accumulator() for _ in range(SEVERITIES)] for name in names}
    pairs: Dict[str, List[np.ndarray]] = {"flip": [], "scale": []}
    done = 0
    for rgb, truth, numbers in test_set.batches(1, holes=True):
        if numbers[0] not in chosen:
            continue
        predicted = _predicted(predictor, rgb[0], port, test_set)
        mask = _add(clean, predicted, truth[0], port)
        pairs["flip"].append(_apart(np.abs(predicted[0] - predicted[1]), predicted, truth[0], mask, port))
        apart, seen = _apart_by_scale(predictor, rgb[0], predicted[0], port, test_set)
        pairs["scale"].append(_apart(apart, predicted, truth[0], mask & seen, port))
        for name, figures in found.items():
            for severity, one in enumerate(figures, 1):
                worse, depth_of_it = _worse(name, severity, rgb[0], truth[0], numbers[0], library)
                _add(one, _predicted(predictor, worse, port, test_set), depth_of_it, port)
            done += 1
            if progress:
                progress(done)
    return {
        "format": FORMAT,
        "source": predictor.describe(),
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


def _predicted(predictor, rgb, protocol, test_set) -> np.ndarray:
    """Depth (2, h, w) in metres inside the crop: that of the image and that of its mirror image, mirrored back."""
    images = depth.fit(rgb[np.newaxis], predictor.size, test_set.framing)
    batch = predictor.batch or 1
    output, mirrored = (forward.predict(predictor, one, batch) for one in (images, images[:, :, ::-1]))
    how = rgb.shape[:2], protocol.crop_in(rgb.shape[:2]), test_set.limits, test_set.framing
    one = forward.flip_averaged(output, output[:, :, ::-1], *how)
    return np.concatenate([one, forward.flip_averaged(mirrored[:, :, ::-1], mirrored, *how)])


def _add(accumulator, predicted, truth, protocol) -> np.ndarray:
    """Add the figures of an image by the mean of both depths; returns the pixels that count, bool (h, w)."""
    inside = _inside(truth, protocol)
    mask = np.isfinite(inside) & (inside > 0)
    if protocol.masked:
        mask &= protocol.mask(inside)
    if mask.any():
        accumulator.add(truth=inside, prediction=predicted.mean(axis=0), mask=mask)
    return mask


def _inside(maps, protocol):
    top, bottom, left, right = protocol.crop_in(maps.shape)
    return maps[top : bottom + 1, left : right + 1]


def _apart(apart, predicted, truth, mask, protocol) -> np.ndarray:
    """(2, pixels) of some pixels of `mask`: `apart` by the prediction, and the prediction's error by the truth."""
    step = max(1, int(mask.sum()) // _PIXELS)
    both = (_inside(truth, protocol), predicted.mean(axis=0), apart)
    g, p, found = (values[mask][::step].astype(np.float64) for values in both)
    return np.stack([found / p, np.abs(g - p) / g])


def _apart_by_scale(predictor, rgb, own, protocol, test_set) -> Tuple[np.ndarray, np.ndarray]:
    """Standard deviation in metres of the depth `own` and those at `SCALES`, and (bool) where all show the image."""
    size = rgb.shape[:2]
    maps, seen = [own], np.ones(size, bool)
    for scale in SCALES:
        where, part = _scaled(size, predictor.size or size, scale, test_set.framing)
        image = depth.put(rgb[part], where, predictor.size or size)[np.newaxis]
        metres = forward.metres(predictor, image, predictor.batch or 1, test_set.limits, flip_average=False)[0]
        shown, inside = np.zeros(size), np.zeros(size, bool)
        shown[part] = depth.taken_out(metres, where, image.shape[1:3], rgb[part].shape[:2])
        inside[part] = True
        maps.append(_inside(shown, protocol))
        seen &= inside
    return np.std(maps, axis=0), _inside(seen, protocol)


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
    return {"pixels": len(order), "parts": parts, "rank_correlation": _spearman(disagreement, error)}


def _spearman(x, y) -> Optional[float]:
    first, second = (_ranks(one) for one in (x, y))
    length = np.sqrt(np.dot(first, first) * np.dot(second, second))
    return float(np.dot(first, second) / length) if length else None


def _ranks(values):
    """Ranks without their mean; equal values share theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks = (ends - (count - 1) / 2)[place.ravel()]
    return ranks - ranks.mean()


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
