"""The training input: records to batches of images and targets, as tf.data.

Decoding, augmenting and scaling are done by Pillow and NumPy in a few threads, so the values are the same under every
TensorFlow release; they are those of TensorFlow's decoders too, for JPEG with `dct_method="INTEGER_ACCURATE"`.
"""

import collections
import concurrent.futures
import io
import os
import struct
import weakref
from typing import Any, Callable, Deque, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image, ImageFile

from .. import memory, ranges
from ..errors import PipelineError
from ..imaging import resize
from ..tf import tf
from . import augmentation, unfiltered_png
from .order import CHANNEL_ORDERS, Order
from .records import RecordIndex

HALVINGS = ("pick", "mean")

# Target of a pixel of which the depth is not known.
HOLE = 0.0

# More than the processors would only push each other's images out of the caches.
_THREADS = min(4, len(os.sched_getaffinity(0)))
# Batches that are read while the training is busy with the ones before.
_AHEAD = 2

# Bytes; EIGEN_MAX_ALIGN_BYTES of any build.
_ALIGNMENT = 64

_SCALE = np.float32(1 / 255.0)

# What Pillow raises for bytes that are no whole image.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
# Pillow's modes of depth without a unit, and with one.
_DEPTH_MODES = (("L",), ("L", "I", "I;16"))
_AGAIN = "make the records again with dataset_tool_tf.py"


def target_table(
    min_depth: float, max_depth: float, values: int = 256, unit: float = 10 / 255, scale: float = 1.0
) -> np.ndarray:
    """The training target for each value of a depth image: float32 (values,), 1000 / depth in centimetres.

    A value v stands for v * unit * scale metres, clipped to min_depth..max_depth centimetres before the inversion, so
    that a zero does not become infinite.
    """
    centimetres = np.arange(values, dtype=np.float64) * unit * 100 * scale
    return (1000 / np.clip(centimetres, min_depth, max_depth)).astype(np.float32)


def has_holes(index: RecordIndex) -> bool:
    """Whether targets of these records (records.RecordIndex) may be `HOLE`: those with 16-bit depth."""
    return _kind(index).unit is not None


