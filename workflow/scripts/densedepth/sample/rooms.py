"""Furnished rooms, drawn by lot from a seed.

Only arithmetic that gives the same bits everywhere is used; see `render`.
"""

from typing import NamedTuple, Tuple

from . import fittings, furniture
from .lots import Lots
from .materials import ACCENTS, CLOTHS, DARK, WALLS, WOODS, Style, darker, material
from .plan import QUARTERS, Plan, turn
from .scene import Group, Light, Scene, box, cylinder, ellipsoid


class Room(NamedTuple):
    """A furnished room."""

    # NYU's word for it.
    kind: str
    scene: Scene
    # The floor that furniture takes: (x0, x1, z0, z1, height) of each.
    taken: Tuple[Tuple[float, float, float, float, float], ...]


def make_room(*seed: int) -> Room:
    """A furnished `Room` for the seed's numbers."""
    lots = Lots(*seed)
    style = Style(lots)
    kind = lots.pick(_KINDS)
    size = (lots.uniform(2.8, 6.2), lots.uniform(2.4, 2.9), lots.uniform(3.2, 7.4))
    plan = Plan(size)
    windows = _openings(lots, style, plan)
    _FURNISH[kind](lots, style, plan)
    if size[0] * size[2] > 26.0:
        _FURNISH[lots.pick(_KINDS)](lots, style, plan)
    _decorate(lots, style, plan)
    return Room(kind, _finish(lots, style, plan, windows, kind), tuple(plan.taken))


def _openings(lots, style, plan):
    """One door, one to three windows."""
    plan.against_wall(lots, fittings.door(lots, style), 1.02, 0.05, 2.15)
    found = []
    width = lots.uniform(1.0, 1.9)
    low, high = lots.uniform(0.8, 1.0), min(plan.size[1] - 0.25, lots.uniform(1.95, 2.2))
    for _ in range(1 + lots.below(3)):
        parts = fittings.window(lots, style, width, low, high)
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
                    plan.add(fittings.radiator(lots, style, width * 0.8), *plan.frame(wall, along))
    return found


def _living(lots, style, plan):
    width = lots.uniform(1.7, 2.3)
    place = plan.against_wall(lots, furniture.sofa(lots, style, width), width, 0.9, 0.85, tries=30)
    if place:
        _before(lots, style, plan, place, 0.9, coffee=True)
    tv = lots.uniform(1.2, 1.8)
    plan.against_wall(lots, furniture.tv_stand(lots, style, tv), tv, 0.45, 1.25)
    _shelves(lots, style, plan, lots.below(3))
    if lots.chance(0.7):
        plan.against_wall(lots, furniture.sofa(lots, style, 0.95), 0.97, 0.9, 0.85)
    if lots.chance(0.6):
        _dining_set(lots, style, plan)
    _sideboards(lots, style, plan, 1)


def _before(lots, style, plan, place, depth, coffee):
    """A rug, and a low table on it, before a sofa or bed."""
    wall, along = place
    distance = depth + 0.75
    origin, facing = plan.frame(wall, along, distance)
    accent, ground = lots.pick(ACCENTS), lots.pick(CLOTHS)
    rug = material("rug", accent, ground, scale=lots.uniform(0.3, 0.6))
    if lots.chance(0.75):
        plan.groups.append(Group(origin, facing[0], facing[1], (box(-1.0, 1.0, 0, 0.012, -0.7, 0.7, rug),)))
    if coffee:
        width = lots.uniform(0.8, 1.1)
        parts = furniture.table(lots, style, width, 0.55, 0.42) + furniture.on_table(lots, style, width, 0.55, 0.42)
        plan.free_standing(parts, origin[0], origin[2], facing, width, 0.55, 0.45, 0.1)


def _bedroom(lots, style, plan):
    width = lots.pick((0.95, 1.45, 1.65))
    place = plan.against_wall(lots, furniture.bed(lots, style, width), width + 0.05, 2.1, 1.1, tries=40)
    if place:
        wall, along = place
        for side in (-1, 1):
            spot = along + side * (width / 2 + 0.3)
            rectangle = plan.footprint(wall, spot, 0.5, 0.45)
            if plan.free_on_floor(rectangle) and plan.free_on_wall(wall, spot - 0.25, spot + 0.25, 0, 1.0):
                plan.taken.append(rectangle + (0.95,))
                plan.walls[wall].append((spot - 0.25, spot + 0.25, 0.0, 1.0))
                plan.add(furniture.nightstand(lots, style), *plan.frame(wall, spot))
        _before(lots, style, plan, place, 1.6, coffee=False)
    wide = lots.uniform(1.0, 1.8)
    plan.against_wall(lots, furniture.cabinet(lots, style, wide, lots.uniform(1.9, 2.2), 0.58, rows=1), wide, 0.63, 2.2)
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
                lots, fittings.kitchen_run(lots, style, width, upper), width, 0.66, height, walls=(side,), tries=10
            ):
                break
    plan.against_wall(lots, fittings.fridge(lots, style), 0.62, 0.7, 2.0)
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
        plan.against_wall(lots, furniture.sofa(lots, style, 1.6), 1.65, 0.9, 0.85)


