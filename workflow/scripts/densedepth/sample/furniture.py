"""Furniture: each function returns its parts, in metres; the back of the frame (z = 0) goes to the wall.

The parts stand in a frame of their own: x along the width, y up from the floor, z out of the back towards the room.
"""

from typing import List, Optional

from .lots import Lots
from .materials import ACCENTS, DARK, LACQUERS, METAL, Style, material
from .scene import Material, Part, box, cylinder, ellipsoid


def cabinet(
    lots: Lots,
    style: Style,
    width: float,
    height: float,
    depth: float,
    columns: Optional[int] = None,
    rows: Optional[int] = None,
) -> List[Part]:
    """A body with doors or drawers and handles."""
    body = style.front
    plinth = 0.07
    parts = [
        box(-width / 2, width / 2, plinth, height - 0.03, 0, depth, body),
        box(-width / 2 + 0.03, width / 2 - 0.03, 0, plinth, 0, depth - 0.05, DARK),
        box(-width / 2 - 0.012, width / 2 + 0.012, height - 0.03, height, 0, depth + 0.03, body),
    ]
    columns = columns or max(1, int(width / 0.52 + 0.5))
    rows = rows or lots.pick((1, 1, 2, 3))
    gap = 0.008
    step_x, step_y = width / columns, (height - 0.03 - plinth) / rows
    for column in range(columns):
        for row in range(rows):
            x0, y0 = -width / 2 + column * step_x, plinth + row * step_y
            parts.append(
                box(x0 + gap, x0 + step_x - gap, y0 + gap, y0 + step_y - gap, depth, depth + 0.018, style.front)
            )
            middle = x0 + step_x / 2
            if rows > 1:
                y = y0 + step_y * 0.5
                handle = (middle - 0.06, middle + 0.06, y - 0.007, y + 0.007)
            else:
                x = x0 + (step_x - 0.06 if column % 2 == 0 else 0.06)
                y = y0 + step_y * (0.8 if height < 1.2 else 0.5)
                handle = (x - 0.007, x + 0.007, y - 0.07, y + 0.07)
            parts.append(box(*(handle + (depth + 0.02, depth + 0.042, METAL))))
    return parts


def bookshelf(lots: Lots, style: Style, width: float, height: float, depth: float) -> List[Part]:
    side = 0.025
    wood = style.wood if lots.chance(0.7) else style.lacquer
    parts = [
        box(-width / 2, -width / 2 + side, 0, height, 0, depth, wood),
        box(width / 2 - side, width / 2, 0, height, 0, depth, wood),
        box(-width / 2, width / 2, 0, height, 0, 0.012, wood),
        box(-width / 2, width / 2, height - side, height, 0, depth, wood),
    ]
    shelves = max(2, int(height / 0.36))
    step = (height - 0.06) / shelves
    for shelf in range(shelves):
        y = 0.04 + shelf * step
        parts.append(box(-width / 2 + side, width / 2 - side, y, y + side, 0, depth - 0.005, wood))
        x, end = -width / 2 + side + 0.01, width / 2 - side - 0.01
        while x < end - 0.08:
            length = min(lots.uniform(0.12, 0.4), end - x)
            kind = lots.uniform(0, 1)
            top = y + side + step * lots.uniform(0.55, 0.82)
            front = depth - lots.uniform(0.03, 0.1)
            if kind < 0.72:
                books = material("books", (0.5, 0.4, 0.4), scale=lots.uniform(0.024, 0.04))
                parts.append(box(x, x + length, y + side, top, 0.02, front, books))
            elif kind < 0.85:
                parts.append(box(x, x + length, y + side, y + side + step * 0.5, 0.03, front, style.accent(lots)))
            x += length + lots.uniform(0.0, 0.06)
    return parts


def table(lots: Lots, style: Style, width: float, depth: float, height: float = 0.74) -> List[Part]:
    wood = style.wood
    inset, leg = 0.04, lots.uniform(0.02, 0.035)
    parts = [box(-width / 2, width / 2, height - 0.035, height, -depth / 2, depth / 2, wood)]
    for sx in (-1, 1):
        for sz in (-1, 1):
            x, z = sx * (width / 2 - inset - leg), sz * (depth / 2 - inset - leg)
            parts.append(box(x - leg, x + leg, 0, height - 0.035, z - leg, z + leg, wood))
    if height > 0.6:
        for sz in (-1, 1):
            z = sz * (depth / 2 - inset - leg)
            parts.append(
                box(-width / 2 + 0.1, width / 2 - 0.1, height - 0.11, height - 0.035, z - 0.01, z + 0.01, wood)
            )
    return parts


def round_table(lots: Lots, style: Style, radius: float, height: float = 0.74) -> List[Part]:
    return [
        cylinder(0, height - 0.03, height, 0, radius, style.wood),
        cylinder(0, 0.03, height - 0.03, 0, 0.045, style.wood),
        cylinder(0, 0, 0.03, 0, radius * 0.55, style.wood),
    ]


