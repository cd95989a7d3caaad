"""Depth of successive frames of a video: what flickers, and a mean over time. NumPy only.

A pixel is still where no colour of its frame differs from that of the frame before by more than `STILL` of 255 levels:
there, depth should not change either.
"""

from typing import Optional, Tuple

import numpy as np

# Levels of 255: above the noise of cameras and compression, below what moving things change.
STILL = 8


def still(before: np.ndarray, after: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Whether each pixel of a depth map of `size` (h, w) is still between two frames, (H, W, 3) in 0..1: bool (h, w).

    H and W are whole multiples of h and w; of the pixels of the frames that a pixel of the map covers, all must be.
    """
    change = np.abs(after - before).max(-1) <= np.float32((STILL + 0.01) / 255)
    height, width = size
    return change.reshape(height, change.shape[0] // height, width, change.shape[1] // width).all((1, 3))


class Smoother:
    """An exponential mean over time of 1 / depth where the image is still; elsewhere depth is that of the frame.

    Of 1 / depth, since that is what the network puts out: its noise there depends little on distance, while a mean of
    depth follows the farthest of the values. Where the image changes nothing of the past counts, so nothing drags
    behind what moves.

    weight: of the past, from 0 (nothing changes) to below 1; noise that is independent from frame to frame has
    (1 - weight) / (1 + weight) of its variance left.
    """

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._past: Optional[np.ndarray] = None

    def __call__(self, metres: np.ndarray, unchanged: Optional[np.ndarray]) -> np.ndarray:
        """The mean for a frame from its depth (h, w) in metres and where it is `still`, None for the first frame."""
        if not self._weight:
            return metres
        inverse = 1 / metres
        if self._past is not None and unchanged is not None:
            mean = self._weight * self._past + (1 - self._weight) * inverse
            inverse = np.where(unchanged, mean, inverse)
        self._past = inverse
        return 1 / inverse


class Flicker:
    """The mean relative change of depth, |d(t) - d(t-1)| / d(t-1), over all still pixels of all pairs of frames."""

    def __init__(self) -> None:
        self._before: Optional[np.ndarray] = None
        self._sum = 0.0
        self._pixels = 0

    def add(self, metres: np.ndarray, unchanged: Optional[np.ndarray]) -> None:
        """Take the next frame's depth (h, w) in metres and where it is `still`, None for the first frame."""
        if self._before is not None and unchanged is not None:
            change = np.abs(metres - self._before) / self._before
            self._sum += float(change[unchanged].sum())
            self._pixels += int(unchanged.sum())
        self._before = metres

    def mean(self) -> Optional[float]:
        """The figure; None where no pixel was still."""
        return self._sum / self._pixels if self._pixels else None