def _library(lots, style, plan):
    _shelves(lots, style, plan, 3 + lots.below(3))
    place = plan.against_wall(lots, furniture.sofa(lots, style, 0.95), 0.97, 0.9, 0.85)
    if place:
        _before(lots, style, plan, place, 0.9, coffee=False)
    _desk_set(lots, style, plan)
    if lots.chance(0.6):
        _dining_set(lots, style, plan)


def _desk_set(lots, style, plan):
    width, depth = lots.uniform(1.2, 1.6), lots.uniform(0.6, 0.75)
    place = plan.against_wall(lots, furniture.desk(lots, style, width, depth), width, depth, 0.78, gap=0.05)
    if place:
        origin, facing = plan.frame(place[0], place[1], depth + lots.uniform(0.1, 0.35))
        angle = turn(lots.uniform(-0.25, 0.25))
        # The seat looks at the desk: turned round, then a little askew.
        cosine = -(facing[0] * angle[0] - facing[1] * angle[1])
        sine = -(facing[1] * angle[0] + facing[0] * angle[1])
        plan.free_standing(
            furniture.chair(lots, style), origin[0], origin[2], (cosine, sine), 0.45, 0.45, 0.95, floor=False
        )
        x, z = origin[0], origin[2]
        plan.taken.append((x - 0.25, x + 0.25, z - 0.25, z + 0.25, 0.95))


def _dining_set(lots, style, plan):
    """A table with chairs, standing free."""
    for _ in range(14):
        is_round = lots.chance(0.3)
        width, depth = lots.uniform(1.1, 1.8), lots.uniform(0.75, 0.9)
        if is_round:
            width = depth = lots.uniform(0.9, 1.2)
        facing = QUARTERS[lots.below(4)] if lots.chance(0.6) else turn(lots.uniform(-1, 1))
        x = lots.uniform(1.1, plan.size[0] - 1.1)
        z = lots.uniform(1.1, plan.size[2] - 1.1)
        parts = (
            furniture.round_table(lots, style, width / 2) if is_round else furniture.table(lots, style, width, depth)
        )
        parts = parts + furniture.on_table(lots, style, width * 0.8, depth * 0.8, 0.74)
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
            plan.free_standing(furniture.chair(lots, style, seat), cx, cz, both, 0.5, 0.5, 0.95, floor=False)
            plan.taken.append((cx - 0.28, cx + 0.28, cz - 0.28, cz + 0.28, 0.95))
        if lots.chance(0.35):
            rug = material("rug", lots.pick(ACCENTS), lots.pick(CLOTHS), scale=lots.uniform(0.3, 0.6))
            half = (width / 2 + 0.5, depth / 2 + 0.5)
            plan.add([box(-half[0], half[0], 0, 0.012, -half[1], half[1], rug)], (x, 0.0, z), facing)
        return


def _shelves(lots, style, plan, count):
    for _ in range(count):
        width, height, depth = lots.uniform(0.75, 1.5), lots.uniform(1.3, 2.15), lots.uniform(0.28, 0.36)
        plan.against_wall(lots, furniture.bookshelf(lots, style, width, height, depth), width, depth, height)


def _sideboards(lots, style, plan, count):
    for _ in range(count):
        width, height, depth = lots.uniform(0.8, 1.7), lots.uniform(0.72, 1.05), lots.uniform(0.38, 0.48)
        parts = furniture.cabinet(lots, style, width, height, depth)
        parts += [_lift(part, depth / 2) for part in furniture.on_table(lots, style, width, depth, height)]
        plan.against_wall(lots, parts, width + 0.03, depth + 0.05, height + 0.05)


def _lift(part, z):
    centre = (part.centre[0], part.centre[1], part.centre[2] + z)
    return part._replace(centre=centre)