def on_table(lots: Lots, style: Style, width: float, depth: float, height: float) -> List[Part]:
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
                parts.append(box(x - w, x + w, y, y + thick, z - d, z + d, style.accent(lots)))
                y += thick
        elif kind == 2:
            bowl = material("plain", lots.pick(ACCENTS), gloss=0.4)
            parts.append(cylinder(x, height, height + 0.07, z, 0.11, bowl))
        else:
            cup = material("plain", (0.92, 0.91, 0.88), gloss=0.4)
            parts.append(cylinder(x, height, height + 0.09, z, 0.04, cup))
    return parts


def vase(lots: Lots, style: Style, x: float, y: float, z: float) -> List[Part]:
    pot = material("plain", lots.pick(ACCENTS), gloss=0.3)
    green = material("leaves", (0.24, 0.40, 0.20), (0.42, 0.58, 0.30))
    tall = lots.uniform(0.14, 0.22)
    parts = [cylinder(x, y, y + tall, z, 0.055, pot)]
    for _ in range(3):
        parts.append(
            ellipsoid(
                x + lots.uniform(-0.06, 0.06),
                y + tall + lots.uniform(0.04, 0.16),
                z + lots.uniform(-0.06, 0.06),
                (lots.uniform(0.05, 0.1), lots.uniform(0.06, 0.12), lots.uniform(0.05, 0.1)),
                green,
            )
        )
    return parts


def chair(lots: Lots, style: Style, seat: Optional[Material] = None) -> List[Part]:
    wood = style.wood
    seat = seat or (style.cloth if lots.chance(0.5) else wood)
    half, leg, height = 0.215, 0.019, 0.45
    parts = [box(-half, half, height - 0.045, height, -half, half, seat)]
    for x in (-half + leg, half - leg):
        parts.append(box(x - leg, x + leg, 0, height - 0.045, half - 2 * leg, half, wood))
        parts.append(box(x - leg, x + leg, 0, 0.92, -half, -half + 2 * leg, wood))
    if lots.chance(0.5):
        parts.append(box(-half, half, 0.6, 0.93, -half - 0.005, -half + 0.025, seat))
    else:
        for y in (0.58, 0.71, 0.84):
            parts.append(box(-half, half, y, y + 0.07, -half + 0.005, -half + 0.028, wood))
    return parts


def sofa(lots: Lots, style: Style, width: float) -> List[Part]:
    cloth = style.cloth
    depth, arm = 0.88, 0.16
    parts = [
        box(-width / 2, width / 2, 0.09, 0.30, 0.05, depth, cloth),
        box(-width / 2, width / 2, 0.09, 0.80, 0.03, 0.24, cloth),
        box(-width / 2, -width / 2 + arm, 0.09, 0.60, 0.05, depth, cloth),
        box(width / 2 - arm, width / 2, 0.09, 0.60, 0.05, depth, cloth),
    ]
    for x in (-width / 2 + 0.06, width / 2 - 0.06):
        for z in (0.12, depth - 0.07):
            parts.append(box(x - 0.02, x + 0.02, 0, 0.09, z - 0.02, z + 0.02, style.wood))
    seats = max(1, int((width - 2 * arm) / 0.6 + 0.3))
    step = (width - 2 * arm) / seats
    for seat in range(seats):
        x = -width / 2 + arm + seat * step
        parts.append(box(x + 0.008, x + step - 0.008, 0.30, 0.45, 0.22, depth + 0.015, cloth))
        parts.append(box(x + 0.012, x + step - 0.012, 0.45, 0.84, 0.20, 0.36, cloth))
    for _ in range(lots.below(3) + (1 if seats > 1 else 0)):
        x = lots.uniform(-width / 2 + arm + 0.2, width / 2 - arm - 0.2) if seats > 1 else 0.0
        parts.append(ellipsoid(x, 0.62, 0.42, (0.21, 0.19, 0.085), style.accent(lots)))
    return parts


def bed(lots: Lots, style: Style, width: float, length: float = 2.05) -> List[Part]:
    sheet = material("cloth", (0.92, 0.91, 0.89))
    cover = style.accent(lots) if lots.chance(0.5) else style.cloth
    top = lots.uniform(0.46, 0.56)
    parts = [
        box(-width / 2, width / 2, 0.10, 0.30, 0.04, length, style.wood),
        box(-width / 2 + 0.02, width / 2 - 0.02, 0.30, top, 0.06, length - 0.02, sheet),
        box(-width / 2 - 0.01, width / 2 + 0.01, 0.24, top + 0.035, 0.75, length + 0.01, cover),
        box(-width / 2 - 0.012, width / 2 + 0.012, top - 0.04, top + 0.045, 0.62, 0.86, sheet),
        box(-width / 2 - 0.03, width / 2 + 0.03, 0, lots.uniform(0.85, 1.15), 0, 0.05, style.wood),
    ]
    for x in (-width / 2 + 0.05, width / 2 - 0.05):
        parts.append(box(x - 0.03, x + 0.03, 0, 0.1, length - 0.1, length - 0.04, style.wood))
    pillows = 2 if width > 1.3 else 1
    for pillow in range(pillows):
        x = (pillow - (pillows - 1) / 2.0) * width * 0.48
        parts.append(ellipsoid(x, top + 0.08, 0.34, (0.33, 0.1, 0.22), sheet))
    return parts