def batches(
    index: RecordIndex,
    order: Order,
    first_step: int,
    last_step: int,
    size: Tuple[int, int],
    halving: str,
    depth_range: Tuple[float, float] = (10, 1000),
    on_error: Callable[[Exception], Any] = lambda error: None,
) -> Any:
    """A tf.data.Dataset of (images, targets, records), one element a step from `first_step` up to `last_step`.

    index: records.RecordIndex. order: order.Order, whose batch size is used. size: (height, width) of the network's
    input. images: float32 (n, height, width, 3), RGB in 0..1. targets: float32 (n, height / 2, width / 2, 1),
    1000 / depth in centimetres, or `HOLE`. records: int64 (n,), for messages. All shapes are static.

    Images of another size are brought to `size` as `resize.resized` does. `halving` says how the target, inverted at
    full resolution, comes to half of the size: "pick" takes every second pixel (what the reference port does under
    TensorFlow 1.15), "mean" averages the valid pixels of 2 x 2. Other ratios extend the same rule: the pixel at
    floor(i * scale), or the average over the area.

    `on_error` is called with an exception before it goes to TensorFlow, which would keep no more of it than its text
    inside of pages of others.
    """
    if halving not in HALVINGS:
        raise PipelineError("halving = {!r}: must be one of {}".format(halving, ", ".join(HALVINGS)))
    reader = _Reader(index, size, halving, depth_range)
    half = (size[0] // 2, size[1] // 2)
    shapes = ((order.batch_size,) + tuple(size) + (3,), (order.batch_size,) + half + (1,), (order.batch_size,))

    def read_ahead():
        try:
            yield from read()
        except Exception as error:
            on_error(error)
            raise

    def read():
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
            coming: Deque[Any] = collections.deque()
            for step in range(first_step, last_step):
                coming.append(reader.start(threads, order.batch(step), shapes))
                if len(coming) > _AHEAD:
                    yield _finished(*coming.popleft())
            while coming:
                yield _finished(*coming.popleft())

    dataset = tf.data.Dataset.from_generator(
        read_ahead, (tf.float32, tf.float32, tf.int64), tuple(tf.TensorShape(shape) for shape in shapes)
    )
    return dataset.prefetch(1)


def _looked_up(table, values):
    """The entries of `table` for whole numbers of any type: NumPy is faster with its own, the conversion included."""
    return table[values.astype(np.intp)]


def _finished(jobs, arrays):
    for job in jobs:
        job.result()
    return arrays


def sample_name(index: RecordIndex, record: int) -> str:
    """What the user knows the record by: the image's name in the archive where it is stored, and the record's place."""
    return _name(_features(index, record), index.name(record))


def _name(features, place):
    stored = features["name"].bytes_list.value
    return "{} ({})".format(stored[0].decode(errors="replace"), place) if stored else place


def _features(index, record):
    data = index.read(record)
    try:
        return tf.train.Example.FromString(data).features.feature
    except Exception as error:
        # The class of a parse error differs between releases of protobuf.
        if type(error).__name__ != "DecodeError":
            raise
    raise PipelineError("{}: not a tf.train.Example; {}".format(index.name(record), _AGAIN))


def _stored(features, key, name):
    stored = features[key].bytes_list.value
    if not stored or not stored[0]:
        raise PipelineError("{}: no feature {} with an image in it; {}".format(name, key, _AGAIN))
    return stored[0]


def _picture(features, key, name, formats=None):
    """The image in the feature `key`, decoded here, since NumPy keeps errors of decoding to itself."""
    stored = _stored(features, key, name)
    try:
        picture = Image.open(io.BytesIO(stored), formats=formats)
        picture.load()
    except _DAMAGE as error:
        # Pillow names the stream, which nobody knows.
        reason = str(error).split(" <")[0]
        kind = " as {}".format(formats[0]) if formats else ""
        raise PipelineError("{}: {} cannot be decoded{} ({}); {}".format(name, key, kind, reason, _AGAIN)) from None
    return picture


class _Arrays:
    """Float32 arrays, whose memory serves again when nobody holds the array any more.

    They begin where TensorFlow wants them: it takes such arrays as they are and copies others. Fresh memory for every
    batch would cost as much as decoding it.
    """

    def __init__(self):
        self._free = {}

    def take(self, shape):
        """An array of any values."""
        count = int(np.prod(shape))
        free = self._free.setdefault(count, [])
        room = free.pop() if free else np.empty(count + _ALIGNMENT // 4, np.float32)
        first = -room.ctypes.data % _ALIGNMENT // 4
        array = room[first : first + count].reshape(shape)
        weakref.finalize(array, free.append, room).atexit = False
        return array


class _Kind(NamedTuple):
    """What records are."""

    # Height and width of the images.
    size: Tuple[int, int]
    # Metres per value of 16-bit depth, in which 0 is invalid; None for 8-bit depth.
    unit: Optional[float]
    # Whether the depth is in the form of `unfiltered_png`.
    unfiltered: bool


def _kind(index):
    """What the records are, by the first; the batches refuse others."""
    features, name = _features(index, 0), index.name(0)
    size = _picture(features, "data_x", name).size[::-1]
    unfiltered = unfiltered_png.decoded(_stored(features, "data_y", name), size) is not None
    return _Kind(size, _unit(features, name), unfiltered)


def _unit(features, name):
    if "depth_unit" not in features:
        return None
    stored = features["depth_unit"].float_list.value
    problem = ranges.fault(stored[0], "data.custom.metres_per_unit") if stored else "must be a number"
    if problem:
        raise PipelineError(
            "{}: depth_unit = {}, metres a value: {}; {}".format(
                name, "{:g}".format(stored[0]) if stored else "nothing", problem, _AGAIN
            )
        )
    return stored[0]


class _Reader:
    """Samples as arrays; safe for several threads."""

    def __init__(self, index, size, halving, depth_range):
        self._index = index
        self._size = tuple(size)
        self._half = (size[0] // 2, size[1] // 2)
        self._halving = halving
        self._kind = _kind(index)
        self._arrays = _Arrays()
        # Without it a quarter of the decoders' time goes to fresh memory.
        memory.keep()
        # Bytes that Pillow hands out at once: an image becomes an array without being put together from parts.
        ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 4 * self._kind.size[0] * self._kind.size[1])
        self._depth_range = depth_range
        self._table = self._target_table()
        self._halves = self._kind.size == (2 * self._half[0], 2 * self._half[1])
        self._used = (slice(None, None, 2),) * 2 if self._halves else np.ix_(self._picked(0), self._picked(1))
        # A quarter of the targets of two neighbours, by their two bytes as one number of 16 bits.
        self._pairs: Any = (
            (np.add.outer(self._table, self._table) / np.float32(4)).ravel() if self._kind.unit is None else None
        )

    def _target_table(self, scale=1.0):
        if self._kind.unit is None:
            return target_table(self._depth_range[0], self._depth_range[1], scale=scale)
        table = target_table(self._depth_range[0], self._depth_range[1], 65536, self._kind.unit, scale)
        table[0] = HOLE
        return table

    def _picked(self, axis):
        scale = self._kind.size[axis] / self._half[axis]
        return np.floor(np.arange(self._half[axis]) * scale).astype(int)

    def start(self, threads, samples, shapes):
        """(jobs, arrays) of a batch: the arrays are filled when the jobs are done."""
        images, targets = self._arrays.take(shapes[0]), self._arrays.take(shapes[1])
        jobs = [threads.submit(self._read, *args) for args in zip(samples, images, targets)]
        return jobs, (images, targets, np.array([sample.record for sample in samples], np.int64))

    def _read(self, sample, image, target):
        features = _features(self._index, sample.record)
        name = _name(features, self._index.name(sample.record))
        rgb = _picture(features, "data_x", name)
        rgb = rgb.convert("RGB") if rgb.mode != "RGB" else rgb
        depth = self._depth(features, name)
        fits = depth is not None and _unit(features, name) == self._kind.unit
        if not (fits and rgb.size[::-1] == depth.shape == self._kind.size):
            raise PipelineError("{}: of another size or kind of depth than the first record; {}".format(name, _AGAIN))
        if sample.view is None:
            self._fill_image(rgb, sample, image)
            values = self._target(depth)
        else:
            rgb, depth, known = augmentation.seen(rgb, depth, sample.view)
            self._fill_image(rgb, sample, image)
            augmentation.recolour(image, sample.view)
            table = self._target_table(augmentation.depth_scale(sample.view))
            values = self._reduced(np.where(known, _looked_up(table, depth), np.float32(HOLE)))
        target[:, :, 0] = values[:, ::-1] if sample.mirror else values

    def _depth(self, features, name):
        """The stored depth (H, W); None for values of a kind that the first record does not have."""
        if self._kind.unfiltered:
            depth = unfiltered_png.decoded(_stored(features, "data_y", name), self._kind.size)
            if depth is not None:
                return depth if depth.itemsize == 1 or self._kind.unit is not None else None
        picture = _picture(features, "data_y", name, ["PNG"])
        return np.asarray(picture) if picture.mode in _DEPTH_MODES[self._kind.unit is not None] else None

    def _fill_image(self, rgb, sample, out):
        # Pillow moves whole pixels, which is several times faster than NumPy's strides.
        if sample.mirror:
            rgb = rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        channels = CHANNEL_ORDERS[sample.channels].tolist()
        if channels != [0, 1, 2]:
            bands = rgb.split()
            rgb = Image.merge("RGB", [bands[channel] for channel in channels])
        values = np.asarray(rgb)
        if values.shape[:2] != self._size:
            values = resize.resized(values, self._size)
        np.multiply(values, _SCALE, out=out)

    def _target(self, depth):
        """The target (height / 2, width / 2) of the depth image, not mirrored."""
        if self._halving == "pick":
            # On the values, before the inversion, so that nothing is computed for pixels that are not used.
            return _looked_up(self._table, depth[self._used])
        if self._halves and self._kind.unit is None:
            rows = _looked_up(self._pairs, np.ascontiguousarray(depth).view(np.uint16))
            return rows[::2] + rows[1::2]
        inverse = _looked_up(self._table, depth)
        return self._averaged(inverse) if self._kind.unit is None else self._reduced(inverse)

    def _reduced(self, inverse):
        """Targets (H, W), some of which may be `HOLE`, at half size."""
        if self._halving == "pick":
            return inverse[self._used]
        mean, known = self._averaged(inverse), self._averaged(inverse != HOLE)
        return np.where(known > 0, mean / np.maximum(known, np.float32(1e-6)), np.float32(HOLE))

    def _averaged(self, values):
        """The mean of `values` (H, W) over the area of each pixel of the target."""
        if self._halves:
            above, below = values[::2].astype(np.float32), values[1::2].astype(np.float32)
            return (above[:, ::2] + above[:, 1::2] + below[:, ::2] + below[:, 1::2]) / np.float32(4)
        return resize.resized(values[:, :, np.newaxis], self._half)[:, :, 0]
