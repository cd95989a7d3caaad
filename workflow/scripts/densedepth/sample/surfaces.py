"""Procedural surfaces: the colour of each point of a material, the same on every machine (see `render`).

Every pattern takes (s, t) in metres on the surface, `foot`, the size of a pixel there in metres, the material, and
`shift`, which moves the texture; it gives the three colours of the points.
"""

from typing import Any, List, Sequence

import numpy

from .geometry import clipped

# 256 rows of 256 values.
_TABLE = numpy.random.RandomState(20181230).random_sample(65536).astype(numpy.float32)


def _noise(x, y):
    """Smooth noise of 0..1 with one value per unit square."""
    fx, fy = numpy.floor(x), numpy.floor(y)
    ix, iy = fx.astype(numpy.int32), fy.astype(numpy.int32)
    x, y = x - fx, y - fy
    x, y = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y)
    ix0, ix1, iy0, iy1 = ix & 255, (ix + 1) & 255, (iy & 255) << 8, ((iy + 1) & 255) << 8
    first = _TABLE.take(iy0 | ix0)
    top = first + (_TABLE.take(iy0 | ix1) - first) * x
    first = _TABLE.take(iy1 | ix0)
    bottom = first + (_TABLE.take(iy1 | ix1) - first) * x
    return top + (bottom - top) * y


def _cell(x, y):
    """A value of 0..1 for the unit square that (x, y) lies in."""
    ix, iy = numpy.floor(x).astype(numpy.int32), numpy.floor(y).astype(numpy.int32)
    return _TABLE.take(((iy * 7 + 3) & 255) << 8 | ((ix * 13 + 5) & 255))


def _visible(foot, period):
    """1 where detail of this period is larger than the pixels, falling to 0 where it is smaller."""
    return clipped(1.6 - foot * (2.2 / period))


def _line(x, half_width, foot):
    """Cover of 0..1 by lines of this half width at the whole numbers of x, all in metres per period 1."""
    distance = numpy.abs(x - numpy.floor(x + 0.5))
    cover = clipped((half_width - distance) / (foot + 1e-6) + 0.5)
    # A line thinner than a pixel covers only its share of it.
    return cover * numpy.minimum(1.0, 2.0 * half_width / (foot + 1e-6))


def _mix(material, share, brightness):
    return [
        (first * (1.0 - share) + second * share) * brightness for first, second in zip(material.colour, material.second)
    ]


def _plain(s, t, foot, material, shift):
    cloud = _noise(s * 1.7 + shift, t * 1.7 + shift)
    return _mix(material, 0.0, 0.96 + 0.08 * cloud)


def _plaster(s, t, foot, material, shift):
    cloud = _noise(s * 1.1 + shift, t * 1.1)
    fine = (_noise(s * 70.0 + shift, t * 70.0) - 0.5) * _visible(foot, 1.0 / 70.0)
    return _mix(material, 0.0, 0.955 + 0.07 * cloud + 0.07 * fine)


def _stripes(s, t, foot, material, shift):
    """Wallpaper."""
    x = s * (1.0 / material.scale)
    half = _line(x, 0.25, foot * (1.0 / material.scale))
    cloud = _noise(s * 1.1 + shift, t * 1.1)
    return _mix(material, half, 0.96 + 0.06 * cloud)


def _grain(s, t, foot, shift):
    """Darkness of wood grain that runs along s."""
    bend = _noise(s * 1.3 + shift, t * 5.0) * 2.5
    rings = _noise(t * 26.0 + bend + shift, s * 1.2 + shift) - 0.5
    fibre = (_noise(t * 150.0 + shift, s * 5.0) - 0.5) * _visible(foot, 1.0 / 150.0)
    return rings * _visible(foot, 1.0 / 26.0), fibre


def _wood(s, t, foot, material, shift):
    """Furniture: grain along the longer side would need the part; along s looks right on tops and fronts."""
    rings, fibre = _grain(s, t, foot, shift)
    return _mix(material, clipped(0.45 + 0.8 * rings), 0.97 + 0.16 * fibre)


