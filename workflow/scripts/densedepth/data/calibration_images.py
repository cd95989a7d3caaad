"""Images of the training records, by which int8 exports are calibrated: never those of the test set."""

import io
from typing import Optional, Tuple

import numpy as np

from ..errors import PipelineError
from ..imaging import depth
from ..tf import tf
from . import records


def none(size: Optional[Tuple[int, int]]) -> np.ndarray:
    """No image of this size."""
    return np.zeros((0,) + tuple(size or (32, 32)) + (3,), np.float32)


def images(path: str, count: int, size: Optional[Tuple[int, int]]) -> np.ndarray:
    """At most `count` images, evenly taken from the records that `path` means (see `records.expand`).

    Returns float32 (n, height, width, 3), RGB in 0..1, as the network reads them. Raises PipelineError for records
    that are damaged, and for a network of any size.
    """
    from PIL import Image

    if size is None:
        raise PipelineError("calibration: the network takes any size; freeze it for one")
    found = []
    with records.RecordIndex(records.expand([path])) as index:
        for number in np.unique(np.linspace(0, len(index) - 1, min(count, len(index))).round().astype(int)):
            example = tf.train.Example.FromString(index.read(int(number)))
            stored = example.features.feature["data_x"].bytes_list.value[0]
            with Image.open(io.BytesIO(stored)) as picture:
                found.append(depth.fit(np.asarray(picture.convert("RGB"))[np.newaxis], size)[0])
    return np.stack(found)
