"""Evaluation of a depth predictor on a test archive by the reference port's protocol; NumPy only.

For each image: the network's output for the image and for its mirror image becomes depth (clip(1000 / output, 10,
1000) cm), the mirrored depth is mirrored back, both are averaged with equal weights and enlarged bilinearly, in depth,
to the size of the ground truth; the crop of the archive is compared with it, without mask or further cap.
Un-mirroring comes before cropping, so a crop need not lie symmetrically. Mirroring and bilinear enlarging are linear
and commute, so the average is enlarged, once, and only within the crop; that is the port's arithmetic in another order.

A network whose input has another size than the test images gets resized images (see `depth.fit`); its depth is still
enlarged to the size of the ground truth, so scores of networks of different sizes compare.

Every image counts once, whatever the batch size: a short last batch is filled up for the network, since accelerators
want fixed shapes, and the filling is dropped from its output.

That is the protocol `port`; `protocols` has others, which are scored from the same forward passes by the same code.
"""

import collections
import concurrent.futures
import functools
import os
from typing import TYPE_CHECKING, Any, Callable, Collection, Deque, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from .. import runtime
from ..errors import PipelineError
from ..imaging import depth
from ..inference import forward
from . import distances, metrics, more_metrics, protocols
from .thumbnails import Thumbnails

if TYPE_CHECKING:
    from ..data.test_archive import TestSet
    from .predicted import Predicted

FORMAT = 1

# depth_in (see `scored`), the ground truth (n, H, W) in metres, and the indices of the images.
Batch = Tuple[Callable[..., np.ndarray], np.ndarray, List[int]]

# Results waiting for their metrics: enough to keep the network busy, few enough to bound memory.
_PENDING = 4


def evaluate(
    predictor: Any,
    test_set: "TestSet",
    batch_size: int,
    limits: Optional[Tuple[float, float]] = None,
    progress: Optional[Callable[[int], Any]] = None,
    names: Collection[str] = ("port",),
    alone: bool = False,
    thumbnails: Optional[Thumbnails] = None,
    more: Collection[str] = (),
    planes: Optional[Callable[[int, Tuple[int, int]], np.ndarray]] = None,
) -> Dict[str, Any]:
    """Evaluate `predictor` (see `predictors.Predictor`) on `test_set` (see `test_archive.TestSet`).

    `limits` are the nearest and farthest predicted depth in metres (None: those of the test set); `progress(images)` is
    called after each batch with the number so far; `names` are those of the protocols. Reading and scoring go on beside
    the network unless it shall run `alone`: slower by what they take, and then `speed` is the network's own.
    `thumbnails` are given what `port` compares; `more` names further metrics (see `more_metrics.chosen`). `planes`
    gives the numbers of the planes of an image by its index and size, (height, width), 0 where there is none.

    Returns the evaluation as JSON-like values: `format`, `source` (what was evaluated), `protocol`, `metrics` (see
    `metrics`), `per_image`, `by_distance` (see `distances`), `speed` (see `forward.Speed`), `test_data` and `runtime`.
    Protocol, metrics and images at the top are those of `port`; those of each other protocol are in `protocols` by its
    name. Memory does not grow with the number of images.
    Raises PipelineError for an output of unusable shape or value, naming the image, and for a test set that a
    protocol cannot take.
    """
    forward.check_batch_size(predictor, batch_size)
    limits = limits or test_set.limits
    chosen = [protocols.fitted(protocol, test_set) for protocol in protocols.named(names)]
    speed = forward.Speed(predictor, batch_size)

    def prepared(batch):
        rgb, truth, numbers = batch
        if thumbnails:
            thumbnails.add_inputs(numbers, rgb)
        return depth.fit(rgb, predictor.size, test_set.framing), truth, numbers

    def outputs():
        batches = map(prepared, _batches(test_set, batch_size, chosen))
        for images, truth, numbers in batches if alone else forward.ahead(batches):
            depth_in = _checked(speed.run(images), speed.run(images[:, :, ::-1]), numbers, test_set.framing)
            yield thumbnails.watching(depth_in, numbers) if thumbnails else depth_in, truth, numbers

    pending = 0 if alone else _PENDING
    found = scored(outputs(), chosen, limits, progress, pending, more_metrics.chosen(more), planes)
    return document_of(predictor.describe(), test_set, found, speed.as_dict())


def evaluate_stored(
    stored: Any,
    test_set: "TestSet",
    progress: Optional[Callable[[int], Any]] = None,
    names: Collection[str] = ("port",),
) -> Dict[str, Any]:
    """As `evaluate`, of outputs that a network gave elsewhere; `speed` is None.

    `stored.batch_size`, `stored.outputs(number)` with the outputs (n, h, w) of batch `number` and of its mirrored
    images (n at least the images in the batch), and `stored.describe()`, which becomes `source`.
    """
    limits = test_set.limits
    chosen = [protocols.fitted(protocol, test_set) for protocol in protocols.named(names)]

    def outputs():
        for number, (_, truth, numbers) in enumerate(_batches(test_set, stored.batch_size, chosen)):
            output, mirrored = stored.outputs(number)
            both = output[: len(numbers)], mirrored[: len(numbers)]
            yield _checked(*both, numbers, test_set.framing), truth, numbers

    return document_of(stored.describe(), test_set, scored(outputs(), chosen, limits, progress), None)