def _decorate(lots, style, plan):
    for _ in range(1 + lots.below(2)):
        if lots.chance(0.7):
            plan.against_wall(lots, furniture.plant(lots, style), 0.5, 0.5, 1.3)
    if lots.chance(0.6):
        plan.against_wall(lots, furniture.floor_lamp(lots, style), 0.42, 0.42, 1.65)
    for _ in range(lots.below(3)):
        width = lots.uniform(0.7, 1.2)
        plan.against_wall(lots, fittings.wall_shelf(lots, style, width), width + 0.1, 0.24, 0.7, bottom=1.25)
    for _ in range(3 + lots.below(4)):
        width, parts = fittings.picture(lots, style)
        plan.against_wall(lots, parts, width + 0.15, 0.03, 0.85, bottom=1.15)
    if lots.chance(0.4):
        basket = material("cloth", lots.pick(CLOTHS + ACCENTS))
        w = lots.uniform(0.14, 0.22)
        plan.against_wall(lots, [box(-w, w, 0, lots.uniform(0.25, 0.4), 0.04, 2 * w, basket)], 2 * w, 2 * w, 0.4)


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
        return material("tiles", tile, darker(tile, 0.68), scale=lots.uniform(0.3, 0.5), gloss=0.3)
    if choice < 0.78:
        return material("checks", (0.86, 0.85, 0.82), (0.42, 0.42, 0.44), scale=lots.uniform(0.25, 0.4), gloss=0.3)
    if kind == "kitchen":
        tile = lots.pick(((0.75, 0.70, 0.62), (0.58, 0.60, 0.62), (0.68, 0.46, 0.35)))
        return material("tiles", tile, darker(tile, 0.66), scale=lots.uniform(0.25, 0.45), gloss=0.25)
    carpet = lots.pick(CLOTHS + ((0.62, 0.58, 0.52), (0.58, 0.60, 0.62), (0.70, 0.62, 0.50)))
    return material("cloth", carpet, darker(carpet, 0.9))


def _finish(lots, style, plan, windows, kind):
    """Surfaces of the room itself, lamps, exposure."""
    walls = _walls(lots)
    lights = [_ceiling_lamp(lots, plan, windows)]
    if windows:
        (wall_index, along), _, low, high = windows[0]
        origin, _ = plan.frame(wall_index, along, 0.18)
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
        material("plaster", (0.94, 0.94, 0.92)),
        tuple(plan.groups),
        tuple(lights),
        ambient,
        0.0,
        (1.0 + tint, 1.0, 1.0 - tint),
    )


def _walls(lots):
    colour = lots.pick(WALLS)
    walls = [material("plaster", colour)] * 4
    if lots.chance(0.3):
        accent = lots.pick(WALLS + ((0.52, 0.60, 0.62), (0.62, 0.40, 0.34), (0.45, 0.52, 0.45)))
        walls[lots.below(4)] = material("plaster", accent)
    elif lots.chance(0.2):
        striped = material("stripes", colour, darker(colour, 0.92), scale=lots.uniform(0.16, 0.3))
        walls = [striped] * 4
    return walls


def _ceiling_lamp(lots, plan, windows):
    """Put a lamp under the ceiling; returns its light, weak where it is off by day."""
    width, height, depth = plan.size
    x, z = width * lots.uniform(0.4, 0.6), depth * lots.uniform(0.4, 0.6)
    lit = lots.chance(0.75) or not windows
    strength = lots.uniform(0.9, 1.4) if lit else 0.15
    warm = lots.uniform(0.0, 1.0)
    colour = (strength, strength * (0.96 - 0.10 * warm), strength * (0.90 - 0.25 * warm))
    if lots.chance(0.5):
        shade = material("plain", (1.0, 0.97, 0.9), glow=1.6 if lit else 0.1)
        lamp_height = height - 0.16
        parts = [ellipsoid(0, height - 0.02, 0, (0.2, 0.09, 0.2), shade)]
    else:
        drop = lots.uniform(0.35, 0.6)
        shade = material("cloth", lots.pick(ACCENTS + ((0.95, 0.93, 0.88),)), glow=0.9 if lit else 0.0)
        lamp_height = height - drop - 0.22
        parts = [
            cylinder(0, height - drop, height, 0, 0.008, DARK),
            cylinder(0, height - drop - 0.2, height - drop, 0, 0.17, shade),
        ]
    plan.add(parts, (x, 0.0, z), (1.0, 0.0))
    return Light((x, lamp_height, z), colour, 0.14)
