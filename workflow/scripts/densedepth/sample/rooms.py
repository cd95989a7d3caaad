"""Furnished rooms and places to look at them from, drawn by lot from a seed.

Furniture is made of parts in a frame of its own: x along its width, y up from the floor, z out of its back towards the
room. Only arithmetic that gives the same bits everywhere is used; see `sample_render`.
"""

import collections
import math

import numpy

from . import render
from .render import BOX, CYLINDER, ELLIPSOID, Camera, Group, Light, Material, Part, Scene

NEAREST, FARTHEST = 0.5, 10.0


Room = collections.namedtuple("Room", "kind scene taken")
Room.__doc__ = """A furnished room: NYU's word for its kind, what to draw, and the floor that furniture takes."""


class Lots:
    """Draws by lot. Built on uniform doubles alone, whose stream NumPy has promised to keep."""

    def __init__(self, *seed):
        self._generator = numpy.random.RandomState(list(seed))

    def uniform(self, low, high):
        return low + (high - low) * float(self._generator.random_sample())

    def below(self, count):
        return int(count * float(self._generator.random_sample()))

    def chance(self, probability):
        return float(self._generator.random_sample()) < probability

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def shuffled(self, items):
        items = list(items)
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]
        return items


# Colours as they look on a display, 0..1; `_albedo` makes them linear.

WALLS = (
    (0.93, 0.91, 0.86),
    (0.90, 0.87, 0.80),
    (0.86, 0.86, 0.85),
    (0.78, 0.84, 0.87),
    (0.82, 0.87, 0.78),
    (0.93, 0.88, 0.70),
    (0.88, 0.76, 0.62),
    (0.73, 0.78, 0.70),
    (0.84, 0.70, 0.62),
    (0.66, 0.72, 0.79),
    (0.92, 0.92, 0.92),
)
WOODS = (
    ((0.76, 0.58, 0.38), (0.66, 0.47, 0.29)),
    ((0.52, 0.35, 0.22), (0.40, 0.25, 0.15)),
    ((0.86, 0.74, 0.56), (0.79, 0.65, 0.46)),
    ((0.60, 0.38, 0.26), (0.50, 0.30, 0.20)),
    ((0.34, 0.25, 0.20), (0.25, 0.18, 0.14)),
    ((0.70, 0.56, 0.43), (0.60, 0.46, 0.34)),
)
LACQUERS = ((0.93, 0.92, 0.89), (0.88, 0.87, 0.84), (0.62, 0.67, 0.68), (0.38, 0.45, 0.50), (0.55, 0.62, 0.55))
CLOTHS = (
    (0.55, 0.57, 0.60),
    (0.36, 0.42, 0.50),
    (0.68, 0.60, 0.50),
    (0.50, 0.30, 0.27),
    (0.38, 0.46, 0.38),
    (0.80, 0.75, 0.67),
    (0.30, 0.31, 0.34),
    (0.65, 0.48, 0.33),
    (0.45, 0.52, 0.60),
)
ACCENTS = (
    (0.80, 0.35, 0.28),
    (0.25, 0.50, 0.62),
    (0.86, 0.70, 0.32),
    (0.40, 0.58, 0.42),
    (0.90, 0.88, 0.82),
    (0.55, 0.38, 0.52),
    (0.20, 0.28, 0.42),
    (0.85, 0.55, 0.35),
)


def _albedo(colour):
    return tuple(c * c for c in colour)


def _darker(colour, factor):
    return tuple(c * factor for c in colour)


def material(pattern, colour, second=None, scale=1.0, gloss=0.0, glow=0.0):
    """A Material from display colours."""
    if pattern not in render.PATTERNS:
        raise ValueError(pattern)
    return Material(pattern, _albedo(colour), _albedo(second or _darker(colour, 0.8)), scale, gloss, glow)


def _box(x0, x1, y0, y1, z0, z1, stuff):
    low, high = (x0, y0, z0), (x1, y1, z1)
    centre = tuple((a + b) * 0.5 for a, b in zip(low, high))
    half = tuple(max((b - a) * 0.5, 0.001) for a, b in zip(low, high))
    return Part(BOX, centre, half, stuff)


def _cylinder(x, y0, y1, z, radius, stuff):
    return Part(CYLINDER, (x, (y0 + y1) * 0.5, z), (radius, (y1 - y0) * 0.5, radius), stuff)


def _ellipsoid(x, y, z, half, stuff):
    return Part(ELLIPSOID, (x, y, z), half, stuff)


METAL = material("plain", (0.72, 0.73, 0.74), gloss=0.5)
DARK = material("plain", (0.12, 0.12, 0.13), gloss=0.35)
WHITE = material("plain", (0.93, 0.93, 0.91), gloss=0.15)


class Style:
    """Colours and materials that one room keeps to."""

    def __init__(self, lots):
        wood = lots.pick(WOODS)
        self.wood = material("wood", wood[0], wood[1], gloss=0.12)
        other = lots.pick(WOODS)
        self.other_wood = material("wood", other[0], other[1], gloss=0.12)
        self.lacquer = material("plain", lots.pick(LACQUERS), gloss=0.2)
        self.front = self.wood if lots.chance(0.55) else self.lacquer
        cloth = lots.pick(CLOTHS)
        self.cloth = material("cloth", cloth)
        self.trim = material("plain", (0.92, 0.91, 0.88) if lots.chance(0.7) else wood[0], gloss=0.15)
        self.curtain = material("drapes", lots.pick(CLOTHS + ACCENTS), scale=lots.uniform(0.09, 0.15))
        self.daylight = lots.uniform(0.75, 1.15)

    def accent(self, lots):
        return material("cloth", lots.pick(ACCENTS))


# Furniture: each returns its parts; the back of the frame (z = 0) goes to the wall.


def cabinet(lots, style, width, height, depth, columns=None, rows=None):
    """A body with doors or drawers and handles."""
    body = style.front
    plinth = 0.07
    parts = [
        _box(-width / 2, width / 2, plinth, height - 0.03, 0, depth, body),
        _box(-width / 2 + 0.03, width / 2 - 0.03, 0, plinth, 0, depth - 0.05, DARK),
        _box(-width / 2 - 0.012, width / 2 + 0.012, height - 0.03, height, 0, depth + 0.03, body),
    ]
    columns = columns or max(1, int(width / 0.52 + 0.5))
    rows = rows or lots.pick((1, 1, 2, 3))
    gap = 0.008
    step_x, step_y = width / columns, (height - 0.03 - plinth) / rows
    for column in range(columns):
        for row in range(rows):
            x0, y0 = -width / 2 + column * step_x, plinth + row * step_y
            parts.append(
                _box(x0 + gap, x0 + step_x - gap, y0 + gap, y0 + step_y - gap, depth, depth + 0.018, style.front)
            )
            middle = x0 + step_x / 2
            if rows > 1:
                y = y0 + step_y * 0.5
                handle = (middle - 0.06, middle + 0.06, y - 0.007, y + 0.007)
            else:
                x = x0 + (step_x - 0.06 if column % 2 == 0 else 0.06)
                y = y0 + step_y * (0.8 if height < 1.2 else 0.5)
                handle = (x - 0.007, x + 0.007, y - 0.07, y + 0.07)
            parts.append(_box(*(handle + (depth + 0.02, depth + 0.042, METAL))))
    return parts


