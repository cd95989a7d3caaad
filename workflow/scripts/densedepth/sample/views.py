"""Places to look at a room from."""

import math
from typing import Any, List, Tuple

import numpy

from . import render
from .lots import Lots
from .plan import turn
from .rooms import Room
from .scene import Camera, Scene

NEAREST, FARTHEST = 0.5, 10.0


def make_views(room: Room, count: int, *seed: int) -> List[Tuple[Scene, Camera]]:
    """`count` pairs (Scene, Camera) of the `Room`.

    The cameras stand free in the room, see into its depth and some of its furniture, and are at least 0.5 m from
    everything in sight. Each scene is the room as bright as that camera shows it.
    """
    scene, taken = room.scene, room.taken
    lots = Lots(*seed)
    survey = render.Survey(scene, 24, 32)
    views: List[Tuple[Scene, Camera]] = []
    while len(views) < count:
        camera = _best_camera(lots, survey, scene, taken)
        views.append((scene._replace(brightness=lots.uniform(98.0, 142.0)), camera))
    return views


def _best_camera(lots, survey, scene, taken, tries=16):
    """The best of some cameras.

    The median depth that is looked for is drawn first, so that views of all depths are as frequent: a network must look
    at the image to know, a constant will not do.
    """
    wanted = lots.uniform(1.1, 4.8)
    found: List[Tuple[bool, Any, Any]] = []
    while len(found) < tries or not any(far_enough for far_enough, _, _ in found):
        camera = _camera(lots, scene, taken)
        if camera is None:
            continue
        depth, furnished, things = survey.look(camera)
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