def _planks(s, t, foot, material, shift):
    """Floor boards along s, `scale` wide, each with its own tint, joints staggered."""
    row = t * (1.0 / material.scale)
    index = numpy.floor(row)
    length = material.scale * 9.0
    along = s * (1.0 / length) + _cell(index * 1.0, index * 0.0 + 3.0) * 5.0
    tint = _cell(along, row)
    rings, fibre = _grain(s + tint * 9.0, t, foot, shift)
    share = clipped(0.2 + 0.5 * tint + 0.5 * rings)
    gap = numpy.maximum(
        _line(row, 0.0025 / material.scale, foot * (1.0 / material.scale)),
        _line(along, 0.0025 / length, foot * (1.0 / length)),
    )
    return _mix(material, share, (0.97 + 0.14 * fibre) * (1.0 - 0.6 * gap))


def _tiles(s, t, foot, material, shift):
    """Square tiles of side `scale`; the joints take the second colour."""
    x, y = s * (1.0 / material.scale) + 0.37, t * (1.0 / material.scale) + 0.21
    spread = foot * (1.0 / material.scale)
    joint = numpy.maximum(_line(x, 0.004 / material.scale, spread), _line(y, 0.004 / material.scale, spread))
    tint = (_cell(x, y) - 0.5) * _visible(foot, material.scale)
    cloud = _noise(s * 6.0 + tint * 40.0, t * 6.0)
    return _mix(material, joint, 0.93 + 0.12 * tint + 0.1 * cloud)


def _checks(s, t, foot, material, shift):
    """Two colours of tiles in turn."""
    x, y = s * (1.0 / material.scale) + 0.4, t * (1.0 / material.scale) + 0.3
    parity = numpy.floor(x) + numpy.floor(y)
    odd = parity - 2.0 * numpy.floor(parity * 0.5)
    fade = _visible(foot, material.scale)
    cloud = _noise(s * 5.0 + shift, t * 5.0)
    return _mix(material, 0.5 + (odd - 0.5) * fade, 0.93 + 0.1 * cloud)


def _cloth(s, t, foot, material, shift):
    """Woven cloth or carpet: fine noise over soft folds."""
    folds = _noise(s * 4.0 + shift, t * 4.0)
    fine = (_noise(s * 240.0 + shift, t * 240.0) - 0.5) * _visible(foot, 1.0 / 240.0)
    middle = (_noise(s * 45.0 + shift, t * 45.0) - 0.5) * _visible(foot, 1.0 / 45.0)
    return _mix(material, folds * 0.5, 0.95 + 0.22 * fine + 0.14 * middle)


def _drapes(s, t, foot, material, shift):
    """Hanging cloth: upright folds, `scale` apart."""
    x = s * (1.0 / material.scale) + 0.3 * _noise(s * 3.0 + shift, t * 0.7)
    wave = numpy.abs(x - numpy.floor(x + 0.5)) * 2.0
    wave = wave * wave * (3.0 - 2.0 * wave)
    return _mix(material, 0.0, 0.62 + 0.4 * wave)


def _rug(s, t, foot, material, shift):
    """A woven pattern of diamonds in bands."""
    x, y = s * (1.0 / material.scale), t * (1.0 / material.scale)
    x = numpy.abs(x - numpy.floor(x + 0.5))
    y = numpy.abs(y - numpy.floor(y + 0.5))
    ring = (x + y) * 4.0
    ring = numpy.abs(ring - numpy.floor(ring + 0.5)) * 2.0
    share = clipped((ring - 0.5) * 6.0 + 0.5)
    fine = (_noise(s * 160.0, t * 160.0) - 0.5) * _visible(foot, 1.0 / 160.0)
    return _mix(material, 0.5 + (share - 0.5) * _visible(foot, material.scale * 0.25), 0.93 + 0.3 * fine)


def _books(s, t, foot, material, shift):
    """Backs of books, about `scale` thick, each of its own colour with a label."""
    x = s * (1.0 / material.scale) + shift * 3.7
    x = x + 0.35 * _noise(x * 0.9, x * 0.0 + 0.5)
    column = numpy.floor(x)
    red = _cell(column, column * 0.0 + 1.0)
    green = _cell(column, column * 0.0 + 2.0)
    blue = _cell(column, column * 0.0 + 3.0)
    light = 0.06 + 0.5 * _cell(column, column * 0.0 + 4.0)
    label = _line(t * (1.0 / 0.12) + _cell(column, column * 0.0 + 5.0), 0.1, foot * (1.0 / 0.12)) * 0.35
    label = label * _visible(foot, 0.03)
    gap = _line(x, 0.08, foot * (1.0 / material.scale))
    fade = _visible(foot, material.scale)
    shown = []
    for value, mean, warmth in ((red, 0.2, 1.0), (green, 0.16, 0.72), (blue, 0.13, 0.55)):
        colour = mean + (light * (0.5 * warmth + 0.5 * value * value + 0.12) - mean) * fade
        shown.append((colour * (1.0 - label) + 0.6 * label) * (1.0 - 0.75 * gap * fade))
    return shown


