"""The public interface: a trained network in a file of any kind, RGB images in, depth in metres out.

    import densedepth

    network = densedepth.load("results/1p/export/model.pb")
    metres = network.predict(rgb)

What a kind of file needs is imported when one is loaded: an ONNX file needs no TensorFlow.
"""

import os
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from ..errors import PipelineError
from ..imaging import depth
from . import forward


def load(path: str, *tensors: str, images: int = 1) -> "Network":
    """The `Network` in `path`, ready to run:

    - an ONNX file (`.onnx`), by ONNX Runtime
    - an OM file (`.om`), by CANN's `msame` or `ais_bench`, which must be installed, with its metadata file beside it
    - OpenVINO's intermediate representation (`.xml`, its `.bin` beside it), by OpenVINO
    - a LiteRT file (`.tflite`), by the current TensorFlow
    - a SavedModel: the folder with `saved_model.pb`, or that file
    - a checkpoint: its folder, a folder of `epoch<N>` folders (the highest counts), or one of its files
    - a frozen graph: any other file

    `tensors` are the names of a frozen graph's input and output where they are not `input_1:0` and `conv3/BiasAdd:0`.
    `images`: on about how many it will be run, mirrored ones too. For a hundred or more, parts of a large frozen graph
    are compiled, for each new batch size, which takes 2 to 3 seconds; depth is the same up to rounding.
    A network for TensorFlow switches this process to graph mode (`tf.compat.v1.disable_v2_behavior`). Raises
    PipelineError, which names the file and what is wrong with it.
    """
    path = os.path.expanduser(os.fspath(path))
    if path.endswith(".onnx"):
        from . import onnx_predictor

        return Network(onnx_predictor.load(path))
    if path.endswith(".om"):
        from . import om_predictor

        return Network(om_predictor.load(path))
    if path.endswith(".xml"):
        from . import openvino_predictor

        return Network(openvino_predictor.load(path))
    if path.endswith(".tflite"):
        from . import litert_predictor

        return Network(litert_predictor.load(path))
    from . import predictors

    return Network(predictors.load(path, *tensors, images=images))


class Network:
    """A trained network of any kind of file; a context manager that frees it, as `close` does.

    size: (height, width) of its input, or None when any will do (multiples of 32). batch: its one batch size, or None
    when any will do. Both only concern `run`: `predict` takes images of any size and number.
    """

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self.size = predictor.size
        self.batch = predictor.batch

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def close(self) -> None:
        """Free the network's memory; it cannot run afterwards."""
        self._predictor.__exit__(None, None, None)

    def predict(
        self,
        rgb: np.ndarray,
        flip_average: bool = True,
        limits: Optional[Tuple[float, float]] = None,
        batch_size: int = 4,
        size: Optional[Sequence[int]] = None,
    ) -> np.ndarray:
        """Depth in metres for RGB images of any size.

        rgb: one image (H, W, 3) or a batch (n, H, W, 3), red first; uint8 in 0..255 or floating point in 0..1.
        Returns float32 (H, W) or (n, H, W): the distance along the viewing axis in metres, at the size of the images.

        An image is scaled to the network's input with its aspect ratio kept and centred there, the rest being its
        repeated border pixels; the depth of that part is enlarged bilinearly, as predict.py does. `flip_average`: mean
        with the depth of the mirrored image, as in evaluations; twice the time. `limits`: nearest and farthest depth
        in metres, to which the result is clipped; by default `depth_range()`. `batch_size`: images in one pass of a
        network that takes any number. `size`: (height, width) of the input of a network that takes any.

        Raises PipelineError for arrays of another shape, type or range, a network that takes any size without `size`,
        and output that is not a number.

            rgb = numpy.asarray(PIL.Image.open("room.jpg").convert("RGB"))
            metres = densedepth.load("model.pb").predict(rgb)
        """
        pictures = _pictures(rgb)
        size = forward.input_size(self, size)
        limits = self.depth_range() if limits is None else _limits(limits)
        where = depth.place(pictures.shape[1:3], size)
        # A network of a fixed batch gets its batch filled up; one of any gets no more than there are.
        batch = self.batch or max(1, min(batch_size, len(pictures)))
        metres = np.empty(pictures.shape[:3], np.float32)
        for first in range(0, len(pictures), batch):
            images = np.stack([depth.put(_levels(one), where, size) for one in pictures[first : first + batch]])
            maps = forward.metres(self, images, batch, limits, flip_average)
            for number, low in enumerate(maps, first):
                metres[number] = depth.taken_out(low, where, size, pictures.shape[1:3])
        if np.isnan(metres).any():
            raise PipelineError("{}: the network's output is not a number".format(self.describe()["path"]))
        return metres[0] if np.ndim(rgb) == 3 else metres

    def depth_range(self) -> Tuple[float, float]:
        """(nearest, farthest) depth in metres the network was trained for; NYU Depth v2's (0.1, 10) if unknown."""
        return forward.limits(self.describe())[0]

    def run(self, images: np.ndarray) -> np.ndarray:
        """The output as it is, (n, height / 2, width / 2, 1), 1000 / depth in centimetres.

        `images`: float32 (n, height, width, 3), RGB in 0..1, of the network's `size` and `batch`.
        """
        return self._predictor.run(images)

    def describe(self) -> Dict[str, Any]:
        """What this is: kind ("checkpoint", "frozen", "saved_model", "onnx", "openvino", "litert" or "om"),
        path, epoch, global_step, model, size, depth_range (centimetres) and sha256; None for what files do not tell."""
        return self._predictor.describe()


def _pictures(rgb):
    """`rgb` as a batch of whole images: (n, H, W, 3), uint8 or floating point."""
    pictures = np.asarray(rgb)
    if pictures.ndim not in (3, 4) or pictures.shape[-1] != 3 or 0 in pictures.shape[-3:]:
        raise PipelineError(
            "rgb: expected an array (height, width, 3) or (n, height, width, 3), got shape {}".format(pictures.shape)
        )
    if pictures.dtype != np.uint8 and pictures.dtype.kind != "f":
        raise PipelineError("rgb: expected uint8 in 0..255 or floating point in 0..1, got {}".format(pictures.dtype))
    # Written so that NaN fails too.
    if pictures.size and pictures.dtype.kind == "f" and not (pictures.min() >= 0 and pictures.max() <= 1):
        raise PipelineError(
            "rgb: expected floating point in 0..1, got {:g} to {:g}; divide by 255 or pass uint8".format(
                pictures.min(), pictures.max()
            )
        )
    return pictures if pictures.ndim == 4 else pictures[np.newaxis]


def _levels(picture):
    """An image in 0..255, as `depth.put` takes it."""
    return picture if picture.dtype == np.uint8 else picture.astype(np.float32) * np.float32(255)


def _limits(limits):
    nearest, farthest = limits
    if not 0 < nearest < farthest < float("inf"):
        raise PipelineError("limits: expected metres, 0 < nearest < farthest, got {}, {}".format(nearest, farthest))
    return float(nearest), float(farthest)
