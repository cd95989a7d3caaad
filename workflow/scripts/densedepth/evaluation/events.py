"""Evaluations for TensorBoard: the figures of a checkpoint, and what it predicts for some test images.

One file for each epoch, of a fixed name, so that an evaluation that is repeated replaces its points.
"""

import io
import os
import time
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Tuple

import numpy as np
from PIL import Image

from .. import files
from ..imaging.depth import inside
from ..inference import forward
from ..tf import tf
from . import documents

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

# Images shown, and their height on the page in pixels.
_IMAGES = 3
_HEIGHT = 160


def write(folder: str, document: Dict[str, Any], pictures: Iterable[Tuple[int, np.ndarray]]) -> None:
    """Write the events of an evaluation (see `scoring.evaluate`) to `folder`; `pictures` as from `pictures`."""
    source = document["source"]
    values = []
    for name, block in documents.blocks(document).items():
        for key, figure in block["metrics"].items():
            values.append(tf.Summary.Value(tag="{}/{}".format(name, key), simple_value=figure))
    # Under the names of the training's, so that both are drawn into one chart.
    for key, figure in document.get("loss", {}).items():
        values.append(tf.Summary.Value(tag="train/" + key, simple_value=figure))
    for index, picture in pictures:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        height, width = picture.shape[:2]
        image = tf.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=stream.getvalue())
        tag = "held_out/image_{}: input, ground truth, prediction, error".format(index)
        values.append(tf.Summary.Value(tag=tag, image=image))
    now, step = time.time(), source["global_step"]
    # TensorBoard reads the files of a folder in the order of their names.
    path = os.path.join(folder, "events.out.tfevents.{:010d}.epoch".format(source["epoch"]))
    with files.atomic_path(path) as temporary, tf.io.TFRecordWriter(temporary) as stream:
        stream.write(tf.Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        stream.write(tf.Event(wall_time=now, step=step, summary=tf.Summary(value=values)).SerializeToString())


def pictures(predictor: Any, test_set: "TestSet", count: int = _IMAGES) -> List[Tuple[int, np.ndarray]]:
    """[(index, uint8 (h, 4 w, 3))] of some test images: input, ground truth, prediction and error side by side.

    Depth is grey, black at the nearest ground truth and white at the farthest; the error is red, full at a third of
    that range; an invalid ground truth is blue.
    """
    count = min(count, test_set.count)
    crop, limits, framing = test_set.crop, test_set.limits, test_set.framing
    shown = []
    for index in sorted({(2 * i + 1) * test_set.count // (2 * count) for i in range(count)}):
        rgb, truth = test_set.image(index, holes=True)
        depth = forward.predict_depth(predictor, rgb, predictor.batch or 1, crop, limits, framing)[0]
        shown.append((index, _row(rgb[0], truth[0], depth, test_set.crop)))
    return shown


def _row(rgb, truth, depth, crop):
    rgb, truth = (one[inside(crop)] for one in (rgb, truth))
    step = max(1, truth.shape[0] // _HEIGHT)
    rgb, truth, depth = (one[::step, ::step] for one in (rgb, truth, depth))
    known = truth > 0
    near, far = (truth[known].min(), truth[known].max()) if known.any() else (0.0, 1.0)
    span = max(far - near, 1e-6)

    def grey(values):
        return np.repeat((255 * np.clip((values - near) / span, 0, 1)).astype(np.uint8)[..., np.newaxis], 3, 2)

    error = (255 - 255 * np.clip(np.abs(truth - depth) / (span / 3), 0, 1)).astype(np.uint8)
    red = np.stack([np.full_like(error, 255), error, error], 2)
    unknown = np.array([70, 90, 200], np.uint8)
    shown_truth, red = (np.where(known[..., np.newaxis], one, unknown) for one in (grey(truth), red))
    return np.concatenate([rgb, shown_truth, grey(depth), red], 1)
