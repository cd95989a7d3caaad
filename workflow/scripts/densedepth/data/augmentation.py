"""Views of a pair in training: part of the image, rotated, in other colours, with the depth that such a view has."""

import dataclasses
import math
from typing import NamedTuple, Tuple

import numpy as np
from PIL import Image

# Luma of ITU-R BT.601, and the two axes of colour at right angles to grey in NTSC's YIQ; hue is the angle between them.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_RGB = np.linalg.inv(_YIQ)


class View(NamedTuple):
    """What is done to one sample."""

    # The image is enlarged by this, at least 1, and what is in the frame is at the shares `across` and `down`, 0..1, of
    # where it can be.
    zoom: float
    across: float
    down: float
    # Degrees about the middle of the frame.
    rotation: float
    # Factors on the values, on their distance from the mean grey and from their own grey; degrees around grey.
    brightness: float
    contrast: float
    saturation: float
    hue: float


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far the views go; the defaults leave every sample as it is.

    max_zoom: at least 1, drawn evenly in its logarithm. max_rotation: degrees, drawn evenly to both sides. brightness,
    contrast, saturation: shares, by which their factors are drawn evenly around 1. hue: share of the half circle,
    likewise around 0.
    """

    max_zoom: float = 1.0
    max_rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def view(self, draws: np.ndarray) -> View:
        """The view of eight numbers in 0..1."""
        zoom, across, down, *others = map(float, draws)
        angle, brightness, contrast, saturation, hue = (2 * draw - 1 for draw in others)
        return View(
            self.max_zoom**zoom,
            across,
            down,
            self.max_rotation * angle,
            1 + self.brightness * brightness,
            1 + self.contrast * contrast,
            1 + self.saturation * saturation,
            180 * self.hue * hue,
        )


# Every sample is as it is.
NONE = Augmentation()


def seen(rgb: Image.Image, depth: np.ndarray, view: View) -> Tuple[Image.Image, np.ndarray, np.ndarray]:
    """(image, depth (H, W), bool (H, W)) in the frame of `view`: where its pixels lie in the image, the last is true.

    The image is interpolated, and black outside; the depth is that of the nearest pixel, still as it was: see
    `depth_scale`.
    """
    height, width = depth.shape
    a, b, c, d, e, f = numbers = _affine(view, height, width)
    rgb = rgb.transform(rgb.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)
    across, down = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, np.newaxis]
    columns = np.floor(a * across + b * down + c).astype(int)
    rows = np.floor(d * across + e * down + f).astype(int)
    known = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return rgb, depth[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)], known


def depth_scale(view: View) -> float:
    """The factor on the depth. A pinhole camera whose image is enlarged s times shows what one of the same focal length
    sees at a depth s times smaller; a rotation about the optical axis changes no depth."""
    return 1 / view.zoom


def _affine(view, height, width):
    """a to f: the place (a x + b y + c, d x + e y + f) in the image of the place x, y in the frame, in pixels from the
    corner."""
    turn = math.radians(view.rotation)
    cosine, sine = math.cos(turn) / view.zoom, math.sin(turn) / view.zoom
    # Where the middle of the frame is, of what the zoom leaves.
    middle_x = width / 2 + (view.across - 0.5) * width * (1 - 1 / view.zoom)
    middle_y = height / 2 + (view.down - 0.5) * height * (1 - 1 / view.zoom)
    c = middle_x - cosine * width / 2 - sine * height / 2
    f = middle_y + sine * width / 2 - cosine * height / 2
    return cosine, sine, c, -sine, cosine, f


def recolour(image: np.ndarray, view: View) -> None:
    """Change the colours of the float32 `image` (H, W, 3), RGB in 0..1, in place: one linear map, then cut to 0..1.

    Hue turns around the axis of greys in YIQ. Written out for the channels, since a product of matrices is not the same
    to the bit in every NumPy.
    """
    turn = math.radians(view.hue)
    colour = view.saturation * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    inner = np.eye(3)
    inner[1:, 1:] = colour
    matrix = view.brightness * view.contrast * (_RGB @ inner @ _YIQ)
    grey = float(np.mean(image, dtype=np.float64, axis=(0, 1)) @ _YIQ[0])
    offset = view.brightness * (1 - view.contrast) * grey
    red, green, blue = (image[:, :, channel].copy() for channel in range(3))
    for channel, (r, g, b) in enumerate(matrix.astype(np.float32)):
        image[:, :, channel] = red * r + green * g + blue * b + np.float32(offset)
    np.clip(image, 0, 1, out=image)
