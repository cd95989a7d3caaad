"""Ray casting of rooms: an image and its exact depth, from boxes, cylinders and ellipsoids with procedural surfaces.

Units are metres, colours linear RGB of 0..1; world axes are x (right), y (up), z (into the room), the room being the
box from (0,0,0) to `Scene.size`. Depth is the distance along the camera's optical axis, as in NYU Depth v2.

The same scene gives the same bytes on every machine: only elementwise operations that IEEE 754 defines to the last
bit are used (+ - * / sqrt, comparisons, floor), no sums or products over axes, no transcendental functions, and Python
floats as scalars so that every version of NumPy stays in float32.
"""

from typing import Any, Callable, List, Tuple

import numpy

from . import casting, geometry, lighting, surfaces
from .casting import ROOM_FACES
from .scene import FOCAL, HEIGHT, WIDTH, Camera, Scene

_FLOOR, _CEILING = 2, 3
# Pixels of a part that are coloured together, so that they stay in the processor's cache.
_TOGETHER = 1 << 15
_ROWS = 48


def render(
    scene: Scene, camera: Camera, noise_seed: int = 0, height: int = HEIGHT, width: int = WIDTH
) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """(rgb uint8 (height,width,3), depth float32 (height,width) in metres) of `scene` as `camera` sees it.

    `height` and `width` other than 480x640 show the same view with fewer or more pixels.
    """
    met = casting.cast(scene, casting.Parts(scene), camera, height, width)
    light = _shade(scene, camera, met)
    exposure = _exposure(scene, light)
    shown = numpy.empty_like(light)
    # Row by row, so that what is computed stays in the processor's cache.
    for row in range(0, height, _ROWS):
        rows = slice(row, row + _ROWS)
        for c, values in enumerate(lighting.tone(scene, light[:, rows], exposure)):
            shown[c, rows] = values
    _smooth_edges(shown, met.ids)
    return _develop(shown, noise_seed), met.depth