def bookshelf(lots, style, width, height, depth):
    side = 0.025
    wood = style.wood if lots.chance(0.7) else style.lacquer
    parts = [
        _box(-width / 2, -width / 2 + side, 0, height, 0, depth, wood),
        _box(width / 2 - side, width / 2, 0, height, 0, depth, wood),
        _box(-width / 2, width / 2, 0, height, 0, 0.012, wood),
        _box(-width / 2, width / 2, height - side, height, 0, depth, wood),
    ]
    shelves = max(2, int(height / 0.36))
    step = (height - 0.06) / shelves
    for shelf in range(shelves):
        y = 0.04 + shelf * step
        parts.append(_box(-width / 2 + side, width / 2 - side, y, y + side, 0, depth - 0.005, wood))
        x, end = -width / 2 + side + 0.01, width / 2 - side - 0.01
        while x < end - 0.08:
            length = min(lots.uniform(0.12, 0.4), end - x)
            kind = lots.uniform(0, 1)
            top = y + side + step * lots.uniform(0.55, 0.82)
            front = depth - lots.uniform(0.03, 0.1)
            if kind < 0.72:
                books = material("books", (0.5, 0.4, 0.4), scale=lots.uniform(0.024, 0.04))
                parts.append(_box(x, x + length, y + side, top, 0.02, front, books))
            elif kind < 0.85:
                parts.append(_box(x, x + length, y + side, y + side + step * 0.5, 0.03, front, style.accent(lots)))
            x += length + lots.uniform(0.0, 0.06)
    return parts


def table(lots, style, width, depth, height=0.74):
    wood = style.wood
    inset, leg = 0.04, lots.uniform(0.02, 0.035)
    parts = [_box(-width / 2, width / 2, height - 0.035, height, -depth / 2, depth / 2, wood)]
    for sx in (-1, 1):
        for sz in (-1, 1):
            x, z = sx * (width / 2 - inset - leg), sz * (depth / 2 - inset - leg)
            parts.append(_box(x - leg, x + leg, 0, height - 0.035, z - leg, z + leg, wood))
    if height > 0.6:
        for sz in (-1, 1):
            z = sz * (depth / 2 - inset - leg)
            parts.append(
                _box(-width / 2 + 0.1, width / 2 - 0.1, height - 0.11, height - 0.035, z - 0.01, z + 0.01, wood)
            )
    return parts


def round_table(lots, style, radius, height=0.74):
    return [
        _cylinder(0, height - 0.03, height, 0, radius, style.wood),
        _cylinder(0, 0.03, height - 0.03, 0, 0.045, style.wood),
        _cylinder(0, 0, 0.03, 0, radius * 0.55, style.wood),
    ]


def on_table(lots, style, width, depth, height):
    """Things that lie on a table top."""
    parts = []
    for _ in range(1 + lots.below(3)):
        x = lots.uniform(-width * 0.36, width * 0.36)
        z = lots.uniform(-depth * 0.3, depth * 0.3)
        kind = lots.below(4)
        if kind == 0:
            parts += vase(lots, style, x, height, z)
        elif kind == 1:
            y = height
            for _ in range(1 + lots.below(4)):
                w, d, thick = lots.uniform(0.1, 0.14), lots.uniform(0.07, 0.1), lots.uniform(0.015, 0.035)
                parts.append(_box(x - w, x + w, y, y + thick, z - d, z + d, style.accent(lots)))
                y += thick
        elif kind == 2:
            bowl = material("plain", lots.pick(ACCENTS), gloss=0.4)
            parts.append(_cylinder(x, height, height + 0.07, z, 0.11, bowl))
        else:
            cup = material("plain", (0.92, 0.91, 0.88), gloss=0.4)
            parts.append(_cylinder(x, height, height + 0.09, z, 0.04, cup))
    return parts


def vase(lots, style, x, y, z):
    pot = material("plain", lots.pick(ACCENTS), gloss=0.3)
    green = material("leaves", (0.24, 0.40, 0.20), (0.42, 0.58, 0.30))
    tall = lots.uniform(0.14, 0.22)
    parts = [_cylinder(x, y, y + tall, z, 0.055, pot)]
    for _ in range(3):
        parts.append(
            _ellipsoid(
                x + lots.uniform(-0.06, 0.06),
                y + tall + lots.uniform(0.04, 0.16),
                z + lots.uniform(-0.06, 0.06),
                (lots.uniform(0.05, 0.1), lots.uniform(0.06, 0.12), lots.uniform(0.05, 0.1)),
                green,
            )
        )
    return parts


def chair(lots, style, seat=None):
    wood = style.wood
    seat = seat or (style.cloth if lots.chance(0.5) else wood)
    half, leg, height = 0.215, 0.019, 0.45
    parts = [_box(-half, half, height - 0.045, height, -half, half, seat)]
    for x in (-half + leg, half - leg):
        parts.append(_box(x - leg, x + leg, 0, height - 0.045, half - 2 * leg, half, wood))
        parts.append(_box(x - leg, x + leg, 0, 0.92, -half, -half + 2 * leg, wood))
    if lots.chance(0.5):
        parts.append(_box(-half, half, 0.6, 0.93, -half - 0.005, -half + 0.025, seat))
    else:
        for y in (0.58, 0.71, 0.84):
            parts.append(_box(-half, half, y, y + 0.07, -half + 0.005, -half + 0.028, wood))
    return parts


def sofa(lots, style, width):
    cloth = style.cloth
    depth, arm = 0.88, 0.16
    parts = [
        _box(-width / 2, width / 2, 0.09, 0.30, 0.05, depth, cloth),
        _box(-width / 2, width / 2, 0.09, 0.80, 0.03, 0.24, cloth),
        _box(-width / 2, -width / 2 + arm, 0.09, 0.60, 0.05, depth, cloth),
        _box(width / 2 - arm, width / 2, 0.09, 0.60, 0.05, depth, cloth),
    ]
    for x in (-width / 2 + 0.06, width / 2 - 0.06):
        for z in (0.12, depth - 0.07):
            parts.append(_box(x - 0.02, x + 0.02, 0, 0.09, z - 0.02, z + 0.02, style.wood))
    seats = max(1, int((width - 2 * arm) / 0.6 + 0.3))
    step = (width - 2 * arm) / seats
    for seat in range(seats):
        x = -width / 2 + arm + seat * step
        parts.append(_box(x + 0.008, x + step - 0.008, 0.30, 0.45, 0.22, depth + 0.015, cloth))
        parts.append(_box(x + 0.012, x + step - 0.012, 0.45, 0.84, 0.20, 0.36, cloth))
    for _ in range(lots.below(3) + (1 if seats > 1 else 0)):
        x = lots.uniform(-width / 2 + arm + 0.2, width / 2 - arm - 0.2) if seats > 1 else 0.0
        parts.append(_ellipsoid(x, 0.62, 0.42, (0.21, 0.19, 0.085), style.accent(lots)))
    return parts


