"""Images of depth: a panel of predictions, and test scenes beside their ground truth. PNG files, reproducible bytes.

Matplotlib is imported when an image is drawn, so that a missing or slow one affects nothing else.
"""

import contextlib
import math
import warnings
from typing import Any, Iterator, Optional, Sequence, Tuple

import numpy as np

from .. import files
from . import depth

_DPI = 160
# For letters that Matplotlib's own font lacks, the first that is installed: each has those of Chinese.
_HAN_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "Microsoft YaHei", "SimHei", "PingFang SC", "Arial Unicode MS"),
)
_DEPTH_COLOURS = "viridis_r"
_ERROR_COLOURS = "Reds"
# Of depth that is not known; 0 to 1.
_UNKNOWN = 0.85

# Longest side, in pixels, at which the panel keeps an image: large ones need not stay in memory whole.
TILE_PIXELS = 640

# Letters over a pair of a sheet; a longer name loses its beginning.
CAPTION = 80

# Name, image uint8 (H, W, 3), depth in metres (H, W).
Tile = Tuple[str, np.ndarray, np.ndarray]


def tile(name: str, rgb: np.ndarray, metres: np.ndarray) -> Tile:
    """An image as `draw_panel` wants it: reduced to display size, with its depth (h, w) enlarged to the same shape."""
    height, width = rgb.shape[:2]
    scale = min(1.0, TILE_PIXELS / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return name, depth.fit(rgb[np.newaxis], size)[0], depth.enlarge(metres, size).astype(np.float32)


def draw_panel(path: str, tiles: Sequence[Tile], scale: Optional[Tuple[float, float]] = None) -> None:
    """Draw the `tiles` (see `tile`), any number, as pairs of input and depth over one colour scale, to the PNG `path`.

    All images share the scale, from `scale[0]` to `scale[1]` metres. Without, it holds 99 in 100 pixels at either end
    of the image that needs most, to the next half metre. What lies beyond takes the end's colour, and the scale then
    ends in an arrow. The panel's width and height are even numbers of pixels, which encoders of videos want.
    """
    near, far = scale or half_metres(
        min(np.percentile(metres, 1) for _, _, metres in tiles),
        max(np.percentile(metres, 99) for _, _, metres in tiles),
    )
    extend = arrows(
        min(metres.min() for _, _, metres in tiles) < near, max(metres.max() for _, _, metres in tiles) > far
    )
    across = max(1, math.ceil(math.sqrt(len(tiles) / 3)))
    down = math.ceil(len(tiles) / across)
    side, gap, heading, foot = 3.2, 0.08, 0.34, 0.85  # inches
    # A row is as high as its highest image, a cell as wide as `side`.
    rows = [tiles[row * across : (row + 1) * across] for row in range(down)]
    heights = [max(_tile_height(rgb, side) for _, rgb, _ in row) for row in rows]
    width = _even(across * (2 * side + 3 * gap))
    height = _even(sum(heights) + down * (heading + gap) + foot)
    with _figure(width, height) as figure:
        top = height
        for row, row_height in zip(rows, heights):
            top -= heading + row_height
            for column, (name, rgb, metres) in enumerate(row):
                left = column * (2 * side + 3 * gap) + gap
                box = (left, top, side, row_height)
                _place(figure, box, name).imshow(rgb)
                box = (left + side + gap, top, side, row_height)
                _place(figure, box, "").imshow(metres, cmap=_DEPTH_COLOURS, vmin=near, vmax=far)
            top -= gap
        colour_bar(figure, _DEPTH_COLOURS, near, far, extend)
        _save(figure, path)


def draw_scene(path: str, title: str, rgb: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> None:
    """Draw input, ground truth, predicted depth and absolute error of one scene side by side to the PNG `path`.

    `rgb` uint8 (H, W, 3), `truth` and `prediction` (H, W) in metres. Both depths share the ground truth's scale, up
    to the next half metre; a prediction beyond it takes the end's colour, and the scale then ends in an arrow. Where
    the ground truth is NaN, it and the error stay white.
    """
    near, far = half_metres(np.nanmin(truth), np.nanmax(truth))
    error = np.abs(truth - prediction)
    worst = max(0.5, math.ceil(2 * float(np.nanpercentile(error, 99))) / 2)
    side, gap, heading, bar = 3.6, 0.1, 0.75, 0.85  # inches
    high = side * rgb.shape[0] / rgb.shape[1]
    with _figure(4 * side + 5 * gap, high + heading + bar) as figure:
        figure.text(0.5, 1 - 0.12 / (high + heading + bar), shortened(title, 120), ha="center", va="top", weight="bold")
        lefts = [gap + (side + gap) * column for column in range(4)]
        _place(figure, (lefts[0], bar, side, high), "input").imshow(rgb)
        scale = {"cmap": _DEPTH_COLOURS, "vmin": near, "vmax": far}
        _place(figure, (lefts[1], bar, side, high), "ground truth").imshow(truth, **scale)
        depths = _place(figure, (lefts[2], bar, side, high), "predicted depth").imshow(prediction, **scale)
        axes = _place(figure, (lefts[3], bar, side, high), "absolute error")
        errors = axes.imshow(error, cmap=_ERROR_COLOURS, vmin=0, vmax=worst)

        extend = arrows(prediction.min() < near, prediction.max() > far)
        axes = _axes(figure, (lefts[1] + 0.2, bar - 0.25, 2 * side + gap - 0.4, 0.16))
        figure.colorbar(depths, cax=axes, orientation="horizontal", extend=extend).set_label("depth in metres")
        extend = arrows(False, np.nanmax(error) > worst)
        axes = _axes(figure, (lefts[3] + 0.2, bar - 0.25, side - 0.4, 0.16))
        figure.colorbar(errors, cax=axes, orientation="horizontal", extend=extend).set_label("error in metres")
        _save(figure, path)


def depth_colours() -> np.ndarray:
    """The colours from near to far: uint8 (256, 3)."""
    return colour_table(_DEPTH_COLOURS)


def error_colours() -> np.ndarray:
    """The colours from no error to the worst: uint8 (256, 3)."""
    return colour_table(_ERROR_COLOURS)


def colour_table(name: str) -> np.ndarray:
    """The colours of Matplotlib's map of this name: uint8 (256, 3)."""
    import matplotlib

    return (matplotlib.colormaps[name](range(256), bytes=True))[:, :3]


def map_named(colours: str) -> str:
    """Matplotlib's name for `colours` of depth, in which near is bright."""
    return {"grey": "gray"}.get(colours, colours) + "_r"


def colour_bar(figure: Any, colours: str, near: float, far: float, extend: str) -> None:
    """Draw the scale of predicted depth on a figure of its height, in the colours of Matplotlib's map of this name."""
    from matplotlib import cm, colors

    width = figure.get_size_inches()[0]
    length = min(width - 1, 9.0)
    scale = cm.ScalarMappable(colors.Normalize(near, far), colours)
    axes = _axes(figure, ((width - length) / 2, 0.55, length, 0.16))
    figure.colorbar(scale, cax=axes, orientation="horizontal", extend=extend).set_label("predicted depth in metres")


@contextlib.contextmanager
def figure(width: int, height: int) -> Iterator[Any]:
    """A figure of so many pixels, independent of the user's own Matplotlib settings."""
    with _figure(width / _DPI, height / _DPI) as made:
        yield made


def draw_sheet(path: str, title: str, samples: Sequence[Tile], histogram: np.ndarray, farthest: float) -> None:
    """Draw (name, rgb uint8 (H, W, 3), depth (H, W) in metres, 0 unknown) of each of `samples` to the PNG `path`.

    Beside each pair stands the histogram of its depth; the one at the top, `histogram`, equal bins from 0 to `farthest`
    metres, is that of all data, and there even without samples. All depths share one scale, of which the bars of the
    histograms have the colours; what is not known is grey.
    """
    across, side, gap, heading, top = 2, 2.6, 0.1, 0.34, 3.0  # inches
    down = math.ceil(len(samples) / across)
    high = max((_tile_height(rgb, side) for _, rgb, _ in samples), default=0)
    wide = 3 * side + 4 * gap + 0.4
    width, height = across * wide, top + down * (high + heading + 0.3) + gap
    edges = np.linspace(0, farthest, len(histogram) + 1)
    scale = {"cmap": _DEPTH_COLOURS, "vmin": 0, "vmax": farthest}
    with _figure(width, height) as figure:
        figure.text(0.5, 1 - 0.1 / height, title.replace("$", r"\$"), ha="center", va="top", weight="bold")
        axes = _axes(figure, (0.4, height - top + 0.7, width - 0.8, top - 1.2))
        _bars(axes, edges, histogram)
        axes.set_xlabel("depth in metres, all pairs (grey in the maps: invalid)")
        for number, (name, rgb, depth_map) in enumerate(samples):
            row, column = divmod(number, across)
            bottom = height - top - (row + 1) * (high + heading + 0.3) + 0.3
            left = column * wide + gap
            step = _step(rgb)
            values = depth_map[::step, ::step]
            label = shortened(name, CAPTION)
            figure.text(left / width, (bottom + high + 0.06) / height, label, fontsize=12, va="bottom")
            _place(figure, (left, bottom, side, high), "").imshow(rgb[::step, ::step])
            axes = _place(figure, (left + side + gap, bottom, side, high), "")
            axes.imshow(np.full(values.shape + (3,), _UNKNOWN))
            axes.imshow(np.where(values > 0, values, np.nan), **scale)
            axes = _axes(figure, (left + 2 * (side + gap) + 0.1, bottom + 0.05, side - 0.2, high - 0.05))
            _bars(axes, edges, np.histogram(depth_map[depth_map > 0], edges)[0])
            axes.tick_params(labelsize=9)
        _save(figure, path)


def _bars(axes, edges, counts):
    """A histogram whose bars have the colours of their depth."""
    import matplotlib

    colours = matplotlib.colormaps[_DEPTH_COLOURS]((edges[:-1] + edges[1:]) / (2 * edges[-1]))
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colours)
    axes.set_xlim(0, edges[-1])
    axes.set_yticks([])
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)


