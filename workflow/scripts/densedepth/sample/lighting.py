"""Light that leaves surfaces towards the eye, and the values on the display that a camera makes of it.

The rules of `render` for equal bytes on every machine hold here.
"""

from typing import Any, List, Sequence, Tuple

import numpy

from . import geometry
from .scene import BOX, Group, Scene

# How far from furniture light is missing, and how far beside it a soft shadow may fall, in metres.
_REACH, _MARGIN = 0.35, 0.04
# Parts with two half widths below this throw no shadow.
_SLIGHT = 0.0125


def shade(
    scene: Scene,
    groups: Sequence[Tuple[Group, geometry.Bounds, geometry.Bounds, int]],
    surface: Any,
    points: Sequence[numpy.ndarray],
    ids: numpy.ndarray,
    to_eye: Sequence[numpy.ndarray],
) -> List[numpy.ndarray]:
    """Light that leaves the surfaces towards the eye: ambient with occlusion, lamps with soft shadows, glow."""
    n = surface.normal
    occlusion = _corner_occlusion(scene, points, n)
    lamps = []
    for light in scene.lights:
        to = [position - c for position, c in zip(light.position, points)]
        square = to[0] * to[0] + to[1] * to[1] + to[2] * to[2]
        distance = numpy.sqrt(square)
        facing = (n[0] * to[0] + n[1] * to[1] + n[2] * to[2]) / distance
        lamps.append((light, to, distance, facing, numpy.ones_like(distance)))
    low, high = [float(c.min()) for c in points], [float(c.max()) for c in points]
    for group, bounds, span, first in groups:
        nearby = geometry.overlap(low, high, span, _REACH)
        between = [
            lamp
            for lamp in lamps
            if geometry.overlap(
                [min(pair) for pair in zip(low, lamp[0].position)],
                [max(pair) for pair in zip(high, lamp[0].position)],
                span,
                _MARGIN,
            )
        ]
        if nearby or between:
            _group_shadow(group, bounds, first, points, ids, between, occlusion if nearby else None)

    # The sky of the room: light from above is a little stronger than light from below.
    sky = (0.9 + 0.1 * n[1]) * occlusion
    total = [surface.rgb[c] * sky * scene.ambient[c] for c in range(3)]
    for light, to, distance, facing, visible in lamps:
        strength = numpy.maximum(facing, 0.0) * visible / (1.0 + 0.22 * distance * distance)
        half = [to[i] / distance + to_eye[i] for i in range(3)]
        size = numpy.sqrt(half[0] * half[0] + half[1] * half[1] + half[2] * half[2]) + 1e-6
        shine = numpy.maximum((n[0] * half[0] + n[1] * half[1] + n[2] * half[2]) / size, 0.0)
        for _ in range(5):
            shine = shine * shine
        shine = shine * surface.gloss * strength
        for c in range(3):
            total[c] = total[c] + (surface.rgb[c] * strength + shine) * light.colour[c]
    return [total[c] + surface.rgb[c] * surface.glow for c in range(3)]


def _corner_occlusion(scene, points, n):
    """Less light where walls, floor and ceiling meet."""
    occlusion = 1.0
    for axis in range(3):
        aside = 1.0 - n[axis] * n[axis]
        low = numpy.maximum(points[axis], 0.0)
        high = numpy.maximum(scene.size[axis] - points[axis], 0.0)
        for distance in (low, high):
            occlusion = occlusion * (1.0 - aside * 0.34 * (0.16 / (0.16 + distance)))
    return occlusion


def _group_shadow(group, bounds, first, points, ids, lamps, occlusion):
    local = geometry.to_local(group, points)
    if occlusion is not None:
        own = (ids >= first) & (ids < first + len(group.parts))
        _group_occlusion(bounds, local, own, occlusion)
    low, high = bounds
    for light, _, distance, facing, visible in lamps:
        lamp = geometry.to_local(group, light.position)
        if all(lo - 0.02 <= c <= hi + 0.02 for lo, c, hi in zip(low, lamp, high)):
            continue
        lit = numpy.nonzero(facing > 0.0)[0]
        origin = [c[lit] for c in local]
        inverse = [1.0 / (lamp[axis] - origin[axis] + geometry.TINY) for axis in range(3)]
        entry, leave = geometry.slabs(origin, inverse, [c - _MARGIN for c in low], [c + _MARGIN for c in high])
        kept = numpy.nonzero((entry < leave) & (leave > 0.0) & (entry < 1.0))[0]
        if not len(kept):
            continue
        chosen = lit[kept]
        origin = [c[kept] for c in origin]
        inverse = [c[kept] for c in inverse]
        length = distance[chosen]
        chosen_ids = ids[chosen]
        dark = numpy.zeros(len(chosen), numpy.float32)
        for number, part in enumerate(group.parts):
            # Lamp shades let light through; handles and the like throw no shadow worth its time.
            if part.material.glow > 0.0 or sorted(part.half)[1] < _SLIGHT:
                continue
            shrink = 1.0 if part.shape == BOX else 0.85
            inside, entry = geometry.overlap_inside(
                origin,
                inverse,
                [c - h * shrink for c, h in zip(part.centre, part.half)],
                [c + h * shrink for c, h in zip(part.centre, part.half)],
            )
            # The border of the shadow is the softer the farther the part is from what it darkens.
            softness = 0.02 + light.radius * entry * length
            shadow = numpy.clip(0.5 + inside * length / softness, 0.0, 1.0)
            # A convex part does not darken itself. The sum over parts closes the seams between them.
            shadow = numpy.where(chosen_ids == first + number, numpy.float32(0.0), shadow)
            dark += shadow
        visible[chosen] = visible[chosen] * numpy.maximum(1.0 - dark, 0.0)


def tone(scene: Scene, colour: Sequence[numpy.ndarray]) -> List[numpy.ndarray]:
    """Display values: exposure, white balance, soft shoulder, a square root as the display's gamma, contrast."""
    shown = []
    for c in range(3):
        x = colour[c] * (scene.exposure * scene.balance[c])
        x = x * (1.0 + x * 0.25) / (1.0 + x * 0.48)
        y = numpy.sqrt(numpy.clip(x, 0.0, 1.0))
        shown.append(y + 0.45 * y * (1.0 - y) * (y - 0.42))
    return shown


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