def bed(lots, style, width, length=2.05):
    sheet = material("cloth", (0.92, 0.91, 0.89))
    cover = style.accent(lots) if lots.chance(0.5) else style.cloth
    top = lots.uniform(0.46, 0.56)
    parts = [
        _box(-width / 2, width / 2, 0.10, 0.30, 0.04, length, style.wood),
        _box(-width / 2 + 0.02, width / 2 - 0.02, 0.30, top, 0.06, length - 0.02, sheet),
        _box(-width / 2 - 0.01, width / 2 + 0.01, 0.24, top + 0.035, 0.75, length + 0.01, cover),
        _box(-width / 2 - 0.012, width / 2 + 0.012, top - 0.04, top + 0.045, 0.62, 0.86, sheet),
        _box(-width / 2 - 0.03, width / 2 + 0.03, 0, lots.uniform(0.85, 1.15), 0, 0.05, style.wood),
    ]
    for x in (-width / 2 + 0.05, width / 2 - 0.05):
        parts.append(_box(x - 0.03, x + 0.03, 0, 0.1, length - 0.1, length - 0.04, style.wood))
    pillows = 2 if width > 1.3 else 1
    for pillow in range(pillows):
        x = (pillow - (pillows - 1) / 2.0) * width * 0.48
        parts.append(_ellipsoid(x, top + 0.08, 0.34, (0.33, 0.1, 0.22), sheet))
    return parts


def nightstand(lots, style):
    parts = cabinet(lots, style, 0.46, 0.5, 0.38, columns=1, rows=2)
    if lots.chance(0.8):
        parts += table_lamp(lots, style, 0.0, 0.5, 0.2)
    return parts


def table_lamp(lots, style, x, y, z):
    shade = material("cloth", (0.95, 0.88, 0.72), glow=0.9 if lots.chance(0.6) else 0.0)
    return [
        _cylinder(x, y, y + 0.02, z, 0.07, METAL),
        _cylinder(x, y + 0.02, y + 0.24, z, 0.014, METAL),
        _cylinder(x, y + 0.22, y + 0.42, z, 0.12, shade),
    ]


def floor_lamp(lots, style):
    shade = material("cloth", (0.95, 0.88, 0.74), glow=0.9 if lots.chance(0.6) else 0.0)
    return [
        _cylinder(0, 0, 0.025, 0.2, 0.14, METAL),
        _cylinder(0, 0.025, 1.35, 0.2, 0.013, METAL),
        _cylinder(0, 1.3, 1.6, 0.2, 0.19, shade),
    ]


def plant(lots, style):
    pot = material("plain", lots.pick(ACCENTS + LACQUERS), gloss=0.15)
    dark, light = (0.18, 0.34, 0.16), (0.36, 0.55, 0.26)
    green = material("leaves", dark, light)
    parts = [
        _cylinder(0, 0, 0.32, 0.25, 0.17, pot),
        _cylinder(0, 0.3, 0.75, 0.25, 0.018, material("plain", (0.4, 0.3, 0.2))),
    ]
    for _ in range(7):
        size = lots.uniform(0.10, 0.19)
        parts.append(
            _ellipsoid(
                lots.uniform(-0.18, 0.18),
                lots.uniform(0.55, 1.2),
                0.25 + lots.uniform(-0.08, 0.18),
                (size, size * lots.uniform(0.6, 1.1), size),
                green,
            )
        )
    return parts


def desk(lots, style, width, depth):
    height = 0.74
    parts = [
        _box(-width / 2, width / 2, height - 0.03, height, 0, depth, style.wood),
        _box(-width / 2, -width / 2 + 0.03, 0, height - 0.03, 0.02, depth - 0.03, style.wood),
    ]
    drawers = 0.4
    parts.append(_box(width / 2 - drawers, width / 2, 0.04, height - 0.03, 0.02, depth - 0.05, style.front))
    for row in range(3):
        y = 0.06 + row * 0.215
        parts.append(
            _box(width / 2 - drawers + 0.01, width / 2 - 0.01, y, y + 0.205, depth - 0.05, depth - 0.035, style.front)
        )
        x = width / 2 - drawers / 2
        parts.append(_box(x - 0.06, x + 0.06, y + 0.1, y + 0.115, depth - 0.035, depth - 0.015, METAL))
    x = lots.uniform(-width / 4, width / 8)
    picture = material("painting", (0.25, 0.36, 0.42), (0.45, 0.62, 0.82), scale=0.5, glow=0.6)
    screen = picture if lots.chance(0.6) else DARK
    parts += [
        _box(x - 0.1, x + 0.1, height, height + 0.015, 0.12, 0.3, DARK),
        _box(x - 0.02, x + 0.02, height, height + 0.2, 0.16, 0.19, DARK),
        _box(x - 0.29, x + 0.29, height + 0.11, height + 0.46, 0.19, 0.222, DARK),
        _box(x - 0.275, x + 0.275, height + 0.125, height + 0.445, 0.2, 0.226, screen),
        _box(x - 0.21, x + 0.21, height, height + 0.02, depth - 0.26, depth - 0.12, DARK),
    ]
    if lots.chance(0.6):
        parts += table_lamp(lots, style, -width / 2 + 0.18, height, 0.2)
    return parts


def tv_stand(lots, style, width):
    parts = cabinet(lots, style, width, 0.48, 0.42, rows=1)
    w = min(width * 0.42, 0.62)
    screen = DARK
    if lots.chance(0.35):
        screen = material("painting", (0.30, 0.34, 0.22), (0.45, 0.55, 0.75), scale=0.7, glow=0.5)
    parts += [
        _box(-0.2, 0.2, 0.48, 0.5, 0.12, 0.32, DARK),
        _box(-0.04, 0.04, 0.5, 0.58, 0.2, 0.24, DARK),
        _box(-w, w, 0.55, 0.55 + w * 1.16, 0.2, 0.245, DARK),
        _box(-w + 0.02, w - 0.02, 0.57, 0.53 + w * 1.16, 0.21, 0.25, screen),
    ]
    return parts