def evaluate_maps(
    maps: "Predicted",
    test_set: "TestSet",
    progress: Optional[Callable[[int], Any]] = None,
    names: Collection[str] = ("port",),
    more: Collection[str] = (),
    planes: Optional[Callable[[int, Tuple[int, int]], np.ndarray]] = None,
) -> Dict[str, Any]:
    """As `evaluate`, of depth that another program predicted; `speed` is None, and each `protocol` has `alignment`.

    Nothing is mirrored and averaged: what is predicted is scored.
    """
    limits = test_set.limits
    chosen = [protocols.fitted(protocol, test_set) for protocol in protocols.named(names)]

    def outputs():
        for rgb, truth, numbers in _batches(test_set, 1, chosen):
            values = maps.values(numbers[0], rgb[0])
            yield functools.partial(maps.depth, values, numbers[0]), truth, numbers

    found = scored(outputs(), chosen, limits, progress, more=more_metrics.chosen(more), planes=planes)
    for block in found.values():
        block["protocol"].update(flip_average=False, alignment=maps.alignment)
    return document_of(maps.describe(), test_set, found, None)


def _checked(output, mirrored, numbers, framing):
    """What gives the flip-averaged depth of a batch, as `scored` asks for it; the outputs are looked at now."""
    _check_output(output, mirrored, numbers)

    def depth_in(crop, limits, size, truth):
        return forward.flip_averaged(output, mirrored, size, crop, limits, framing)

    return depth_in


def scored(
    batches: Iterable[Batch],
    chosen: Sequence[protocols.Protocol],
    limits: Tuple[float, float],
    progress: Optional[Callable[[int], Any]],
    most_pending: int = _PENDING,
    more: Sequence[str] = (),
    planes: Optional[Callable[[int, Tuple[int, int]], np.ndarray]] = None,
) -> Dict[str, Dict[str, Any]]:
    """{protocol's name: its block} for an iterator over (depth_in, truth, indices) of batches.

    depth_in(crop, limits, size, truth) gives the predicted depth (n, h, w) inside `crop` of images of `size`, in metres
    within `limits`; truth (n, h, w) is that of the crop, 0 where a pixel does not count. more: keys of further metrics;
    planes: see `evaluate`.
    """
    # Protocols that differ in nothing but the averaging share the sums.
    views = list({_view(protocol, limits): protocol for protocol in reversed(chosen)}.items())
    scores = {view: _Scores() for view, _ in views}
    indices = []

    def drain(limit):
        while len(pending) > limit:
            numbers, result = pending.popleft()
            for view, image_sums in result.result():
                scores[view].add(numbers, image_sums)
            indices.extend(numbers)
            if progress:
                progress(len(indices))

    # The metrics are computed beside the network.
    pending: Deque[Tuple[List[int], Any]] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(max(1, min(_PENDING, os.cpu_count() or 1))) as workers:
        for depth_in, truth, numbers in batches:
            numbered = [planes(number, truth.shape[1:3]) for number in numbers] if planes else [None] * len(numbers)
            job = workers.submit(_measure, depth_in, truth, views, more, numbered)
            pending.append((numbers, job))
            drain(most_pending)
        drain(0)
    return {
        protocol.name: _block(protocol, limits, scores[_view(protocol, limits)], len(indices)) for protocol in chosen
    }


def _check_output(output, mirrored, numbers):
    for position, number in enumerate(numbers):
        if np.isnan(output[position]).any() or np.isnan(mirrored[position]).any():
            raise PipelineError(
                "image {}: the network's output is not a number; its weights are not finite or too large".format(number)
            )


def _view(protocol, limits):
    """What decides the sums of a protocol: crop, range of the ground truth, range of the prediction."""
    return protocol.shares or protocol.crop, protocol.truth_m, tuple(protocol.limits_m or limits)


def _batches(test_set, batch_size, chosen):
    if all(protocol.masked for protocol in chosen):
        return test_set.batches(batch_size, holes=True)
    return test_set.batches(batch_size)


