"""Named ways to score the same predictions: which pixels count, which depths, and how images are averaged. NumPy only.

port   the reference port's, and DenseDepth's code since August 2019: the archive's crop, every pixel, pooled
paper  DenseDepth's paper (arXiv 1812.11941): the same pixels, each figure averaged over images; only rms differs
bts    BTS (Lee et al. 2019) and later work: crop 45:471, 41:601 of 480x640, truth within 1e-3..10 m (both ends
       excluded), prediction clipped to that range, averaged over images
garg   KITTI's: the crop of Garg et al. 2016 as a share of each image at its own size, truth within 1e-3..80 m (both
       ends excluded), prediction clipped to that range, averaged over images (as evaluated by BTS, AdaBins, Monodepth2)
eigen  the same with the crop of Eigen et al. 2014
"""

import dataclasses
import math
from typing import TYPE_CHECKING, Collection, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import PipelineError

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

_BTS_SIZE = (480, 640)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """name; crop (top, bottom, left, right), inclusive, or None for the archive's; truth_m: the open range of true
    depths that count, or None for all; limits_m: the range that predictions are clipped to, or None for the caller's;
    averaging: `pooled` over the pixels of all images, or `image`: the mean of the images' own scores; shares: instead
    of a crop for one size, (top, bottom, left, right) as shares of height and width, rounded down; bottom and right
    are exclusive."""

    name: str
    averaging: str
    crop: Optional[Tuple[int, int, int, int]] = None
    truth_m: Optional[Tuple[float, float]] = None
    limits_m: Optional[Tuple[float, float]] = None
    shares: Optional[Tuple[float, float, float, float]] = None

    def crop_in(self, size: Tuple[int, int]) -> Tuple[int, int, int, int]:
        """The crop of an image of `size` (height, width), inclusive; of a `fitted` protocol."""
        if self.shares is None:
            assert self.crop is not None
            return self.crop
        height, width = size
        top, bottom, left, right = (
            int(share * length) for share, length in zip(self.shares, (height, height, width, width))
        )
        return top, bottom - 1, left, right - 1

    @property
    def masked(self) -> bool:
        """Whether the ground truth may have invalid pixels."""
        return self.truth_m is not None

    def mask(self, truth: np.ndarray) -> Optional[np.ndarray]:
        """Bool array of the pixels of `truth` that count, or None for all of them."""
        if self.truth_m is None:
            return None
        with np.errstate(invalid="ignore"):
            # A hole that is not a number compares as false.
            return (truth > self.truth_m[0]) & (truth < self.truth_m[1])


_ALL = (
    Protocol("port", "pooled"),
    Protocol("paper", "image"),
    Protocol("bts", "image", crop=(45, 470, 41, 600), truth_m=(1e-3, 10.0), limits_m=(1e-3, 10.0)),
    Protocol("garg", "image", None, (1e-3, 80.0), (1e-3, 80.0), (0.40810811, 0.99189189, 0.03594771, 0.96405229)),
    Protocol("eigen", "image", None, (1e-3, 80.0), (1e-3, 80.0), (0.3324324, 0.91351351, 0.0359477, 0.96405229)),
)
NAMES = tuple(protocol.name for protocol in _ALL)


def named(names: Collection[str]) -> List[Protocol]:
    """The protocols of these names, each once, in the order of `NAMES`. Raises PipelineError for an unknown name."""
    for name in names:
        if name not in NAMES:
            raise PipelineError("protocol {}: unknown, legal are {}".format(name, ", ".join(NAMES)))
    return [protocol for protocol in _ALL if protocol.name in names]


def fitted(protocol: Protocol, test_set: "TestSet") -> Protocol:
    """`protocol` with the crop for this test set, and without its invalid pixels.

    Raises PipelineError when the protocol's crop is for images of another size, or is for images at their own size and
    these are not.
    """
    if protocol.shares:
        if not test_set.framing.placed:
            words = "{}: protocol {} is for images at their own size, these were resized; set data.test_size: own"
            raise PipelineError(words.format(test_set.path, protocol.name))
        return dataclasses.replace(protocol, crop=protocol.crop_in(test_set.image_size))
    if test_set.holes and not protocol.masked:
        protocol = dataclasses.replace(protocol, truth_m=(0.0, test_set.limits[1]))
    if protocol.crop is None:
        return dataclasses.replace(protocol, crop=tuple(test_set.crop))
    if any(test_set.size_of(index) != _BTS_SIZE for index in range(test_set.count)):
        raise PipelineError(
            "{}: protocol {} is for images of {}x{}, these have {}x{}; take another one".format(
                test_set.path, protocol.name, *_BTS_SIZE + tuple(test_set.image_size)
            )
        )
    return protocol


def mean_of_images(scores: Sequence[Dict[str, float]]) -> Dict[str, float]:
    """Each figure's mean over the images' `scores` (see `metrics.image_scores`); rms becomes `rms_image`."""
    means = {name: math.fsum(image[name] for image in scores) / len(scores) for name in scores[0]}
    means["rms_image"] = means.pop("rms")
    return means