def _step(rgb):
    return max(1, max(rgb.shape[:2]) // TILE_PIXELS)


def _even(inches):
    """The nearest length that is an even number of pixels."""
    return 2 * round(inches * _DPI / 2) / _DPI


def half_metres(nearest: float, farthest: float) -> Tuple[float, float]:
    """The half metres around nearest and farthest depth, at least one apart."""
    near = math.floor(2 * float(nearest)) / 2
    return near, max(math.ceil(2 * float(farthest)) / 2, near + 0.5)


def arrows(below: bool, above: bool) -> str:
    """At which ends a scale ends in an arrow, in Matplotlib's words, as something lies below or above it."""
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
        bool(below), bool(above)
    ]


def _tile_height(rgb, width):
    # Upright images are kept within a square.
    return min(width, width * rgb.shape[0] / rgb.shape[1])


@contextlib.contextmanager
def _figure(width, height):
    """A figure of so many inches, independent of the user's own Matplotlib settings."""
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["font.size"] = 13
        installed = {font.name for font in font_manager.fontManager.ttflist}
        # Matplotlib before 3.6 takes the first one only.
        matplotlib.rcParams["font.family"] = ["DejaVu Sans"] + [name for name in _HAN_FONTS if name in installed][:1]
        # What no font has is drawn as a box, which is seen without a warning for each letter.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def _axes(figure, box):
    """Axes at (left, bottom, width, height) in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes([box[0] / width, box[1] / height, box[2] / width, box[3] / height])


def _place(figure, box, heading):
    axes = _axes(figure, box)
    axes.set_axis_off()
    axes.set_title(shortened(heading), fontsize=12, pad=4)
    return axes


def shortened(name: str, length: int = 40) -> str:
    """The name as Matplotlib draws it, its end alone where it is longer."""
    # A dollar sign would start a formula.
    name = files.printable(name).replace("$", r"\$")
    return name if len(name) <= length else "..." + name[3 - length :]


def _save(figure, path):
    with files.atomic_path(path) as temporary:
        # The name of the drawing program and its release would be the only bytes that differ between equal images.
        figure.savefig(temporary, format="png", metadata={"Software": None})
