"""Forward passes over many images in batches of a fixed size, and their speed; NumPy only.

A short last batch is padded for the network, since accelerators need fixed shapes, and the padding is dropped from the
output.
"""

import concurrent.futures
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import PipelineError
from ..imaging import depth


def predict(predictor: Any, images: np.ndarray, batch_size: int) -> np.ndarray:
    """The network's output for float `images` (n, H, W, 3) of its size, any n, in batches of `batch_size`: (n, h, w).

    The last batch is filled up with copies of its last image, which are dropped again.
    """
    outputs = []
    for first in range(0, len(images), batch_size):
        batch = images[first : first + batch_size]
        outputs.append(_forward(predictor, batch, batch_size))
    return np.concatenate(outputs)


def predict_depth(
    predictor: Any,
    rgb: np.ndarray,
    batch_size: int,
    crop: Tuple[int, int, int, int],
    limits: Tuple[float, float] = depth.LIMITS_M,
    framing: depth.Framing = depth.STRETCHED,
) -> np.ndarray:
    """Flip-averaged depth in metres of uint8 `rgb` (n, H, W, 3) inside `crop`, as evaluations compare it.

    Returns (n, bottom - top + 1, right - left + 1).
    """
    images = depth.fit(rgb, predictor.size, framing)
    output = predict(predictor, images, batch_size)
    mirrored = predict(predictor, images[:, :, ::-1], batch_size)
    return flip_averaged(output, mirrored, rgb.shape[1:3], crop, limits, framing)


def metres(
    predictor: Any, images: np.ndarray, batch_size: int, limits: Tuple[float, float], flip_average: bool = True
) -> np.ndarray:
    """Depth in metres for float `images` (n, H, W, 3) in 0..1 of the network's size: (n, h, w), its output's size.

    flip_average: mean with the depth of the mirrored images.
    """
    maps = depth.metres(predict(predictor, images, batch_size), limits)
    if not flip_average:
        return maps
    mirrored = depth.metres(predict(predictor, images[:, :, ::-1], batch_size), limits)
    return (maps + mirrored[:, :, ::-1]) / 2


def limits(source: Dict[str, Any], farthest_cm: Optional[float] = None) -> Tuple[Tuple[float, float], str]:
    """((nearest, farthest) depth in metres, in words by what they were decided) for the network that `describe` calls
    `source`: `farthest_cm` in centimetres where it is given, else the range that the network was trained for.

    Raises PipelineError when the farthest is not beyond the nearest.
    """
    trained = source["depth_range"]
    nearest, farthest = [value / 100 for value in trained] if trained else depth.LIMITS_M
    if farthest_cm is None:
        reason = (
            "the training's depth range" if trained else "NYU Depth v2's depth range, as no metadata file gives another"
        )
        return (nearest, farthest), reason
    # Written so that NaN fails too.
    if not 100 * nearest < farthest_cm < float("inf"):
        raise PipelineError("--maxdepth {:g}: must be centimetres, more than {:g}".format(farthest_cm, 100 * nearest))
    return (nearest, farthest_cm / 100), "--maxdepth"


def input_size(predictor: Any, size: Optional[Sequence[int]] = None) -> Tuple[int, int]:
    """(height, width) of the network's input: its own, or `size` where it takes any.

    Raises PipelineError for another `size` than its own, and for none where it takes any.
    """
    path = predictor.describe()["path"]
    if predictor.size and size and tuple(size) != tuple(predictor.size):
        raise PipelineError("{}: takes {}x{} only, not size {}x{}".format(path, *tuple(predictor.size) + tuple(size)))
    own = predictor.size or size
    if not own:
        raise PipelineError("{}: takes any size; choose one (--size HEIGHT WIDTH), multiples of 32".format(path))
    return own[0], own[1]


def check_batch_size(predictor: Any, batch_size: int) -> None:
    """Raises PipelineError when the network takes another batch size only."""
    if predictor.batch not in (None, batch_size):
        raise PipelineError(
            "{}: frozen for batches of {}, not {}; ask for --bs {}".format(
                predictor.describe()["path"], predictor.batch, batch_size, predictor.batch
            )
        )