def kitchen_run(lots, style, width, upper):
    """Base cabinets with a worktop, an oven, tiles above, and wall cabinets."""
    count = max(2, int(width / 0.6 + 0.25))
    step = width / count
    stone = material("stone", lots.pick(((0.35, 0.34, 0.33), (0.75, 0.72, 0.68), (0.5, 0.42, 0.36))), gloss=0.4)
    tile = lots.pick(((0.90, 0.90, 0.88), (0.75, 0.82, 0.84), (0.86, 0.80, 0.70)))
    tiles = material("tiles", tile, _darker(tile, 0.72), scale=lots.pick((0.1, 0.15, 0.2)), gloss=0.3)
    parts = [
        _box(-width / 2, width / 2, 0.1, 0.86, 0, 0.57, style.front),
        _box(-width / 2, width / 2, 0, 0.1, 0, 0.5, DARK),
        _box(-width / 2 - 0.01, width / 2 + 0.01, 0.86, 0.9, 0, 0.63, stone),
        _box(-width / 2, width / 2, 0.9, 1.45 if upper else 1.4, 0, 0.012, tiles),
    ]
    oven = lots.below(count)
    hood = lots.chance(0.6)
    for unit in range(count):
        x = -width / 2 + unit * step
        if unit == oven:
            parts += [
                _box(x + 0.005, x + step - 0.005, 0.12, 0.72, 0.57, 0.595, DARK),
                _box(x + 0.005, x + step - 0.005, 0.73, 0.85, 0.57, 0.592, METAL),
                _box(x + 0.06, x + step - 0.06, 0.66, 0.68, 0.595, 0.64, METAL),
                _box(x + 0.03, x + step - 0.03, 0.9, 0.907, 0.06, 0.56, DARK),
            ]
            if lots.chance(0.6):
                parts.append(_cylinder(x + step * 0.35, 0.907, 1.03, 0.22, 0.1, METAL))
        else:
            parts += [
                _box(x + 0.005, x + step - 0.005, 0.12, 0.69, 0.57, 0.59, style.front),
                _box(x + 0.005, x + step - 0.005, 0.70, 0.85, 0.57, 0.59, style.front),
                _box(x + step / 2 - 0.07, x + step / 2 + 0.07, 0.645, 0.66, 0.59, 0.615, METAL),
                _box(x + step / 2 - 0.07, x + step / 2 + 0.07, 0.77, 0.785, 0.59, 0.615, METAL),
            ]
            kind = lots.below(5)
            middle = x + step / 2
            if kind == 0:
                parts.append(_box(middle - 0.14, middle + 0.14, 0.9, 1.1, 0.1, 0.33, METAL))
            elif kind == 1:
                for offset in (-0.12, 0.0, 0.12):
                    jar = material("plain", lots.pick(ACCENTS), gloss=0.3)
                    parts.append(_cylinder(middle + offset, 0.9, 0.9 + lots.uniform(0.12, 0.24), 0.15, 0.045, jar))
            elif kind == 2:
                parts += vase(lots, style, middle, 0.9, 0.2)
        if upper:
            if unit == oven and hood:
                parts += [
                    _box(x + 0.01, x + step - 0.01, 1.5, 1.58, 0, 0.48, METAL),
                    _box(x + step / 2 - 0.13, x + step / 2 + 0.13, 1.58, 2.15, 0, 0.28, METAL),
                ]
            else:
                parts += [
                    _box(x, x + step, 1.45, 2.15, 0, 0.32, style.front),
                    _box(x + 0.005, x + step - 0.005, 1.455, 2.145, 0.32, 0.338, style.front),
                    _box(x + step - 0.06, x + step - 0.045, 1.5, 1.64, 0.338, 0.362, METAL),
                ]
    return parts


def fridge(lots, style):
    stuff = WHITE if lots.chance(0.5) else METAL
    height = lots.uniform(1.6, 1.95)
    return [
        _box(-0.3, 0.3, 0.04, height, 0.02, 0.6, stuff),
        _box(-0.298, 0.298, 0.06, height * 0.36, 0.6, 0.645, stuff),
        _box(-0.298, 0.298, height * 0.36 + 0.012, height - 0.005, 0.6, 0.645, stuff),
        _box(0.22, 0.245, height * 0.22, height * 0.34, 0.645, 0.685, METAL),
        _box(0.22, 0.245, height * 0.42, height * 0.62, 0.645, 0.685, METAL),
        _box(-0.28, 0.28, 0, 0.05, 0.05, 0.58, DARK),
    ]


def radiator(lots, style, width):
    ribs = material("ribs", (0.93, 0.93, 0.91), (0.70, 0.70, 0.69), scale=0.055)
    return [
        _box(-width / 2, width / 2, 0.12, 0.68, 0.04, 0.12, ribs),
        _box(-width / 2, width / 2, 0.68, 0.7, 0.03, 0.13, WHITE),
    ]


# On walls


def door(lots, style, width=0.86, height=2.05):
    leaf = style.trim if lots.chance(0.6) else style.other_wood
    inset = material("plain", (0.86, 0.85, 0.82)) if leaf is style.trim else leaf
    edge = 0.075
    parts = [
        _box(-width / 2, width / 2, 0.005, height, 0, 0.022, leaf),
        _box(-width / 2 - edge, -width / 2, 0, height + edge, 0, 0.04, style.trim),
        _box(width / 2, width / 2 + edge, 0, height + edge, 0, 0.04, style.trim),
        _box(-width / 2 - edge, width / 2 + edge, height, height + edge, 0, 0.042, style.trim),
        _box(width / 2 - 0.13, width / 2 - 0.03, 1.02, 1.045, 0.06, 0.08, METAL),
        _box(width / 2 - 0.065, width / 2 - 0.035, 0.94, 1.12, 0.022, 0.034, METAL),
    ]
    if lots.chance(0.75):
        for x0, x1 in ((-width / 2 + 0.1, -0.045), (0.045, width / 2 - 0.1)):
            for y0, y1 in ((0.15, 0.82), (1.16, height - 0.12)):
                parts.append(_box(x0, x1, y0, y1, 0.02, 0.034, inset))
    return parts