def _exposure(scene, light):
    """The exposure of the image, as its mean brightness at 1, looked at in a part of the pixels, asks for it."""
    if not scene.brightness:
        return 1.0
    step = max(1, light.shape[1] // 24)
    some = numpy.stack(lighting.tone(scene, light[:, ::step, ::step], 1.0))
    # A sum of integers is exact in any order.
    total = int((some * 255.0).astype(numpy.int64).sum())
    # Display values go with the square root of the exposure.
    gain = scene.brightness / max(total / float(some.size), 1.0)
    return min(max(gain * gain, 0.5), 2.0)


class Survey:
    """Looks at a scene from many cameras, in few pixels."""

    def __init__(self, scene: Scene, height: int, width: int) -> None:
        self._scene = scene
        self._size = (height, width)
        self._parts = casting.Parts(scene)
        counts = numpy.array([len(group.parts) for group in scene.groups], numpy.int64)
        self._group_of = numpy.repeat(numpy.arange(len(counts)), counts)

    def look(self, camera: Camera) -> Tuple[numpy.ndarray, float, int]:
        """(depth float32 (height,width), furnished, things), without colours.

        `furnished` is the share of pixels, 0..1, that show more than the empty room; `things` counts the groups in
        sight.
        """
        met = casting.cast_few(self._scene, self._parts, camera, *self._size)
        ids = met.ids[met.ids >= ROOM_FACES] - ROOM_FACES
        things = int(numpy.count_nonzero(numpy.bincount(self._group_of[ids]) > 2))
        return met.depth, ids.size / float(met.ids.size), things


def _shade(scene, camera, met):
    """The light that what was met sends to the camera, float32 (3,height,width)."""
    reaching = lighting.reaching(scene, met, camera.position)
    painters: List[Tuple[Callable[..., Any], Any]] = [(_room_surface, face) for face in range(ROOM_FACES)]
    numbers = iter(range(ROOM_FACES, ROOM_FACES + sum(len(group.parts) for group in scene.groups)))
    painters += [(_part_surface, (group, part, next(numbers))) for group in scene.groups for part in group.parts]
    flat = met.ids.ravel()
    # Part by part: the pixels of each lie together then.
    order = numpy.argsort(flat, kind="stable")
    ends = numpy.cumsum(numpy.bincount(flat, minlength=len(painters)))
    directions = [c.ravel() for c in met.directions]
    distances = met.depth.ravel()
    light = numpy.empty((3, flat.size), numpy.float32)
    begin = 0
    for (paint, what), end in zip(painters, ends.tolist()):
        for first in range(begin, end, _TOGETHER):
            chosen = order[first : min(end, first + _TOGETHER)]
            depth = distances[chosen]
            d = [c[chosen] for c in directions]
            points = [depth * c + p for c, p in zip(d, camera.position)]
            length = -numpy.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
            to_eye = [c / length for c in d]
            material, rgb, normal = paint(scene, what, points, depth * (1.0 / FOCAL[0]), to_eye)
            here = lighting.Reaching(reaching.everywhere[chosen], [visible[chosen] for visible in reaching.lamps])
            for c, values in enumerate(lighting.leaving(scene, material, rgb, normal, points, to_eye, here)):
                light[c, chosen] = values
        begin = end
    return light.reshape((3,) + met.ids.shape)


def _room_surface(scene, face, points, foot, to_eye):
    """(material, colours, normal) of points on a wall, the floor or the ceiling."""
    axis = face // 2
    normal = [0.0, 0.0, 0.0]
    normal[axis] = 1.0 if face % 2 == 0 else -1.0
    if face == _FLOOR:
        material = scene.floor
    elif face == _CEILING:
        material = scene.ceiling
    else:
        material = scene.walls[face if face < 2 else face - 2]
    s, t = ((points[2], points[1]), (points[0], points[2]), (points[0], points[1]))[axis]
    slant = numpy.abs(to_eye[axis])
    rgb = surfaces.PATTERNS[material.pattern](s, t, foot / (slant + 0.05), material, 17.0 * face)
    if axis != 1:
        rgb = surfaces.skirting(rgb, points[1], foot)
    return material, rgb, normal


def _part_surface(scene, what, points, foot, to_eye):
    """(material, colours, normal) of points on a part."""
    group, part, number = what
    offset = [c - centre for c, centre in zip(geometry.to_local(group, points), part.centre)]
    s, t, normal = geometry.NORMALS[part.shape](part, offset)
    x = normal[0] * group.cosine + normal[2] * group.sine
    z = normal[2] * group.cosine - normal[0] * group.sine
    normal = [x, normal[1], z]
    slant = numpy.abs(normal[0] * to_eye[0] + normal[1] * to_eye[1] + normal[2] * to_eye[2])
    pattern = surfaces.PATTERNS[part.material.pattern]
    return part.material, pattern(s, t, foot / (slant + 0.05), part.material, 0.37 * number), normal


def _smooth_edges(shown, ids):
    """Blend pixels beside a border of parts, or a jump in brightness, with their neighbours."""
    bright = shown[0] + shown[1] + shown[2]
    edge = numpy.zeros(ids.shape, bool)
    for one, other in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        jump = (ids[one] != ids[other]) | (numpy.abs(bright[one] - bright[other]) > 0.12)
        edge[one] |= jump
        edge[other] |= jump
    height, width = ids.shape
    chosen = numpy.nonzero(edge.ravel())[0]
    row, column = chosen // width, chosen % width
    above, below = numpy.maximum(row - 1, 0) * width, numpy.minimum(row + 1, height - 1) * width
    left, right = numpy.maximum(column - 1, 0), numpy.minimum(column + 1, width - 1)
    for values in shown.reshape(3, -1):
        lines = []
        for start in (above, row * width, below):
            lines.append((values[start + left] + values[start + right]) * 0.25 + values[start + column] * 0.5)
        values[chosen] = (lines[0] + lines[2]) * 0.25 + lines[1] * 0.5


def _develop(shown, noise_seed):
    """8-bit RGB of display values: the lens darkens towards the corners, the sensor adds a little noise."""
    height, width = shown.shape[1:]
    x = numpy.arange(width, dtype=numpy.float32) * (2.0 / width) - 1.0
    y = numpy.arange(height, dtype=numpy.float32)[:, None] * (2.0 / height) - 1.0
    corner = 255.0 - (0.11 * 255.0) * (x * x + y * y)
    rgb = numpy.empty((height, width, 3), numpy.uint8)
    # The stream of NumPy's old generator is fixed for all time.
    dice = numpy.frombuffer(numpy.random.RandomState(noise_seed % 2**32).bytes(3 * height * width), numpy.uint8)
    for c, noise in enumerate(dice.reshape(3, height, width)):
        value = shown[c] * corner + (noise * numpy.float32(3.5 / 255.0) - 1.25)
        rgb[..., c] = numpy.minimum(numpy.maximum(value, 0.0), 255.0).astype(numpy.uint8)
    return rgb