class Speed:
    """Runs the network and takes the time.

    A forward pass of one image or of one mirrored image counts as one image, so flip-averaged depth costs two. The
    first batch runs once more before, uncounted: memory, kernels and caches are settled then. A short last batch takes
    the time of a whole one for fewer images, so the rate is that of whole batches; with none of them, filling counts.
    """

    def __init__(self, predictor: Any, batch_size: int) -> None:
        self._predictor = predictor
        self._batch_size = batch_size
        self._started = time.perf_counter()
        self._times: List[float] = []
        # Whether each of them was of a whole batch.
        self._whole: List[bool] = []
        self._images = 0

    def run(self, images: np.ndarray) -> np.ndarray:
        """The network's output for up to a batch of images: (n, h, w)."""
        if not self._images:
            _forward(self._predictor, images, self._batch_size)
        before = time.perf_counter()
        output = _forward(self._predictor, images, self._batch_size)
        self._times.append(time.perf_counter() - before)
        self._whole.append(len(images) == self._batch_size)
        self._images += len(images)
        return output

    def as_dict(self) -> Dict[str, Any]:
        """The figures so far.

        images: forward passes, mirrored ones included. network_seconds: time in them, copies to and from the device
        included. images_per_second: images of whole batches over the time of these; where no batch was whole, those of
        all batches with their filling. ms_per_image: its inverse. flip_averaged_images_per_second: half of it, finished
        depth maps. seconds: everything since the beginning (warm-up, reading, resizing and metrics as well). batch_ms:
        median, 90th and 99th percentile and maximum of the time of a batch, whole or filled up.
        """
        counted = [taken for taken, whole in zip(self._times, self._whole) if whole] or self._times
        rate = self._batch_size * len(counted) / sum(counted)
        whole = time.perf_counter() - self._started
        return speed_figures(self._batch_size, self._images, rate, self._times, whole, warmups=1)


def speed_figures(
    batch_size: int, images: int, rate: float, times: Sequence[float], seconds: float, warmups: int
) -> Dict[str, Any]:
    """What `Speed.as_dict` says of `images` at `rate` a second, from the `times` of the batches, all in seconds."""
    percentiles = np.percentile(times, (50, 90, 99, 100))
    return {
        "batch_size": batch_size,
        "images": images,
        "seconds": seconds,
        "network_seconds": sum(times),
        "images_per_second": rate,
        "flip_averaged_images_per_second": rate / 2,
        "ms_per_image": 1000 / rate,
        "batch_ms": dict(zip(("p50", "p90", "p99", "max"), (1000 * float(value) for value in percentiles))),
        "warmup_batches": warmups,
    }


def ahead(iterator: Iterator[Any]) -> Iterator[Any]:
    """The items of `iterator`, the next one being made in a thread while this one is in use."""
    end: Any = object()
    with concurrent.futures.ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, iterator, end)
        while True:
            item = coming.result()
            if item is end:
                return
            coming = reader.submit(next, iterator, end)
            yield item


def _forward(predictor, images, batch_size):
    missing = batch_size - len(images)
    batch = np.concatenate([images] + [images[-1:]] * missing) if missing else images
    output = predictor.run(batch)
    if output.ndim != 4 or output.shape[0] != batch_size or output.shape[3] != 1:
        raise PipelineError(
            "{}: expected an output of shape ({}, height, width, 1), got {}; name another output tensor".format(
                predictor.describe()["path"], batch_size, output.shape
            )
        )
    return output[: len(images), :, :, 0]


def flip_averaged(
    output: np.ndarray,
    mirrored: np.ndarray,
    size: Tuple[int, int],
    crop: Tuple[int, int, int, int],
    limits: Tuple[float, float] = depth.LIMITS_M,
    framing: depth.Framing = depth.STRETCHED,
) -> np.ndarray:
    """Depth inside `crop` of images of `size`, from the outputs (n, h, w) for them and for their mirror images.

    framing: how the images got into the network's input, which is twice as large as its output.
    """
    average = (depth.metres(output, limits) + depth.metres(mirrored, limits)[:, :, ::-1]) / 2
    if not framing.placed:
        return depth.enlarge(average, size, crop)
    shown = (2 * average.shape[1], 2 * average.shape[2])
    where = depth.place(size, shown, framing.window)
    return np.stack([depth.taken_out(one, where, shown, size)[depth.inside(crop)] for one in average])