def window(lots, style, width, low, high):
    """Frame, panes that show the outdoors, sill, and maybe curtains or blinds."""
    sky, trees = lots.pick(
        (
            ((0.95, 0.98, 1.0), (0.55, 0.66, 0.42)),
            ((0.88, 0.94, 1.0), (0.70, 0.72, 0.66)),
            ((1.0, 0.97, 0.90), (0.52, 0.56, 0.36)),
        )
    )
    glass = material("outdoors", sky, trees, glow=1.7 * style.daylight)
    frame = 0.06
    parts = [_box(-width / 2, width / 2, low, high, 0, 0.012, glass)]
    for x in (-width / 2, 0.0, width / 2):
        half = frame / 2
        parts.append(_box(x - half, x + half, low - half, high + half, 0, 0.045, style.trim))
    for y in (low, high):
        parts.append(_box(-width / 2, width / 2, y - frame / 2, y + frame / 2, 0, 0.043, style.trim))
    parts.append(_box(-width / 2 - 0.08, width / 2 + 0.08, low - 0.05, low - 0.02, 0, 0.16, style.trim))
    dressing = lots.uniform(0, 1)
    if dressing < 0.55:
        drop = 0.06 if lots.chance(0.6) else low - 0.12
        side = lots.uniform(0.24, 0.4)
        for sx in (-1, 1):
            x0, x1 = sorted((sx * (width / 2 + 0.16), sx * (width / 2 + 0.16 - side)))
            parts.append(_box(x0, x1, drop, high + 0.12, 0.06, 0.12, style.curtain))
        rod = high + 0.13
        parts.append(_box(-width / 2 - 0.25, width / 2 + 0.25, rod - 0.012, rod + 0.012, 0.08, 0.104, METAL))
    elif dressing < 0.75:
        blind = material("slats", (0.95, 0.94, 0.90), (0.62, 0.62, 0.6), scale=0.05, glow=0.35 * style.daylight)
        bottom = low + (high - low) * lots.uniform(0.3, 0.75)
        parts.append(_box(-width / 2, width / 2, bottom, high + 0.03, 0.05, 0.065, blind))
    return parts


def picture(lots, style):
    width, height = lots.pick(((0.9, 0.6), (0.5, 0.65), (0.7, 0.5), (0.45, 0.45), (1.1, 0.7), (0.4, 0.55)))
    middle = lots.uniform(1.45, 1.65)
    frame = lots.pick((style.wood, DARK, WHITE, style.other_wood))
    land = lots.pick(((0.42, 0.50, 0.28), (0.60, 0.45, 0.28), (0.30, 0.40, 0.45), (0.62, 0.35, 0.25)))
    sky = lots.pick(((0.62, 0.76, 0.88), (0.92, 0.78, 0.55), (0.75, 0.70, 0.75), (0.55, 0.62, 0.70)))
    canvas = material("painting", land, sky, scale=height * 0.62)
    low, high = middle - height / 2, middle + height / 2
    parts = [
        _box(-width / 2, width / 2, low, high, 0, 0.022, frame),
        _box(-width / 2 + 0.035, width / 2 - 0.035, low + 0.035, high - 0.035, 0, 0.025, WHITE),
    ]
    mat = 0.035 if lots.chance(0.4) else 0.09
    parts.append(_box(-width / 2 + mat, width / 2 - mat, low + mat, high - mat, 0, 0.027, canvas))
    return width, parts


def wall_shelf(lots, style, width):
    y = lots.uniform(1.35, 1.6)
    parts = [_box(-width / 2, width / 2, y, y + 0.03, 0, 0.22, style.wood)]
    x = -width / 2 + 0.04
    while x < width / 2 - 0.15:
        length = min(lots.uniform(0.1, 0.3), width / 2 - x - 0.03)
        if lots.chance(0.65):
            books = material("books", (0.5, 0.4, 0.4), scale=lots.uniform(0.024, 0.04))
            parts.append(_box(x, x + length, y + 0.03, y + 0.03 + lots.uniform(0.16, 0.25), 0.02, 0.19, books))
        elif lots.chance(0.5):
            parts += vase(lots, style, x + 0.07, y + 0.03, 0.11)
        x += length + lots.uniform(0.02, 0.12)
    return parts


# Rooms

_QUARTERS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))


class _Plan:
    """The floor plan while it is being furnished."""

    def __init__(self, size):
        self.size = size
        self.groups = []
        self.taken = []  # rectangles (x0, x1, z0, z1, height) on the floor
        self.walls = [[], [], [], []]  # per wall: intervals (from, to, low, high) along it

    def wall_length(self, wall):
        return self.size[0] if wall % 2 == 0 else self.size[2]

    def _frame(self, wall, along, out=0.0):
        """Origin and (cosine, sine) of something with its back to the wall, `along` metres from the wall's start."""
        width, _, depth = self.size
        origin = (
            (along, 0.0, out),
            (out, 0.0, along),
            (along, 0.0, depth - out),
            (width - out, 0.0, along),
        )[wall]
        return origin, _QUARTERS[wall]

    def add(self, parts, origin, turn):
        self.groups.append(Group(origin, turn[0], turn[1], tuple(parts)))

    def free_on_wall(self, wall, low, high, bottom, top):
        return all(
            high <= other[0] or other[1] <= low or top <= other[2] or other[3] <= bottom for other in self.walls[wall]
        )

    def free_on_floor(self, rectangle, margin=0.0):
        x0, x1, z0, z1 = rectangle
        if x0 < 0 or z0 < 0 or x1 > self.size[0] or z1 > self.size[2]:
            return False
        return all(
            x1 + margin <= other[0] or other[1] + margin <= x0 or z1 + margin <= other[2] or other[3] + margin <= z0
            for other in self.taken
        )

    def footprint(self, wall, along, width, depth):
        half = width / 2
        if wall % 2 == 0:
            z = (0.0, depth) if wall == 0 else (self.size[2] - depth, self.size[2])
            return (along - half, along + half) + z
        x = (0.0, depth) if wall == 1 else (self.size[0] - depth, self.size[0])
        return x + (along - half, along + half)

    def against_wall(self, lots, parts, width, depth, height, walls=None, bottom=0.0, gap=0.0, tries=14):
        """Put the parts somewhere along a wall, where there is room; returns (wall, along) or None."""
        for _ in range(tries):
            wall = lots.pick(walls or (0, 1, 2, 3))
            length = self.wall_length(wall)
            if length < width + 0.1:
                continue
            along = lots.uniform(width / 2 + 0.03, length - width / 2 - 0.03)
            if lots.chance(0.3):
                along = width / 2 + 0.03 if lots.chance(0.5) else length - width / 2 - 0.03
            low, high = along - width / 2 - gap, along + width / 2 + gap
            if not self.free_on_wall(wall, low, high, bottom, bottom + height):
                continue
            rectangle = self.footprint(wall, along, width, depth)
            if bottom < 1.2 and depth > 0.1:
                if not self.free_on_floor(rectangle, 0.02):
                    continue
                self.taken.append(rectangle + (height,))
            self.walls[wall].append((low, high, bottom, bottom + height))
            # The frame's x axis runs against the wall's own direction on two of the walls; parts are near symmetric.
            self.add(parts, *self._frame(wall, along))
            return wall, along
        return None

    def free_standing(self, parts, x, z, turn, width, depth, height, margin=0.0, floor=True):
        """Put the parts in the room at (x, z); `turn` = (cosine, sine). True if there was room."""
        reach_x = abs(turn[0]) * width / 2 + abs(turn[1]) * depth / 2
        reach_z = abs(turn[1]) * width / 2 + abs(turn[0]) * depth / 2
        rectangle = (x - reach_x, x + reach_x, z - reach_z, z + reach_z)
        if floor:
            if not self.free_on_floor(rectangle, margin):
                return False
            self.taken.append(rectangle + (height,))
        self.add(parts, (x, 0.0, z), turn)
        return True


