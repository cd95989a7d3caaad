"""A checkpoint on the validation images: its figures, by the code of every evaluation, and its loss, by the training's.

The loss of an image is that of its output and of a target made as the training makes it, without augmentation; that of
the images is their mean. The images are not mirrored for it.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

import numpy as np

from ..errors import PipelineError
from ..imaging import depth, resize
from ..inference import forward
from ..network import checkpoints
from ..tf import tf
from ..training import loss
from . import scoring
from .metric_table import BY_KEY

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

# Figures for the terminal.
_SHOWN = ("rel_truth", "rms_pooled", "delta1")


def evaluate(
    predictor: Any, path: str, test_set: "TestSet", batch_size: int, progress: Optional[Callable[[int], Any]] = None
) -> Dict[str, Any]:
    """As `scoring.evaluate` with the protocol `port`, of the checkpoint `path`, which `predictor` has loaded.

    Besides, `loss` has the means of the loss (`loss`) and of its terms over the images.
    """
    forward.check_batch_size(predictor, batch_size)
    side = checkpoints.find(path).side
    if "training" not in side:
        raise PipelineError("{}: its metadata names no training, so its loss is not known".format(path))
    losses = _Losses(predictor, side["training"])
    stored = _Outputs(predictor, test_set, batch_size, losses)
    document = scoring.evaluate_stored(stored, test_set, progress)
    return dict(document, loss=losses.means())


def line(document: Dict[str, Any]) -> str:
    """Loss, AbsRel, RMSE and delta1 on one line."""
    figures = [("loss", document["loss"]["loss"])]
    figures += [(BY_KEY[key].plain_title, document["metrics"][key]) for key in _SHOWN]
    return ", ".join("{} {:.4f}".format(*figure) for figure in figures)


def target(truth: np.ndarray, half: Tuple[int, int], halving: str, depth_range: Tuple[float, float]) -> np.ndarray:
    """The training target (h, w) of `half` (height, width) for a depth map in metres, 0 where invalid.

    It is 1000 / depth in centimetres within `depth_range` (centimetres), 0 where invalid; halving: see
    `dataset.batches`.
    """
    known = np.isfinite(truth) & (truth > 0)
    clipped = np.clip(np.where(known, truth, 1) * 100.0, *depth_range)
    inverse = np.where(known, 1000 / clipped, 0).astype(np.float32)
    if halving == "pick":
        rows, columns = (np.floor(np.arange(half[i]) * (truth.shape[i] / half[i])).astype(int) for i in (0, 1))
        return inverse[np.ix_(rows, columns)]
    mean, share = (resize.resized(values[:, :, np.newaxis], half)[:, :, 0] for values in (inverse, known))
    return np.where(share > 0, mean / np.maximum(share, np.float32(1e-6)), np.float32(0))


class _Outputs:
    """The outputs of the network for the images and their mirror images, batch after batch, as scoring wants them."""

    def __init__(self, predictor: Any, test_set: "TestSet", batch_size: int, losses: "_Losses") -> None:
        self.batch_size = batch_size
        self.describe = predictor.describe
        self._predictor = predictor
        self._losses = losses
        self._batches = test_set.batches(batch_size, holes=True)

    def outputs(self, number: int) -> Tuple[np.ndarray, np.ndarray]:
        """Those of batch `number`, which are asked for in their order."""
        rgb, truth, _ = next(self._batches)
        images = depth.fit(rgb, self._predictor.size)
        output = forward.predict(self._predictor, images, self.batch_size)
        self._losses.add(output, truth)
        return output, forward.predict(self._predictor, images[:, :, ::-1], self.batch_size)


class _Losses:
    """The losses of images so far."""

    def __init__(self, predictor: Any, training: Dict[str, Any]) -> None:
        self._half = tuple(side // 2 for side in predictor.size)
        self._halving, self._range = training["halving"], training["depth_range"]
        self._found: list = []
        with tf.Graph().as_default() as graph:
            shape = (1, *self._half, 1)
            output, wanted = (tf.placeholder(tf.float32, shape) for _ in range(2))
            self._feeds = [output, wanted]
            name = training.get("recipe", {}).get("loss", "densedepth")
            self._terms = loss.named(name, output, wanted, holes=True, farthest=self._range[1])
        self._session = tf.Session(graph=graph)

    def add(self, outputs: np.ndarray, truths: np.ndarray) -> None:
        for output, truth in zip(outputs, truths):
            wanted = target(truth, self._half, self._halving, self._range)
            if wanted.any():
                pair = [values[np.newaxis, :, :, np.newaxis] for values in (output, wanted)]
                self._found.append(self._session.run(self._terms, dict(zip(self._feeds, pair))))

    def means(self) -> Dict[str, float]:
        """{term: its mean}; the whole loss is `loss`."""
        self._session.close()
        names = {"loss": "total", "l1": "l1", "gradient": "gradient", "ssim": "ssim"}
        return {name: float(np.mean([one[term] for one in self._found])) for name, term in names.items()}
