"""What is fixed to a room: kitchens, radiators, doors, windows, and what hangs on the walls; as in `furniture`."""

from typing import List, Tuple

from .furniture import vase
from .lots import Lots
from .materials import ACCENTS, DARK, METAL, WHITE, Style, darker, material
from .scene import Part, box, cylinder


def kitchen_run(lots: Lots, style: Style, width: float, upper: bool) -> List[Part]:
    """Base cabinets with a worktop, an oven, tiles above, and wall cabinets."""
    count = max(2, int(width / 0.6 + 0.25))
    step = width / count
    stone = material("stone", lots.pick(((0.35, 0.34, 0.33), (0.75, 0.72, 0.68), (0.5, 0.42, 0.36))), gloss=0.4)
    tile = lots.pick(((0.90, 0.90, 0.88), (0.75, 0.82, 0.84), (0.86, 0.80, 0.70)))
    tiles = material("tiles", tile, darker(tile, 0.72), scale=lots.pick((0.1, 0.15, 0.2)), gloss=0.3)
    parts = [
        box(-width / 2, width / 2, 0.1, 0.86, 0, 0.57, style.front),
        box(-width / 2, width / 2, 0, 0.1, 0, 0.5, DARK),
        box(-width / 2 - 0.01, width / 2 + 0.01, 0.86, 0.9, 0, 0.63, stone),
        box(-width / 2, width / 2, 0.9, 1.45 if upper else 1.4, 0, 0.012, tiles),
    ]
    oven = lots.below(count)
    hood = lots.chance(0.6)
    for unit in range(count):
        x = -width / 2 + unit * step
        parts += _oven(lots, x, step) if unit == oven else _cupboard(lots, style, x, step)
        if upper:
            parts += _hood(x, step) if unit == oven and hood else _wall_cupboard(style, x, step)
    return parts


def _oven(lots, x, step):
    """The unit of a kitchen from x to x + step that has the oven, and maybe a pot on it."""
    parts = [
        box(x + 0.005, x + step - 0.005, 0.12, 0.72, 0.57, 0.595, DARK),
        box(x + 0.005, x + step - 0.005, 0.73, 0.85, 0.57, 0.592, METAL),
        box(x + 0.06, x + step - 0.06, 0.66, 0.68, 0.595, 0.64, METAL),
        box(x + 0.03, x + step - 0.03, 0.9, 0.907, 0.06, 0.56, DARK),
    ]
    if lots.chance(0.6):
        parts.append(cylinder(x + step * 0.35, 0.907, 1.03, 0.22, 0.1, METAL))
    return parts


def _cupboard(lots, style, x, step):
    """A base cabinet, and maybe something on the worktop above it."""
    parts = [
        box(x + 0.005, x + step - 0.005, 0.12, 0.69, 0.57, 0.59, style.front),
        box(x + 0.005, x + step - 0.005, 0.70, 0.85, 0.57, 0.59, style.front),
        box(x + step / 2 - 0.07, x + step / 2 + 0.07, 0.645, 0.66, 0.59, 0.615, METAL),
        box(x + step / 2 - 0.07, x + step / 2 + 0.07, 0.77, 0.785, 0.59, 0.615, METAL),
    ]
    kind = lots.below(5)
    middle = x + step / 2
    if kind == 0:
        parts.append(box(middle - 0.14, middle + 0.14, 0.9, 1.1, 0.1, 0.33, METAL))
    elif kind == 1:
        for offset in (-0.12, 0.0, 0.12):
            jar = material("plain", lots.pick(ACCENTS), gloss=0.3)
            parts.append(cylinder(middle + offset, 0.9, 0.9 + lots.uniform(0.12, 0.24), 0.15, 0.045, jar))
    elif kind == 2:
        parts += vase(lots, style, middle, 0.9, 0.2)
    return parts


def _hood(x, step):
    return [
        box(x + 0.01, x + step - 0.01, 1.5, 1.58, 0, 0.48, METAL),
        box(x + step / 2 - 0.13, x + step / 2 + 0.13, 1.58, 2.15, 0, 0.28, METAL),
    ]


def _wall_cupboard(style, x, step):
    return [
        box(x, x + step, 1.45, 2.15, 0, 0.32, style.front),
        box(x + 0.005, x + step - 0.005, 1.455, 2.145, 0.32, 0.338, style.front),
        box(x + step - 0.06, x + step - 0.045, 1.5, 1.64, 0.338, 0.362, METAL),
    ]


def fridge(lots: Lots, style: Style) -> List[Part]:
    stuff = WHITE if lots.chance(0.5) else METAL
    height = lots.uniform(1.6, 1.95)
    return [
        box(-0.3, 0.3, 0.04, height, 0.02, 0.6, stuff),
        box(-0.298, 0.298, 0.06, height * 0.36, 0.6, 0.645, stuff),
        box(-0.298, 0.298, height * 0.36 + 0.012, height - 0.005, 0.6, 0.645, stuff),
        box(0.22, 0.245, height * 0.22, height * 0.34, 0.645, 0.685, METAL),
        box(0.22, 0.245, height * 0.42, height * 0.62, 0.645, 0.685, METAL),
        box(-0.28, 0.28, 0, 0.05, 0.05, 0.58, DARK),
    ]