def turn(tangent):
    """(cosine, sine) of the angle whose half has this tangent."""
    square = tangent * tangent
    return (1.0 - square) / (1.0 + square), 2.0 * tangent / (1.0 + square)


def make_room(*seed):
    """A furnished `Room` for the seed's numbers."""
    lots = Lots(*seed)
    style = Style(lots)
    kind = lots.pick(_KINDS)
    size = (lots.uniform(2.8, 6.2), lots.uniform(2.4, 2.9), lots.uniform(3.2, 7.4))
    plan = _Plan(size)
    windows = _openings(lots, style, plan)
    _FURNISH[kind](lots, style, plan)
    if size[0] * size[2] > 26.0:
        _FURNISH[lots.pick(_KINDS)](lots, style, plan)
    _decorate(lots, style, plan)
    return Room(kind, _finish(lots, style, plan, windows, kind), tuple(plan.taken))


def _openings(lots, style, plan):
    """One door, one to three windows."""
    plan.against_wall(lots, door(lots, style), 1.02, 0.05, 2.15)
    found = []
    width = lots.uniform(1.0, 1.9)
    low, high = lots.uniform(0.8, 1.0), min(plan.size[1] - 0.25, lots.uniform(1.95, 2.2))
    for _ in range(1 + lots.below(3)):
        parts = window(lots, style, width, low, high)
        # Curtains and radiator need the wall below as well, but low furniture may stand there.
        place = plan.against_wall(lots, parts, width + 0.5, 0.05, high - low + 0.2, bottom=low)
        if place:
            found.append((place, width, low, high))
            if lots.chance(0.45):
                wall, along = place
                rectangle = plan.footprint(wall, along, width * 0.8, 0.13)
                if plan.free_on_floor(rectangle):
                    plan.taken.append(rectangle + (0.7,))
                    plan.walls[wall].append((along - width * 0.4, along + width * 0.4, 0.0, 0.7))
                    plan.add(radiator(lots, style, width * 0.8), *plan._frame(wall, along))
    return found


def _living(lots, style, plan):
    width = lots.uniform(1.7, 2.3)
    place = plan.against_wall(lots, sofa(lots, style, width), width, 0.9, 0.85, tries=30)
    if place:
        _before(lots, style, plan, place, 0.9, coffee=True)
    tv = lots.uniform(1.2, 1.8)
    plan.against_wall(lots, tv_stand(lots, style, tv), tv, 0.45, 1.25)
    _shelves(lots, style, plan, lots.below(3))
    if lots.chance(0.7):
        plan.against_wall(lots, sofa(lots, style, 0.95), 0.97, 0.9, 0.85)
    if lots.chance(0.6):
        _dining_set(lots, style, plan)
    _sideboards(lots, style, plan, 1)


def _before(lots, style, plan, place, depth, coffee):
    """A rug, and a low table on it, before a sofa or bed."""
    wall, along = place
    distance = depth + 0.75
    origin, facing = plan._frame(wall, along, distance)
    accent, ground = lots.pick(ACCENTS), lots.pick(CLOTHS)
    rug = material("rug", accent, ground, scale=lots.uniform(0.3, 0.6))
    if lots.chance(0.75):
        plan.groups.append(Group(origin, facing[0], facing[1], (_box(-1.0, 1.0, 0, 0.012, -0.7, 0.7, rug),)))
    if coffee:
        width = lots.uniform(0.8, 1.1)
        parts = table(lots, style, width, 0.55, 0.42) + on_table(lots, style, width, 0.55, 0.42)
        plan.free_standing(parts, origin[0], origin[2], facing, width, 0.55, 0.45, 0.1)


def _bedroom(lots, style, plan):
    width = lots.pick((0.95, 1.45, 1.65))
    place = plan.against_wall(lots, bed(lots, style, width), width + 0.05, 2.1, 1.1, tries=40)
    if place:
        wall, along = place
        for side in (-1, 1):
            spot = along + side * (width / 2 + 0.3)
            rectangle = plan.footprint(wall, spot, 0.5, 0.45)
            if plan.free_on_floor(rectangle) and plan.free_on_wall(wall, spot - 0.25, spot + 0.25, 0, 1.0):
                plan.taken.append(rectangle + (0.95,))
                plan.walls[wall].append((spot - 0.25, spot + 0.25, 0.0, 1.0))
                plan.add(nightstand(lots, style), *plan._frame(wall, spot))
        _before(lots, style, plan, place, 1.6, coffee=False)
    wide = lots.uniform(1.0, 1.8)
    plan.against_wall(lots, cabinet(lots, style, wide, lots.uniform(1.9, 2.2), 0.58, rows=1), wide, 0.63, 2.2)
    _sideboards(lots, style, plan, 1 + lots.below(2))
    if lots.chance(0.6):
        _desk_set(lots, style, plan)
    _shelves(lots, style, plan, lots.below(2))


def _kitchen(lots, style, plan):
    wall = lots.below(4)
    for side in (wall, (wall + 1) % 4):
        length = plan.wall_length(side)
        for upper in (True, False):
            width = min(lots.uniform(1.8, 3.2), length - 1.3)
            height = 2.2 if upper else 0.9
            if plan.against_wall(
                lots, kitchen_run(lots, style, width, upper), width, 0.66, height, walls=(side,), tries=10
            ):
                break
    plan.against_wall(lots, fridge(lots, style), 0.62, 0.7, 2.0)
    _dining_set(lots, style, plan)
    _shelves(lots, style, plan, lots.below(2))
    _sideboards(lots, style, plan, 1)


def _office(lots, style, plan):
    for _ in range(1 + lots.below(3)):
        _desk_set(lots, style, plan)
    _shelves(lots, style, plan, 1 + lots.below(3))
    _sideboards(lots, style, plan, 1 + lots.below(2))
    if lots.chance(0.4):
        _dining_set(lots, style, plan)


def _dining(lots, style, plan):
    _dining_set(lots, style, plan)
    _sideboards(lots, style, plan, 1 + lots.below(3))
    _shelves(lots, style, plan, lots.below(2))
    if lots.chance(0.4):
        plan.against_wall(lots, sofa(lots, style, 1.6), 1.65, 0.9, 0.85)


def _library(lots, style, plan):
    _shelves(lots, style, plan, 3 + lots.below(3))
    place = plan.against_wall(lots, sofa(lots, style, 0.95), 0.97, 0.9, 0.85)
    if place:
        _before(lots, style, plan, place, 0.9, coffee=False)
    _desk_set(lots, style, plan)
    if lots.chance(0.6):
        _dining_set(lots, style, plan)