def _measure(depth_in, truth, views, more, planes):
    """[(view, what `_of_image` finds for each image, None for an image of which no pixel counts)]."""
    measured = []
    for view, protocol in views:
        crop, limits = protocol.crop_in(truth.shape[1:3]), view[2]
        inside = cropped(truth, crop)
        mask = protocol.mask(inside)
        counted = inside if mask is None else np.where(mask, inside, 0)
        predicted = depth_in(crop, limits, truth.shape[1:3], counted)
        camera = more_metrics.camera_of(truth.shape[1:3], crop)
        masks = [None] * len(inside) if mask is None else mask
        of_planes = [None if one is None else cropped(one[np.newaxis], crop)[0] for one in planes]
        found = [_of_image(more, camera, limits[1], *maps) for maps in zip(inside, predicted, masks, of_planes)]
        measured.append((view, found))
    return measured


def _of_image(names, camera, farthest, truth, prediction, mask, planes):
    """(what `metrics.measure` finds, the sums of `distances`, the figures `names` of `more_metrics`)."""
    if mask is not None and not mask.any():
        return None

    def maps():
        inside = np.ones(truth.shape, bool) if mask is None else mask
        # Depths that do not count may be anything, which would warn.
        g, p = (np.where(inside, one, 1.0).astype(np.float64) for one in (truth, prediction))
        return more_metrics.Maps(g, p, inside, camera, farthest, planes)

    by_distance, sums = distances.Sums(farthest), more_metrics.summed(names, farthest)
    found = metrics.measure(truth=truth, prediction=prediction, mask=mask, also=[by_distance, *sums])
    return found, by_distance.total, more_metrics.figures(names, sums, maps)


class _Scores:
    """Sums and numbers of the images of one view."""

    def __init__(self):
        self.total = metrics.Accumulator()
        self.distances = distances.empty()
        self.bias = []
        self.indices = []
        self.pixels = []
        self.more = []
        self.without_truth = []

    def add(self, numbers, image_sums):
        for number, sums in zip(numbers, image_sums):
            if sums is None:
                self.without_truth.append(number)
            else:
                of_image, by_distance, more = sums
                self.total.add_sums(of_image)
                self.distances += by_distance
                self.bias.append(distances.bias(by_distance))
                self.indices.append(number)
                self.pixels.append(of_image.pixels)
                self.more.append(more)


def _block(protocol, limits, scores, images):
    """What a document says of one protocol."""
    if not scores.indices:
        raise PipelineError("protocol {}: no image has ground truth within {}".format(protocol.name, protocol.truth_m))
    top, bottom, left, right = protocol.crop
    described = {
        "name": protocol.name,
        "crop": [top, bottom, left, right],
        "flip_average": True,
        "depth_limits_m": list(protocol.limits_m or limits),
        "images": images,
        "pixels_per_image": (bottom - top + 1) * (right - left + 1),
    }
    if protocol.shares:
        # Of each image; `crop` is that of the largest.
        described["crop_shares"] = list(protocol.shares)
    if protocol.masked:
        described["truth_m"] = list(protocol.truth_m)
        described["images_without_truth"] = scores.without_truth
    per_image = [
        dict(image, index=index, bias=bias, **more)
        for index, image, bias, more in zip(scores.indices, scores.total.images, scores.bias, scores.more)
    ]
    if protocol.name != "port":
        described["averaging"] = protocol.averaging
    if protocol.name != "port" or protocol.masked:
        for image, pixels in zip(per_image, scores.pixels):
            image["pixels"] = pixels
    pooled = protocol.averaging == "pooled"
    figures: Dict[str, Optional[float]] = dict(
        scores.total.result() if pooled else protocols.mean_of_images(scores.total.images)
    )
    for name in scores.more[0]:
        figures[name] = more_metrics.mean(name, scores.more, scores.pixels, pooled)
    by_distance = distances.figures(scores.distances, described["depth_limits_m"][1])
    return {"protocol": described, "metrics": figures, "per_image": per_image, "by_distance": by_distance}


def cropped(maps: np.ndarray, crop: Tuple[int, int, int, int]) -> np.ndarray:
    """`maps` (..., h, w) inside `crop` (top, bottom, left, right), inclusive, which ends with the maps."""
    return maps[(..., *depth.inside(crop))]


def _test_data(test_set):
    described = {"path": test_set.path, "size_bytes": os.path.getsize(test_set.path)}
    return dict(described, skipped=test_set.skipped) if test_set.skipped else described


def document_of(
    source: Dict[str, Any], test_set: "TestSet", found: Dict[str, Dict[str, Any]], speed: Optional[Dict[str, Any]]
) -> Dict[str, Any]:
    """The evaluation of `source` as it is written: with the blocks `found` of each protocol (see `scored`)."""
    if test_set.names:
        for block in found.values():
            block["per_image"] = [dict(image, name=test_set.names[image["index"]]) for image in block["per_image"]]
    document = {
        "format": FORMAT,
        "source": source,
        "speed": speed,
        "test_data": _test_data(test_set),
        "runtime": runtime.describe(),
    }
    document.update(found.get("port", {}))
    others = {name: block for name, block in found.items() if name != "port"}
    return dict(document, protocols=others) if others else document
