"""Images made worse, in five severities each: what a camera, its settings or its pose may do. NumPy and Pillow only.

Noise, blur, contrast, brightness, JPEG and pixels are of the kinds of Hendrycks and Dietterich 2019 (ImageNet-C, arXiv
1903.12261), with its amounts where these do not depend on the size of the image; blurs are in shares of the width. They
leave the depth as it is. A rotation, a longer focal length and a part of the image move it along, and what they do not
show has none.
"""

import io
from typing import Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image, ImageFilter

SEVERITIES = 5


class Corruption(NamedTuple):
    """unit: what `amounts` are, one for each severity; photometric: (rgb, amount, random) -> rgb, uint8 (H, W, 3), or
    None; geometric: (amount, (H, W)) -> the rows of the matrix from new to old pixels (x, y), or None."""

    unit: str
    amounts: Tuple[float, ...]
    photometric: Optional[Callable[[np.ndarray, float, np.random.RandomState], np.ndarray]] = None
    geometric: Optional[Callable[[float, Tuple[int, ...]], Tuple[float, ...]]] = None


def apply(name: str, severity: int, rgb: np.ndarray, truth: np.ndarray, seed: int = 0) -> Tuple[np.ndarray, np.ndarray]:
    """(rgb, truth) of one image, made worse: uint8 (H, W, 3), and metres (H, W), 0 where there is none.

    severity: 1 to 5. The same seed gives the same noise.
    """
    corruption = CORRUPTIONS[name]
    amount = corruption.amounts[severity - 1]
    if corruption.photometric:
        return corruption.photometric(rgb, amount, np.random.RandomState(seed)), truth
    assert corruption.geometric is not None
    matrix = corruption.geometric(amount, truth.shape)
    size = truth.shape[1], truth.shape[0]
    moved = Image.fromarray(rgb).transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    depth = Image.fromarray(truth.astype(np.float32)).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST
    )
    return np.asarray(moved), np.asarray(depth)


def _clipped(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _gaussian_noise(rgb, amount, random):
    return _clipped(rgb + 255 * amount * random.standard_normal(rgb.shape))


def _shot_noise(rgb, amount, random):
    return _clipped(random.poisson(rgb / 255.0 * amount) / amount * 255)


def _blur(rgb, amount, random):
    radius = amount * rgb.shape[1]
    return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(radius)))


def _motion(rgb, amount, random):
    """A sideways move while the shutter was open: the mean over that many pixels to the right."""
    length = max(1, round(amount * rgb.shape[1]))
    padded = np.concatenate([rgb, np.repeat(rgb[:, -1:], length, axis=1)], axis=1).astype(np.float64)
    sums = np.concatenate([np.zeros_like(padded[:, :1]), np.cumsum(padded, axis=1)], axis=1)
    return _clipped((sums[:, length:] - sums[:, :-length])[:, : rgb.shape[1]] / length)


def _brightness(rgb, amount, random):
    return _clipped(rgb + 255 * amount)


def _contrast(rgb, amount, random):
    mean = rgb.mean(axis=(0, 1))
    return _clipped((rgb - mean) * amount + mean)


def _jpeg(rgb, amount, random):
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=int(amount))
    return np.asarray(Image.open(stream))


def _pixels(rgb, amount, random):
    height, width = rgb.shape[:2]
    small = Image.fromarray(rgb).resize(
        (max(1, int(width * amount)), max(1, int(height * amount))), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST))


def _rotation(degrees, size):
    """About the middle."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    y, x = (side / 2 for side in size)
    return cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y


def _focal(factor, size):
    """A part in the middle fills the image: that of a focal length so many times as long."""
    y, x = (side / 2 for side in size)
    return 1 / factor, 0, x * (1 - 1 / factor), 0, 1 / factor, y * (1 - 1 / factor)


def _crop(share, size):
    """The lower left part, of that share of height and width, fills the image."""
    return share, 0, 0, 0, share, size[0] * (1 - share)


CORRUPTIONS: Dict[str, Corruption] = {
    "gaussian_noise": Corruption("deviation by white", (0.08, 0.12, 0.18, 0.26, 0.38), _gaussian_noise),
    "shot_noise": Corruption("photons of white", (60, 25, 12, 5, 3), _shot_noise),
    "blur": Corruption("deviation by width", (0.002, 0.004, 0.006, 0.009, 0.013), _blur),
    "motion_blur": Corruption("way by width", (0.01, 0.02, 0.03, 0.045, 0.06), _motion),
    "brightness": Corruption("added, by white", (0.1, 0.2, 0.3, 0.4, 0.5), _brightness),
    "darkness": Corruption("added, by white", (-0.1, -0.2, -0.3, -0.4, -0.5), _brightness),
    "contrast": Corruption("factor", (0.4, 0.3, 0.2, 0.1, 0.05), _contrast),
    "jpeg": Corruption("quality", (25, 18, 15, 10, 7), _jpeg),
    "pixels": Corruption("size by the image's", (0.6, 0.5, 0.4, 0.3, 0.25), _pixels),
    "rotation": Corruption("degrees", (2, 5, 10, 15, 20), geometric=_rotation),
    "focal_length": Corruption("factor", (1.1, 1.25, 1.5, 1.75, 2), geometric=_focal),
    "crop": Corruption("share of height and width", (0.9, 0.8, 0.7, 0.6, 0.5), geometric=_crop),
}