def _desk_set(lots, style, plan):
    width, depth = lots.uniform(1.2, 1.6), lots.uniform(0.6, 0.75)
    place = plan.against_wall(lots, desk(lots, style, width, depth), width, depth, 0.78, gap=0.05)
    if place:
        origin, facing = plan._frame(place[0], place[1], depth + lots.uniform(0.1, 0.35))
        angle = turn(lots.uniform(-0.25, 0.25))
        # The seat looks at the desk: turned round, then a little askew.
        cosine = -(facing[0] * angle[0] - facing[1] * angle[1])
        sine = -(facing[1] * angle[0] + facing[0] * angle[1])
        plan.free_standing(chair(lots, style), origin[0], origin[2], (cosine, sine), 0.45, 0.45, 0.95, floor=False)
        x, z = origin[0], origin[2]
        plan.taken.append((x - 0.25, x + 0.25, z - 0.25, z + 0.25, 0.95))


def _dining_set(lots, style, plan):
    """A table with chairs, standing free."""
    for _ in range(14):
        is_round = lots.chance(0.3)
        width, depth = lots.uniform(1.1, 1.8), lots.uniform(0.75, 0.9)
        if is_round:
            width = depth = lots.uniform(0.9, 1.2)
        facing = _QUARTERS[lots.below(4)] if lots.chance(0.6) else turn(lots.uniform(-1, 1))
        x = lots.uniform(1.1, plan.size[0] - 1.1)
        z = lots.uniform(1.1, plan.size[2] - 1.1)
        parts = round_table(lots, style, width / 2) if is_round else table(lots, style, width, depth)
        parts = parts + on_table(lots, style, width * 0.8, depth * 0.8, 0.74)
        if not plan.free_standing(parts, x, z, facing, width + 0.3, depth + 0.7, 0.8, 0.15):
            continue
        seats = [(sx * width / 4, side * (depth / 2 + 0.08), side) for sx in (-1, 1) for side in (-1, 1)]
        if is_round:
            seats = [(0.0, side * (depth / 2 + 0.12), side) for side in (-1, 1)]
        seat = style.cloth if lots.chance(0.5) else style.wood
        for sx, sz, side in seats:
            if lots.chance(0.12):
                continue
            sz = sz + side * lots.uniform(0.0, 0.15)
            angle = turn(lots.uniform(-0.12, 0.12))
            # A chair's front is +z in its frame; it looks at the table's middle.
            cosine, sine = (-side * angle[0], -side * angle[1])
            cx = x + sx * facing[0] + sz * facing[1]
            cz = z - sx * facing[1] + sz * facing[0]
            both = (facing[0] * cosine - facing[1] * sine, facing[1] * cosine + facing[0] * sine)
            plan.free_standing(chair(lots, style, seat), cx, cz, both, 0.5, 0.5, 0.95, floor=False)
            plan.taken.append((cx - 0.28, cx + 0.28, cz - 0.28, cz + 0.28, 0.95))
        if lots.chance(0.35):
            rug = material("rug", lots.pick(ACCENTS), lots.pick(CLOTHS), scale=lots.uniform(0.3, 0.6))
            half = (width / 2 + 0.5, depth / 2 + 0.5)
            plan.add([_box(-half[0], half[0], 0, 0.012, -half[1], half[1], rug)], (x, 0.0, z), facing)
        return


def _shelves(lots, style, plan, count):
    for _ in range(count):
        width, height, depth = lots.uniform(0.75, 1.5), lots.uniform(1.3, 2.15), lots.uniform(0.28, 0.36)
        plan.against_wall(lots, bookshelf(lots, style, width, height, depth), width, depth, height)


def _sideboards(lots, style, plan, count):
    for _ in range(count):
        width, height, depth = lots.uniform(0.8, 1.7), lots.uniform(0.72, 1.05), lots.uniform(0.38, 0.48)
        parts = cabinet(lots, style, width, height, depth)
        parts += [_lift(part, depth / 2) for part in on_table(lots, style, width, depth, height)]
        plan.against_wall(lots, parts, width + 0.03, depth + 0.05, height + 0.05)


def _lift(part, z):
    centre = (part.centre[0], part.centre[1], part.centre[2] + z)
    return part._replace(centre=centre)


def _decorate(lots, style, plan):
    for _ in range(1 + lots.below(2)):
        if lots.chance(0.7):
            plan.against_wall(lots, plant(lots, style), 0.5, 0.5, 1.3)
    if lots.chance(0.6):
        plan.against_wall(lots, floor_lamp(lots, style), 0.42, 0.42, 1.65)
    for _ in range(lots.below(3)):
        width = lots.uniform(0.7, 1.2)
        plan.against_wall(lots, wall_shelf(lots, style, width), width + 0.1, 0.24, 0.7, bottom=1.25)
    for _ in range(3 + lots.below(4)):
        width, parts = picture(lots, style)
        plan.against_wall(lots, parts, width + 0.15, 0.03, 0.85, bottom=1.15)
    if lots.chance(0.4):
        basket = material("cloth", lots.pick(CLOTHS + ACCENTS))
        w = lots.uniform(0.14, 0.22)
        plan.against_wall(lots, [_box(-w, w, 0, lots.uniform(0.25, 0.4), 0.04, 2 * w, basket)], 2 * w, 2 * w, 0.4)


_FURNISH = {
    "living_room": _living,
    "bedroom": _bedroom,
    "kitchen": _kitchen,
    "office": _office,
    "dining_room": _dining,
    "study": _library,
}
_KINDS = ("living_room", "living_room", "bedroom", "bedroom", "kitchen", "office", "dining_room", "study")


def _floor(lots, kind):
    choice = lots.uniform(0, 1)
    if kind == "kitchen":
        choice = 0.6 + 0.4 * choice
    if choice < 0.6:
        wood = lots.pick(WOODS)
        return material("planks", wood[0], wood[1], scale=lots.uniform(0.09, 0.17), gloss=0.22)
    if choice < 0.72:
        tile = lots.pick(((0.80, 0.77, 0.72), (0.62, 0.62, 0.62), (0.72, 0.52, 0.40), (0.88, 0.87, 0.84)))
        return material("tiles", tile, _darker(tile, 0.68), scale=lots.uniform(0.3, 0.5), gloss=0.3)
    if choice < 0.78:
        return material("checks", (0.86, 0.85, 0.82), (0.42, 0.42, 0.44), scale=lots.uniform(0.25, 0.4), gloss=0.3)
    if kind == "kitchen":
        tile = lots.pick(((0.75, 0.70, 0.62), (0.58, 0.60, 0.62), (0.68, 0.46, 0.35)))
        return material("tiles", tile, _darker(tile, 0.66), scale=lots.uniform(0.25, 0.45), gloss=0.25)
    carpet = lots.pick(CLOTHS + ((0.62, 0.58, 0.52), (0.58, 0.60, 0.62), (0.70, 0.62, 0.50)))
    return material("cloth", carpet, _darker(carpet, 0.9))