def radiator(lots: Lots, style: Style, width: float) -> List[Part]:
    ribs = material("ribs", (0.93, 0.93, 0.91), (0.70, 0.70, 0.69), scale=0.055)
    return [
        box(-width / 2, width / 2, 0.12, 0.68, 0.04, 0.12, ribs),
        box(-width / 2, width / 2, 0.68, 0.7, 0.03, 0.13, WHITE),
    ]


def door(lots: Lots, style: Style, width: float = 0.86, height: float = 2.05) -> List[Part]:
    leaf = style.trim if lots.chance(0.6) else style.other_wood
    inset = material("plain", (0.86, 0.85, 0.82)) if leaf is style.trim else leaf
    edge = 0.075
    parts = [
        box(-width / 2, width / 2, 0.005, height, 0, 0.022, leaf),
        box(-width / 2 - edge, -width / 2, 0, height + edge, 0, 0.04, style.trim),
        box(width / 2, width / 2 + edge, 0, height + edge, 0, 0.04, style.trim),
        box(-width / 2 - edge, width / 2 + edge, height, height + edge, 0, 0.042, style.trim),
        box(width / 2 - 0.13, width / 2 - 0.03, 1.02, 1.045, 0.06, 0.08, METAL),
        box(width / 2 - 0.065, width / 2 - 0.035, 0.94, 1.12, 0.022, 0.034, METAL),
    ]
    if lots.chance(0.75):
        for x0, x1 in ((-width / 2 + 0.1, -0.045), (0.045, width / 2 - 0.1)):
            for y0, y1 in ((0.15, 0.82), (1.16, height - 0.12)):
                parts.append(box(x0, x1, y0, y1, 0.02, 0.034, inset))
    return parts


def window(lots: Lots, style: Style, width: float, low: float, high: float) -> List[Part]:
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
    parts = [box(-width / 2, width / 2, low, high, 0, 0.012, glass)]
    for x in (-width / 2, 0.0, width / 2):
        half = frame / 2
        parts.append(box(x - half, x + half, low - half, high + half, 0, 0.045, style.trim))
    for y in (low, high):
        parts.append(box(-width / 2, width / 2, y - frame / 2, y + frame / 2, 0, 0.043, style.trim))
    parts.append(box(-width / 2 - 0.08, width / 2 + 0.08, low - 0.05, low - 0.02, 0, 0.16, style.trim))
    dressing = lots.uniform(0, 1)
    if dressing < 0.55:
        drop = 0.06 if lots.chance(0.6) else low - 0.12
        side = lots.uniform(0.24, 0.4)
        for sx in (-1, 1):
            x0, x1 = sorted((sx * (width / 2 + 0.16), sx * (width / 2 + 0.16 - side)))
            parts.append(box(x0, x1, drop, high + 0.12, 0.06, 0.12, style.curtain))
        rod = high + 0.13
        parts.append(box(-width / 2 - 0.25, width / 2 + 0.25, rod - 0.012, rod + 0.012, 0.08, 0.104, METAL))
    elif dressing < 0.75:
        blind = material("slats", (0.95, 0.94, 0.90), (0.62, 0.62, 0.6), scale=0.05, glow=0.35 * style.daylight)
        bottom = low + (high - low) * lots.uniform(0.3, 0.75)
        parts.append(box(-width / 2, width / 2, bottom, high + 0.03, 0.05, 0.065, blind))
    return parts


def picture(lots: Lots, style: Style) -> Tuple[float, List[Part]]:
    width, height = lots.pick(((0.9, 0.6), (0.5, 0.65), (0.7, 0.5), (0.45, 0.45), (1.1, 0.7), (0.4, 0.55)))
    middle = lots.uniform(1.45, 1.65)
    frame = lots.pick((style.wood, DARK, WHITE, style.other_wood))
    land = lots.pick(((0.42, 0.50, 0.28), (0.60, 0.45, 0.28), (0.30, 0.40, 0.45), (0.62, 0.35, 0.25)))
    sky = lots.pick(((0.62, 0.76, 0.88), (0.92, 0.78, 0.55), (0.75, 0.70, 0.75), (0.55, 0.62, 0.70)))
    canvas = material("painting", land, sky, scale=height * 0.62)
    low, high = middle - height / 2, middle + height / 2
    parts = [
        box(-width / 2, width / 2, low, high, 0, 0.022, frame),
        box(-width / 2 + 0.035, width / 2 - 0.035, low + 0.035, high - 0.035, 0, 0.025, WHITE),
    ]
    mat = 0.035 if lots.chance(0.4) else 0.09
    parts.append(box(-width / 2 + mat, width / 2 - mat, low + mat, high - mat, 0, 0.027, canvas))
    return width, parts


def wall_shelf(lots: Lots, style: Style, width: float) -> List[Part]:
    y = lots.uniform(1.35, 1.6)
    parts = [box(-width / 2, width / 2, y, y + 0.03, 0, 0.22, style.wood)]
    x = -width / 2 + 0.04
    while x < width / 2 - 0.15:
        length = min(lots.uniform(0.1, 0.3), width / 2 - x - 0.03)
        if lots.chance(0.65):
            books = material("books", (0.5, 0.4, 0.4), scale=lots.uniform(0.024, 0.04))
            parts.append(box(x, x + length, y + 0.03, y + 0.03 + lots.uniform(0.16, 0.25), 0.02, 0.19, books))
        elif lots.chance(0.5):
            parts += vase(lots, style, x + 0.07, y + 0.03, 0.11)
        x += length + lots.uniform(0.02, 0.12)
    return parts
