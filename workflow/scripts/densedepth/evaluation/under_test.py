"""A network whose depth is measured on images made worse: one of ours, or one of another program in an ONNX file.

Ours are scored as evaluations do it, by the mean of the depth of an image and of its mirror image. Those of other
programs are scored by the depth of the image alone, aligned with the ground truth as their settings say.
"""

from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from ..imaging import depth
from ..inference import forward
from . import alignment, protocols, scoring

if TYPE_CHECKING:
    from ..data.test_archive import TestSet
    from .external_network import NetworkMaps


class Shown(NamedTuple):
    """What a network's input shows: the `part` (rows, columns) of an image of `size` (height, width), at `where`."""

    where: depth.Place
    part: Tuple[slice, slice]
    size: Tuple[int, int]

    def mask(self) -> np.ndarray:
        """Bool (height, width) of the image: what is shown."""
        found = np.zeros(self.size, bool)
        found[self.part] = True
        return found


class Network:
    """Depth in metres inside the crop of the protocol `port`, of images of a test set.

    size: (height, width) of the network's input, None for any; framing: how an image lies in it; alignment: the name of
    what is fitted to the ground truth. In the methods rgb is uint8 (H, W, 3), truth (h, w) the ground truth inside the
    crop, 0 where a pixel does not count, and index that of the image, for messages.
    """

    size: Optional[Tuple[int, int]]
    framing: depth.Framing
    alignment = "none"

    def __init__(self, test_set: "TestSet") -> None:
        self.protocol = protocols.fitted(protocols.named(["port"])[0], test_set)
        self._limits = test_set.limits

    def inside(self, maps: np.ndarray) -> np.ndarray:
        """`maps` (H, W) inside the crop."""
        return scoring.cropped(maps, self.protocol.crop_in(maps.shape[-2:]))

    def describe(self) -> Dict[str, Any]:
        """What is measured, as JSON."""
        raise NotImplementedError

    def both(self, rgb: np.ndarray, truth: np.ndarray, index: int) -> np.ndarray:
        """(2, h, w): of the image, and of its mirror image, mirrored back."""
        raise NotImplementedError

    def scored(self, both: np.ndarray) -> np.ndarray:
        """(h, w): that of the two which is scored."""
        raise NotImplementedError

    def taken_out(self, image: np.ndarray, shown: Shown, truth: np.ndarray, index: int) -> np.ndarray:
        """(h, w) of what is `shown` in the network's input `image`, float32 (height, width, 3) in 0..1; of the rest,
        anything."""
        raise NotImplementedError


class Ours(Network):
    """A `Network` that a `predictors.Predictor` runs."""

    def __init__(self, predictor: Any, test_set: "TestSet") -> None:
        super().__init__(test_set)
        self._predictor, self._batch = predictor, predictor.batch or 1
        self.size, self.framing = predictor.size, test_set.framing

    def describe(self) -> Dict[str, Any]:
        """As of the predictor."""
        return self._predictor.describe()

    def both(self, rgb: np.ndarray, truth: np.ndarray, index: int) -> np.ndarray:
        """As `Network.both`."""
        images = depth.fit(rgb[np.newaxis], self.size, self.framing)
        output, mirrored = (forward.predict(self._predictor, one, self._batch) for one in (images, images[:, :, ::-1]))
        how = rgb.shape[:2], self.protocol.crop_in(rgb.shape[:2]), self._limits, self.framing
        one = forward.flip_averaged(output, output[:, :, ::-1], *how)
        return np.concatenate([one, forward.flip_averaged(mirrored[:, :, ::-1], mirrored, *how)])

    def scored(self, both: np.ndarray) -> np.ndarray:
        """The mean of both."""
        return both.mean(axis=0)

    def taken_out(self, image: np.ndarray, shown: Shown, truth: np.ndarray, index: int) -> np.ndarray:
        """As `Network.taken_out`."""
        metres = forward.metres(self._predictor, image[np.newaxis], self._batch, self._limits, flip_average=False)[0]
        return self.inside(_put_back(metres, image, shown))


class Theirs(Network):
    """A `Network` of another program."""

    framing = depth.STRETCHED

    def __init__(self, maps: "NetworkMaps", test_set: "TestSet") -> None:
        super().__init__(test_set)
        self._maps, self.size, self.alignment = maps, maps.size, maps.alignment

    def describe(self) -> Dict[str, Any]:
        """As of the maps."""
        return self._maps.describe()

    def both(self, rgb: np.ndarray, truth: np.ndarray, index: int) -> np.ndarray:
        """As `Network.both`, each aligned by itself."""
        values = self._maps.values(index, rgb), self._maps.values(index, rgb[:, ::-1])[:, ::-1]
        crop, size = self.protocol.crop_in(rgb.shape[:2]), rgb.shape[:2]
        found = [self._maps.depth(one, index, crop, self._limits, size, truth[np.newaxis]) for one in values]
        return np.concatenate(found)

    def scored(self, both: np.ndarray) -> np.ndarray:
        """That of the image."""
        return both[0]

    def taken_out(self, image: np.ndarray, shown: Shown, truth: np.ndarray, index: int) -> np.ndarray:
        """As `Network.taken_out`, aligned by what is shown of the ground truth."""
        values = self._maps.values(index, image * np.float32(255))
        # What is not shown must be a legal value, too.
        found = self.inside(_put_back(values, image, shown, float(np.median(values))))
        known = np.where(self.inside(shown.mask()), truth, 0)
        if not (known > 0).any():
            return found
        of_one = found[np.newaxis], known[np.newaxis]
        return alignment.aligned(*of_one, self._maps.unit, self.alignment, self._limits)[0]


def _put_back(values, image, shown, rest=0.0):
    """What `values`, put out for `image`, say of what is `shown` of the whole image; `rest` elsewhere."""
    whole = np.full(shown.size, rest)
    height, width = (one.stop - one.start for one in shown.part)
    whole[shown.part] = depth.taken_out(values, shown.where, image.shape[:2], (height, width))
    return whole