def _finish(lots, style, plan, windows, kind):
    """Surfaces of the room itself, lamps, exposure."""
    width, height, depth = plan.size
    colour = lots.pick(WALLS)
    wall = material("plaster", colour)
    walls = [wall] * 4
    if lots.chance(0.3):
        accent = lots.pick(WALLS + ((0.52, 0.60, 0.62), (0.62, 0.40, 0.34), (0.45, 0.52, 0.45)))
        walls[lots.below(4)] = material("plaster", accent)
    elif lots.chance(0.2):
        striped = material("stripes", colour, _darker(colour, 0.92), scale=lots.uniform(0.16, 0.3))
        walls = [striped] * 4
    ceiling = material("plaster", (0.94, 0.94, 0.92))

    x, z = width * lots.uniform(0.4, 0.6), depth * lots.uniform(0.4, 0.6)
    lit = lots.chance(0.75) or not windows
    strength = lots.uniform(0.9, 1.4) if lit else 0.15
    warm = lots.uniform(0.0, 1.0)
    lamp_colour = (strength, strength * (0.96 - 0.10 * warm), strength * (0.90 - 0.25 * warm))
    if lots.chance(0.5):
        shade = material("plain", (1.0, 0.97, 0.9), glow=1.6 if lit else 0.1)
        lamp_height = height - 0.16
        plan.add([_ellipsoid(0, height - 0.02, 0, (0.2, 0.09, 0.2), shade)], (x, 0.0, z), (1.0, 0.0))
    else:
        drop = lots.uniform(0.35, 0.6)
        shade = material("cloth", lots.pick(ACCENTS + ((0.95, 0.93, 0.88),)), glow=0.9 if lit else 0.0)
        lamp_height = height - drop - 0.05
        plan.add(
            [
                _cylinder(0, height - drop, height, 0, 0.008, DARK),
                _cylinder(0, height - drop - 0.2, height - drop, 0, 0.17, shade),
            ],
            (x, 0.0, z),
            (1.0, 0.0),
        )
        lamp_height = height - drop - 0.22
    lights = [Light((x, lamp_height, z), lamp_colour, 0.14)]
    if windows:
        (wall_index, along), _, low, high = windows[0]
        origin, _ = plan._frame(wall_index, along, 0.18)
        bright = style.daylight * lots.uniform(1.3, 2.2)
        position = (origin[0], (low + high) * 0.5 + 0.1, origin[2])
        lights.append(Light(position, (bright * 0.94, bright * 0.98, bright * 1.04), 0.34))
    level = lots.uniform(0.34, 0.46)
    ambient = (level, level * lots.uniform(0.96, 1.0), level * lots.uniform(0.92, 1.0))
    tint = lots.uniform(-0.06, 0.06)
    return Scene(
        plan.size,
        (walls[0], walls[1], walls[2], walls[3]),
        _floor(lots, kind),
        ceiling,
        tuple(plan.groups),
        tuple(lights),
        ambient,
        1.0,
        (1.0 + tint, 1.0, 1.0 - tint),
    )


# Cameras


def make_views(room, count, *seed):
    """`count` pairs (Scene, Camera) of the `Room`.

    The cameras stand free in the room, see into its depth and some of its furniture, and are at least 0.5 m from
    everything in sight. Each scene is the room as that camera exposes it.
    """
    scene, taken = room.scene, room.taken
    lots = Lots(*seed)
    views = []
    while len(views) < count:
        camera = _best_camera(lots, scene, taken)
        brightness = render.brightness(scene, camera, 24, 32)
        wanted = lots.uniform(98.0, 142.0)
        # Display values go with the square root of the exposure.
        gain = (wanted / max(brightness, 1.0)) * (wanted / max(brightness, 1.0))
        views.append((scene._replace(exposure=scene.exposure * min(max(gain, 0.5), 2.0)), camera))
    return views


def _best_camera(lots, scene, taken, tries=16):
    """The best of some cameras.

    The median depth that is looked for is drawn first, so that views of all depths are as frequent: a network must look
    at the picture to know, a constant will not do.
    """
    wanted = lots.uniform(1.1, 4.8)
    found = []
    while len(found) < tries or not any(far_enough for far_enough, _, _ in found):
        camera = _camera(lots, scene, taken)
        if camera is None:
            continue
        depth, furnished, things = render.survey(scene, camera, 24, 32)
        middle = float(numpy.sort(depth.ravel())[depth.size // 2])
        # The survey may miss what is thin, so it asks for more distance than is promised.
        far_enough = float(depth.min()) >= NEAREST + 0.12 and float(depth.max()) <= FARTHEST
        miss = abs(middle - wanted) / wanted
        score = min(furnished, 0.45) + 0.05 * min(things, 7) - 1.6 * max(0.0, miss - 0.08)
        found.append((far_enough, score, camera))
        if far_enough and furnished >= 0.3 and things >= 4 and miss < 0.12:
            break
    return max(found, key=lambda item: item[:2])[2]


def _camera(lots, scene, taken):
    width, _, depth = scene.size
    x, z = lots.uniform(0.3, width - 0.3), lots.uniform(0.3, depth - 0.3)
    y = lots.uniform(1.0, 1.75)
    for x0, x1, z0, z1, top in taken:
        if x0 - 0.2 < x < x1 + 0.2 and z0 - 0.2 < z < z1 + 0.2 and top > y - 0.3:
            return None
    # Look across the room: at a point well away, somewhat below the eye.
    aim_x, aim_z = width * lots.uniform(0.1, 0.9), depth * lots.uniform(0.1, 0.9)
    dx, dz = aim_x - x, aim_z - z
    distance = math.sqrt(dx * dx + dz * dz)
    if distance < 0.7:
        return None
    fall = lots.uniform(-0.5, 0.06)
    roll = turn(lots.uniform(-0.025, 0.025))
    length = math.sqrt(1.0 + fall * fall)
    forward = (dx / distance / length, fall / length, dz / distance / length)
    level = (-dz / distance, 0.0, dx / distance)
    right = level if _handed(level, forward) else tuple(-c for c in level)
    up = _cross(right, forward)
    if up[1] < 0:
        up = tuple(-c for c in up)
    rolled_right = tuple(roll[0] * r + roll[1] * u for r, u in zip(right, up))
    rolled_up = tuple(roll[0] * u - roll[1] * r for r, u in zip(right, up))
    return Camera((x, y, z), rolled_right, rolled_up, forward)


def _handed(right, forward):
    """Whether `right` is to the right of `forward` for x right, y up, z ahead (a left-handed frame)."""
    return right[0] * forward[2] - right[2] * forward[0] > 0


def _cross(a, b):
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