def _painting(s, t, foot, material, shift):
    """A landscape: sky, two ridges of hills, meadow."""
    x, y = s * (1.0 / material.scale), t * (1.0 / material.scale)
    far = 0.55 * (_noise(x * 1.1 + shift, x * 0.0 + shift) - 0.5) + 0.15 * (_noise(x * 5.0 + shift, x * 0.0) - 0.5)
    near = 0.6 * (_noise(x * 0.8 + shift, x * 0.0 + 2.0 + shift) - 0.5) - 0.3
    clouds = clipped(_noise(x * 2.0 + shift, y * 5.0) * 2.0 - 0.9)
    strokes = 0.85 + 0.3 * _noise(x * 9.0 + shift, y * 22.0)
    hills = clipped((far - y) * 30.0 + 0.5)
    meadow = clipped((near - y) * 30.0 + 0.5)
    shown = []
    for c in range(3):
        sky = material.second[c] * (1.0 - 0.5 * clouds) + 0.5 * clouds
        colour = sky * (1.0 - hills) + (0.6 * material.colour[c] + 0.25 * material.second[c]) * hills
        shown.append((colour * (1.0 - meadow) + material.colour[c] * meadow) * strokes)
    return shown


def _outdoors(s, t, foot, material, shift):
    """What a window shows, out of focus: bright sky over trees."""
    edge = 0.45 * _noise(s * 2.2 + shift, t * 0.7 + shift) + 0.2 * _noise(s * 7.0 + shift, t * 6.0) - 0.45
    trees = clipped((edge - t) * 3.5 + 0.5)
    leaves = 0.6 + 0.8 * _noise(s * 9.0 + shift, t * 9.0)
    return [a * (1.0 - trees) + b * trees * leaves for a, b in zip(material.colour, material.second)]


def _slats(s, t, foot, material, shift):
    """Level slats, `scale` apart: blinds, vents."""
    gap = _line(t * (1.0 / material.scale), 0.14, foot * (1.0 / material.scale))
    return _mix(material, gap, 1.0)


def _ribs(s, t, foot, material, shift):
    """Upright ribs, `scale` apart: radiators, panelling."""
    gap = _line(s * (1.0 / material.scale), 0.12, foot * (1.0 / material.scale))
    return _mix(material, gap, 1.0)


def _leaves(s, t, foot, material, shift):
    spots = _noise(s * 28.0 + shift, t * 28.0)
    fine = (_noise(s * 75.0 + shift, t * 75.0) - 0.5) * _visible(foot, 1.0 / 75.0)
    return _mix(material, clipped(spots * 1.6 - 0.3), 0.8 + 0.7 * fine)


def _stone(s, t, foot, material, shift):
    """Speckled stone for worktops."""
    vein = _noise(s * 7.0 + shift, t * 7.0)
    speck = _noise(s * 110.0 + shift, t * 110.0) * _visible(foot, 1.0 / 110.0)
    return _mix(material, clipped(0.5 * vein + 0.5 * speck), 1.0)


def skirting(rgb: Sequence[Any], height: numpy.ndarray, foot: numpy.ndarray) -> List[Any]:
    """The board along the foot of a wall, with a dark line above it."""
    board = clipped((0.085 - height) / (foot + 1e-6) + 0.5)
    line = clipped(1.0 - numpy.abs(height - 0.088) / (0.006 + foot)) * 0.4
    return [(c * (1.0 - board) + 0.74 * board) * (1.0 - line) for c in rgb]


PATTERNS = {
    "plain": _plain,
    "plaster": _plaster,
    "stripes": _stripes,
    "wood": _wood,
    "planks": _planks,
    "tiles": _tiles,
    "checks": _checks,
    "cloth": _cloth,
    "drapes": _drapes,
    "rug": _rug,
    "books": _books,
    "painting": _painting,
    "outdoors": _outdoors,
    "slats": _slats,
    "ribs": _ribs,
    "leaves": _leaves,
    "stone": _stone,
}
