"""Light that reaches surfaces and leaves them towards the eye, and the values on the display that a camera makes of it.

The rules of `render` for equal bytes on every machine hold here.
"""

from typing import Any, List, NamedTuple, Sequence

import numpy

from . import casting, geometry
from .scene import BOX, Material, Scene

# How far from furniture light is missing, and how far beside it a soft shadow may fall, in metres.
_REACH, _MARGIN = 0.35, 0.04
# Parts with two half widths below this throw no shadow.
_SLIGHT = 0.0125
# Light is looked at in at least this many rows of an image: shadows are soft.
_ROWS = 120
# Parts times points that are looked at together, so that they stay in the processor's cache.
_TOGETHER = 1 << 15


class Reaching(NamedTuple):
    """What of the light reaches each pixel past the furniture, 0..1, flat: of that from everywhere, of each lamp's."""

    everywhere: numpy.ndarray
    lamps: List[numpy.ndarray]


class _Blocks(NamedTuple):
    """The parts of a group that throw shadows, as columns: their boxes, and their numbers."""

    low: List[numpy.ndarray]
    high: List[numpy.ndarray]
    numbers: numpy.ndarray


def reaching(scene: Scene, met: casting.Met, position: Sequence[float]) -> Reaching:
    """The light that reaches what was met from the camera's `position`.

    It is computed for a grid of pixels, and read between them, from those that show the same part alone. Pixels that
    none of their neighbours on the grid can stand for are computed themselves.
    """
    height, width = met.ids.shape
    step = max(1, height // _ROWS)
    if step == 1:
        return reaching_points(scene, met, position, numpy.arange(height * width))
    grid = numpy.arange(height * width).reshape(height, width)[step // 2 :: step, step // 2 :: step]
    rows, columns = casting.neighbours(height, step), casting.neighbours(width, step)
    corners = []
    weight = numpy.zeros((height, width), numpy.float32)
    for row, along in ((rows[0], 1.0 - rows[2]), (rows[1], rows[2])):
        for column, across in ((columns[0], 1.0 - columns[2]), (columns[1], columns[2])):
            place = (row[:, None] * grid.shape[1] + column).ravel()
            same = met.ids.ravel()[grid.ravel()].take(place).reshape(height, width) == met.ids
            share = same * (along[:, None] * across)
            weight += share
            corners.append((place, share.ravel()))
    alone = numpy.nonzero(weight.ravel() < 0.01)[0]
    light = reaching_points(scene, met, position, numpy.concatenate([grid.ravel(), alone]))
    scale = 1.0 / numpy.maximum(weight.ravel(), 0.01)
    return Reaching(
        _between(light.everywhere, corners, scale, alone), [_between(v, corners, scale, alone) for v in light.lamps]
    )


def _between(values, corners, scale, alone):
    """Values for all pixels from those of the grid, which are followed by those of the pixels `alone`."""
    (place, share), *others = corners
    total = values.take(place) * share
    for place, share in others:
        total += values.take(place) * share
    total *= scale
    total[alone] = values[len(values) - len(alone) :]
    return total


def reaching_points(scene: Scene, met: casting.Met, position: Sequence[float], chosen: numpy.ndarray) -> Reaching:
    """`Reaching` of the pixels with the flat numbers `chosen` alone."""
    depth, ids = met.depth.ravel()[chosen], met.ids.ravel()[chosen]
    points = [depth * d.ravel()[chosen] + p for d, p in zip(met.directions, position)]
    lamps = []
    for light in scene.lights:
        to = [p - c for p, c in zip(light.position, points)]
        distance = numpy.sqrt(to[0] * to[0] + to[1] * to[1] + to[2] * to[2])
        lamps.append((light, distance, numpy.ones_like(distance)))
    everywhere = numpy.ones_like(depth)
    first = casting.ROOM_FACES
    for group in scene.groups:
        bounds = geometry.bounds(group.parts)
        local = geometry.to_local(group, points)
        own = (ids >= first) & (ids < first + len(group.parts))
        _group_occlusion(bounds, local, own, everywhere)
        blocks = _blocks(group, first)
        for light, distance, visible in lamps:
            lamp = geometry.to_local(group, light.position)
            within = all(lo - 0.02 <= c <= hi + 0.02 for lo, c, hi in zip(bounds[0], lamp, bounds[1]))
            if blocks is not None and not within:
                _group_shadow(bounds, blocks, local, ids, lamp, light.radius, distance, visible)
        first += len(group.parts)
    return Reaching(everywhere, [visible for _, _, visible in lamps])


def _blocks(group, first):
    """The `_Blocks` of the group; None if it throws no shadow."""
    # Lamp shades let light through; handles and the like throw no shadow worth its time.
    thrown = [
        (number, part)
        for number, part in enumerate(group.parts, first)
        if not part.material.glow > 0.0 and sorted(part.half)[1] >= _SLIGHT
    ]
    if not thrown:
        return None
    spans = []
    for sign in (-1.0, 1.0):
        ends = [
            [c + sign * h * (1.0 if part.shape == BOX else 0.85) for c, h in zip(part.centre, part.half)]
            for _, part in thrown
        ]
        spans.append([column[:, None] for column in numpy.array(ends, numpy.float32).T])
    return _Blocks(spans[0], spans[1], numpy.array([[number] for number, _ in thrown], numpy.int16))


def _group_shadow(bounds, blocks, local, ids, lamp, radius, distance, visible):
    """Take from `visible` what the group keeps from the points of the light of a lamp."""
    inverse = [1.0 / (lamp[axis] - local[axis] + geometry.TINY) for axis in range(3)]
    low, high = bounds
    entry, leave = geometry.slabs(local, inverse, [c - _MARGIN for c in low], [c + _MARGIN for c in high])
    kept = numpy.nonzero((entry < leave) & (leave > 0.0) & (entry < 1.0))[0]
    step = max(1, _TOGETHER // len(blocks.numbers))
    for begin in range(0, len(kept), step):
        chosen = kept[begin : begin + step]
        length = distance[chosen]
        inside, entry = geometry.overlap_inside(
            [c[chosen] for c in local], [c[chosen] for c in inverse], blocks.low, blocks.high
        )
        # The border of the shadow is the softer the farther the part is from what it darkens.
        softness = 0.02 + radius * entry * length
        shadow = geometry.clipped(0.5 + inside * length / softness)
        # A convex part does not darken itself. The sum over parts closes the seams between them.
        shadow *= ids[chosen] != blocks.numbers
        dark = shadow[0]
        for other in shadow[1:]:
            dark = dark + other
        visible[chosen] *= numpy.maximum(1.0 - dark, 0.0)


def _group_occlusion(bounds, local, own, occlusion):
    """Darken `occlusion` around the group's bounding box, within `_REACH`."""
    low, high = bounds
    near = ~own
    for axis in range(3):
        near &= (local[axis] > low[axis] - _REACH) & (local[axis] < high[axis] + _REACH)
    chosen = numpy.nonzero(near)[0]
    if not len(chosen):
        return
    square = 0.0
    for axis in range(3):
        p = local[axis][chosen]
        outside = numpy.maximum(numpy.maximum(low[axis] - p, p - high[axis]), 0.0)
        square = square + outside * outside
    closeness = numpy.maximum(1.0 - numpy.sqrt(square) * (1.0 / _REACH), 0.0)
    occlusion[chosen] = occlusion[chosen] * (1.0 - 0.42 * closeness * closeness)


def leaving(
    scene: Scene,
    material: Material,
    rgb: Sequence[Any],
    normal: Sequence[Any],
    points: Sequence[numpy.ndarray],
    to_eye: Sequence[numpy.ndarray],
    light: Reaching,
) -> List[numpy.ndarray]:
    """Light that leaves points of one material, of colour `rgb`, towards the eye: ambient, lamps, glow."""
    # The sky of the room: light from above is a little stronger than light from below.
    sky = (0.9 + 0.1 * normal[1]) * (light.everywhere * _corner_occlusion(scene, points, normal))
    total = [sky * level + material.glow for level in scene.ambient]
    shine = []
    for lamp, visible in zip(scene.lights, light.lamps):
        to = [position - c for position, c in zip(lamp.position, points)]
        square = to[0] * to[0] + to[1] * to[1] + to[2] * to[2]
        distance = numpy.sqrt(square)
        facing = (normal[0] * to[0] + normal[1] * to[1] + normal[2] * to[2]) / distance
        strength = numpy.maximum(facing, 0.0) * visible / (1.0 + 0.22 * square)
        for c in range(3):
            total[c] += strength * lamp.colour[c]
        if material.gloss:
            shine.append((lamp, _mirrored(to, distance, to_eye, normal) * (material.gloss * strength)))
    total = [level * colour for level, colour in zip(total, rgb)]
    for lamp, strength in shine:
        for c in range(3):
            total[c] += strength * lamp.colour[c]
    return total


def _mirrored(to, distance, to_eye, normal):
    """How much of the lamp a glossy surface shows, 0..1."""
    half = [to[i] / distance + to_eye[i] for i in range(3)]
    size = numpy.sqrt(half[0] * half[0] + half[1] * half[1] + half[2] * half[2]) + 1e-6
    shine = numpy.maximum((normal[0] * half[0] + normal[1] * half[1] + normal[2] * half[2]) / size, 0.0)
    for _ in range(5):
        shine = shine * shine
    return shine


def _corner_occlusion(scene, points, n):
    """Less light where walls, floor and ceiling meet."""
    occlusion: Any = 1.0
    for axis in range(3):
        aside = 0.34 * 0.16 * (1.0 - n[axis] * n[axis])
        if isinstance(aside, float) and aside == 0.0:
            continue
        low = numpy.maximum(points[axis], 0.0)
        high = numpy.maximum(scene.size[axis] - points[axis], 0.0)
        for distance in (low, high):
            occlusion = occlusion * (1.0 - aside / (0.16 + distance))
    return occlusion


def tone(scene: Scene, colour: Sequence[numpy.ndarray], exposure: float) -> List[numpy.ndarray]:
    """Display values: exposure, white balance, soft shoulder, a square root as the display's gamma, contrast."""
    shown = []
    for c in range(3):
        x = colour[c] * (exposure * scene.balance[c])
        x = x * (1.0 + x * 0.25) / (1.0 + x * 0.48)
        y = numpy.sqrt(geometry.clipped(x))
        shown.append(y + 0.45 * y * (1.0 - y) * (y - 0.42))
    return shown
