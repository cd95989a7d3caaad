"""Panels of single images and bare colour maps, for very many of them: pixels by NumPy, texts alone by Matplotlib.

A panel shows the image and the colours of its depth pixel by pixel, reduced where it is large. Drawing a whole panel by
Matplotlib (`visualize.draw_panel`) takes several times as long.
"""

import functools
import threading
import zlib
from typing import Optional, Tuple

import numpy as np

from .. import files
from . import visualize

# Names of colours for depth; in all of them, near is bright.
COLOURS = ("viridis", "magma", "turbo", "grey")

# Pixels: between images, of the name above them, of the scale below.
_GAP, _HEADING, _FOOT = 12, 54, 136
# A panel is at least so wide, for the numbers of its scale, and images of less than this are shown larger.
_NARROWEST, _SMALL = 640, 320

# Matplotlib's settings are global.
_DRAWING = threading.Lock()


def ends(metres: np.ndarray, scale: Optional[Tuple[float, float]] = None) -> Tuple[float, float]:
    """The nearest and farthest depth of the colours: `scale`, or what holds 99 in 100 pixels at either end of `metres`
    (H, W), to the next half metre."""
    if scale:
        return scale
    return visualize.half_metres(*np.percentile(metres, (1, 99)))


def coloured(metres: np.ndarray, near: float, far: float, colours: str) -> np.ndarray:
    """The colours of depth (H, W), uint8 (H, W, 3), as Matplotlib gives them: beyond an end, those of the end."""
    places = np.asarray(metres, np.float32) - np.float32(near)
    places *= np.float32(256 / (far - near))
    return _table(colours)[np.clip(places, 0, 255).astype(np.uint8)]


@functools.lru_cache(maxsize=None)
def _table(colours):
    return visualize.colour_table(visualize.map_named(colours))


def panel(
    name: str,
    rgb: np.ndarray,
    metres: np.ndarray,
    scale: Optional[Tuple[float, float]] = None,
    colours: str = COLOURS[0],
) -> np.ndarray:
    """`rgb` uint8 (H, W, 3) and its depth (H, W) in metres side by side, over their scale: uint8 (H', W', 3).

    The scale is that of `ends`. It ends in an arrow where depth lies beyond it. Width and height are even numbers of
    pixels, which encoders of videos want.
    """
    near, far = ends(metres, scale)
    arrows = visualize.arrows(metres.min() < near, metres.max() > far)
    if max(metres.shape) > visualize.TILE_PIXELS:
        _, reduced, metres = visualize.tile(name, rgb, metres)
        rgb = np.rint(reduced * np.float32(255)).astype(np.uint8)
    images = [_enlarged(rgb), _enlarged(coloured(metres, near, far, colours))]
    high, wide = images[0].shape[:2]
    width = max(_even(2 * wide + 3 * _GAP), _NARROWEST)
    height = _even(high + _HEADING + _FOOT)
    pixels = np.full((height, width, 3), 255, np.uint8)
    left = (width - 2 * wide - _GAP) // 2
    pixels[:_HEADING] = _heading(name, width, left)
    pixels[-_FOOT:] = _foot(width, near, far, arrows, colours)
    for image in images:
        pixels[_HEADING : _HEADING + high, left : left + wide] = image
        left += wide + _GAP
    return pixels


def write_panel(
    path: str,
    name: str,
    rgb: np.ndarray,
    metres: np.ndarray,
    scale: Optional[Tuple[float, float]] = None,
    colours: str = COLOURS[0],
) -> None:
    """Write the `panel` to the PNG `path`."""
    _save(path, panel(name, rgb, metres, scale, colours))


def write_colours(
    path: str, metres: np.ndarray, scale: Optional[Tuple[float, float]] = None, colours: str = COLOURS[0]
) -> None:
    """Write the colours of depth (H, W) alone, a pixel for each of its pixels, to the PNG `path`."""
    _save(path, coloured(metres, *ends(metres, scale), colours=colours))


def _enlarged(image):
    times = max(1, _SMALL // max(image.shape[:2]))
    return image if times == 1 else image.repeat(times, 0).repeat(times, 1)


def _even(pixels):
    return pixels + pixels % 2


@functools.lru_cache(maxsize=4)
def _heading(name, width, left):
    def draw(figure):
        figure.text(left / width, 0.15, visualize.shortened(name), fontsize=12, va="bottom")

    return _strip(width, _HEADING, draw)


@functools.lru_cache(maxsize=64)
def _foot(width, near, far, arrows, colours):
    def draw(figure):
        visualize.colour_bar(figure, visualize.map_named(colours), near, far, arrows)

    return _strip(width, _FOOT, draw)


def _strip(width, height, draw):
    """What `draw` draws on a figure of so many pixels: uint8 (height, width, 3)."""
    with _DRAWING, visualize.figure(width, height) as figure:
        draw(figure)
        figure.canvas.draw()
        return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _save(path, pixels):
    from PIL import Image

    with files.atomic_path(path) as temporary:
        # The quickest compression: a fifth larger, in a fifth of the time.
        Image.fromarray(pixels).save(temporary, "PNG", compress_level=1, compress_type=zlib.Z_DEFAULT_STRATEGY)