def nightstand(lots: Lots, style: Style) -> List[Part]:
    parts = cabinet(lots, style, 0.46, 0.5, 0.38, columns=1, rows=2)
    if lots.chance(0.8):
        parts += table_lamp(lots, style, 0.0, 0.5, 0.2)
    return parts


def table_lamp(lots: Lots, style: Style, x: float, y: float, z: float) -> List[Part]:
    shade = material("cloth", (0.95, 0.88, 0.72), glow=0.9 if lots.chance(0.6) else 0.0)
    return [
        cylinder(x, y, y + 0.02, z, 0.07, METAL),
        cylinder(x, y + 0.02, y + 0.24, z, 0.014, METAL),
        cylinder(x, y + 0.22, y + 0.42, z, 0.12, shade),
    ]


def floor_lamp(lots: Lots, style: Style) -> List[Part]:
    shade = material("cloth", (0.95, 0.88, 0.74), glow=0.9 if lots.chance(0.6) else 0.0)
    return [
        cylinder(0, 0, 0.025, 0.2, 0.14, METAL),
        cylinder(0, 0.025, 1.35, 0.2, 0.013, METAL),
        cylinder(0, 1.3, 1.6, 0.2, 0.19, shade),
    ]


def plant(lots: Lots, style: Style) -> List[Part]:
    pot = material("plain", lots.pick(ACCENTS + LACQUERS), gloss=0.15)
    dark, light = (0.18, 0.34, 0.16), (0.36, 0.55, 0.26)
    green = material("leaves", dark, light)
    parts = [
        cylinder(0, 0, 0.32, 0.25, 0.17, pot),
        cylinder(0, 0.3, 0.75, 0.25, 0.018, material("plain", (0.4, 0.3, 0.2))),
    ]
    for _ in range(7):
        size = lots.uniform(0.10, 0.19)
        parts.append(
            ellipsoid(
                lots.uniform(-0.18, 0.18),
                lots.uniform(0.55, 1.2),
                0.25 + lots.uniform(-0.08, 0.18),
                (size, size * lots.uniform(0.6, 1.1), size),
                green,
            )
        )
    return parts


def desk(lots: Lots, style: Style, width: float, depth: float) -> List[Part]:
    height = 0.74
    parts = [
        box(-width / 2, width / 2, height - 0.03, height, 0, depth, style.wood),
        box(-width / 2, -width / 2 + 0.03, 0, height - 0.03, 0.02, depth - 0.03, style.wood),
    ]
    drawers = 0.4
    parts.append(box(width / 2 - drawers, width / 2, 0.04, height - 0.03, 0.02, depth - 0.05, style.front))
    for row in range(3):
        y = 0.06 + row * 0.215
        parts.append(
            box(width / 2 - drawers + 0.01, width / 2 - 0.01, y, y + 0.205, depth - 0.05, depth - 0.035, style.front)
        )
        x = width / 2 - drawers / 2
        parts.append(box(x - 0.06, x + 0.06, y + 0.1, y + 0.115, depth - 0.035, depth - 0.015, METAL))
    x = lots.uniform(-width / 4, width / 8)
    picture = material("painting", (0.25, 0.36, 0.42), (0.45, 0.62, 0.82), scale=0.5, glow=0.6)
    screen = picture if lots.chance(0.6) else DARK
    parts += [
        box(x - 0.1, x + 0.1, height, height + 0.015, 0.12, 0.3, DARK),
        box(x - 0.02, x + 0.02, height, height + 0.2, 0.16, 0.19, DARK),
        box(x - 0.29, x + 0.29, height + 0.11, height + 0.46, 0.19, 0.222, DARK),
        box(x - 0.275, x + 0.275, height + 0.125, height + 0.445, 0.2, 0.226, screen),
        box(x - 0.21, x + 0.21, height, height + 0.02, depth - 0.26, depth - 0.12, DARK),
    ]
    if lots.chance(0.6):
        parts += table_lamp(lots, style, -width / 2 + 0.18, height, 0.2)
    return parts


def tv_stand(lots: Lots, style: Style, width: float) -> List[Part]:
    parts = cabinet(lots, style, width, 0.48, 0.42, rows=1)
    w = min(width * 0.42, 0.62)
    screen = DARK
    if lots.chance(0.35):
        screen = material("painting", (0.30, 0.34, 0.22), (0.45, 0.55, 0.75), scale=0.7, glow=0.5)
    parts += [
        box(-0.2, 0.2, 0.48, 0.5, 0.12, 0.32, DARK),
        box(-0.04, 0.04, 0.5, 0.58, 0.2, 0.24, DARK),
        box(-w, w, 0.55, 0.55 + w * 1.16, 0.2, 0.245, DARK),
        box(-w + 0.02, w - 0.02, 0.57, 0.53 + w * 1.16, 0.21, 0.25, screen),
    ]
    return parts
