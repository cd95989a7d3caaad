"""What the rays of an image meet first: each part of a room is looked for only where it can be seen.

The rules of `render` for equal bytes on every machine hold here. The windows that leave pixels out are an exception:
they are wide enough for their rounding to change nothing.
"""

from typing import Any, List, NamedTuple, Tuple

import numpy

from . import geometry
from .scene import CENTRE, FOCAL, HEIGHT, WIDTH, Camera, Group, Part, Scene

# Numbers of the walls, floor and ceiling: 2 * axis for the side at 0, one more for the other. Parts follow.
ROOM_FACES = 6
# What is nearer than this to the plane of the camera is out of sight.
_NEAR = 0.05
# The two corners of each edge of a box, whose numbers have a bit for each axis.
_EDGES = numpy.array([(c, c | 1 << axis) for c in range(8) for axis in range(3) if not c >> axis & 1]).T
# Pixels that are looked at together, so that they stay in the processor's cache.
_TOGETHER = 1 << 15


class Met(NamedTuple):
    """What the rays of the pixels meet first, as arrays (height, width).

    depth: metres along the optical axis. ids: int16, a face of the room or `ROOM_FACES` plus the number of the part.
    directions: the rays, so that position + depth * direction is the point met.
    """

    depth: numpy.ndarray
    ids: numpy.ndarray
    directions: List[numpy.ndarray]


class Stack(NamedTuple):
    """The parts of one shape of all groups, as columns: `group` and `part` are those of geometry for all at once."""

    group: Group
    part: Part
    numbers: numpy.ndarray


class Parts:
    """All parts of a scene in the order of their numbers, made for any number of cameras."""

    def __init__(self, scene: Scene) -> None:
        pairs = [(group, part) for group in scene.groups for part in group.parts]
        self.count = len(pairs)
        self._half = numpy.array([part.half for _, part in pairs]).reshape(-1, 3)
        self._centre = numpy.array([part.centre for _, part in pairs]).reshape(-1, 3)
        self._origin = numpy.array([group.origin for group, _ in pairs]).reshape(-1, 3)
        self._turn = numpy.array([(group.cosine, group.sine) for group, _ in pairs]).reshape(-1, 2)
        self._shapes = numpy.array([part.shape for _, part in pairs])

    def windows(self, camera: Camera, height: int, width: int) -> numpy.ndarray:
        """Rows and columns (parts, 4) that hold each part: from, to, from, to; empty where it is out of sight."""
        signs = numpy.array([[corner >> axis & 1 for axis in range(3)] for corner in range(8)]) * 2.0 - 1.0
        local = self._centre[:, None] + signs * self._half[:, None]
        cosine, sine = self._turn[:, :1], self._turn[:, 1:]
        x = self._origin[:, :1] + local[..., 0] * cosine + local[..., 2] * sine - camera.position[0]
        y = self._origin[:, 1:2] + local[..., 1] - camera.position[1]
        z = self._origin[:, 2:] - local[..., 0] * sine + local[..., 2] * cosine - camera.position[2]
        right, up, ahead = (
            x * axis[0] + y * axis[1] + z * axis[2] for axis in (camera.right, camera.up, camera.forward)
        )
        # Where an edge passes the plane just before the camera, it ends there.
        first, last = _EDGES
        share = (_NEAR - ahead[:, first]) / (ahead[:, last] - ahead[:, first] + 1e-12)
        cut = (ahead[:, first] < _NEAR) != (ahead[:, last] < _NEAR)
        ends = [numpy.concatenate([c, c[:, first] + share * (c[:, last] - c[:, first])], 1) for c in (right, up)]
        ahead = numpy.concatenate([ahead, numpy.where(cut, _NEAR, 0.0)], 1)
        seen = ahead >= _NEAR
        safe = numpy.maximum(ahead, _NEAR)
        u = (ends[0] / safe * FOCAL[0] + CENTRE[0] + 0.5) * (width / float(WIDTH)) - 0.5
        v = (CENTRE[1] - ends[1] / safe * FOCAL[1] + 0.5) * (height / float(HEIGHT)) - 0.5
        found = numpy.stack(
            [extreme for c in (v, u) for extreme in (_least(c, seen) - 2.0, 3.0 - _least(-c, seen))], axis=1
        )
        limits = (height, height, width, width)
        return numpy.clip(found, 0, limits).astype(numpy.int64)

    def stacks(self, chosen: numpy.ndarray) -> List[Stack]:
        """The parts with the numbers `chosen`, a stack for each shape."""
        found = []
        for shape in geometry.INTERSECT:
            numbers = chosen[self._shapes[chosen] == shape] if len(chosen) else chosen
            if not len(numbers):
                continue
            origin, turn, centre, half = (
                [column[:, None].astype(numpy.float32) for column in values[numbers].T]
                for values in (self._origin, self._turn, self._centre, self._half)
            )
            found.append(Stack(_group(origin, turn), _part(shape, centre, half), numbers))
        return found


def _least(values, seen):
    return numpy.where(seen, values, 1e9).min(1)


def _group(origin: Any, turn: Any) -> Group:
    return Group(origin, turn[0], turn[1], ())


def _part(shape: str, centre: Any, half: Any) -> Part:
    nothing: Any = None
    return Part(shape, centre, half, nothing)


def directions(camera: Camera, height: int, width: int) -> List[numpy.ndarray]:
    """The rays through the pixels, float32 (height, width) along x, y and z; 1 long along the optical axis."""
    u, v = numpy.arange(width, dtype=numpy.float32), numpy.arange(height, dtype=numpy.float32)[:, None]
    u, v = (u + 0.5) * (WIDTH / float(width)) - 0.5, (v + 0.5) * (HEIGHT / float(height)) - 0.5
    a, b = (u - CENTRE[0]) / FOCAL[0], (CENTRE[1] - v) / FOCAL[1]
    right, up, forward = camera.right, camera.up, camera.forward
    return [a * right[i] + b * up[i] + forward[i] + geometry.TINY for i in range(3)]


def cast(scene: Scene, parts: Parts, camera: Camera, height: int, width: int) -> Met:
    """What `camera` sees of `scene`, whose `parts` are those given."""
    d = directions(camera, height, width)
    best, ids = _meet_room(scene, camera, d)
    windows = parts.windows(camera, height, width).tolist()
    number = 0
    for group in scene.groups:
        own = windows[number : number + len(group.parts)]
        seen = [window for window in own if window[0] < window[1] and window[2] < window[3]]
        if seen:
            top, left = min(window[0] for window in seen), min(window[2] for window in seen)
            rows = slice(top, max(window[1] for window in seen))
            columns = slice(left, max(window[3] for window in seen))
            origin = geometry.to_local(group, camera.position)
            turned = _turned(group, [c[rows, columns] for c in d])
            inverse = [1.0 / c for c in turned]
            for part, (v0, v1, u0, u1) in zip(group.parts, own):
                if v0 >= v1 or u0 >= u1:
                    number += 1
                    continue
                band = max(1, _TOGETHER // (u1 - u0))
                for v in range(v0, v1, band):
                    end = min(v1, v + band)
                    place = (slice(v - top, end - top), slice(u0 - left, u1 - left))
                    t = geometry.INTERSECT[part.shape](
                        part, origin, [c[place] for c in turned], [c[place] for c in inverse]
                    )
                    near = best[v:end, u0:u1]
                    closer = t < near
                    numpy.copyto(near, t, where=closer)
                    numpy.copyto(ids[v:end, u0:u1], numpy.int16(ROOM_FACES + number), where=closer)
                number += 1
        else:
            number += len(group.parts)
    return Met(best, ids, d)


def cast_few(scene: Scene, parts: Parts, camera: Camera, height: int, width: int) -> Met:
    """As `cast`, for images of few pixels: all parts of a shape at once."""
    d = directions(camera, height, width)
    best, ids = _meet_room(scene, camera, d)
    windows = parts.windows(camera, height, width)
    seen = numpy.nonzero((windows[:, 0] < windows[:, 1]) & (windows[:, 2] < windows[:, 3]))[0]
    best, ids, rays = best.ravel(), ids.ravel(), [c.ravel() for c in d]
    for stack in parts.stacks(seen):
        turned = _turned(stack.group, rays)
        origin = geometry.to_local(stack.group, camera.position)
        t = geometry.INTERSECT[stack.part.shape](stack.part, origin, turned, [1.0 / c for c in turned])
        nearest = t.argmin(0)
        t = t[nearest, numpy.arange(len(best))]
        closer = t < best
        numpy.copyto(best, t, where=closer)
        numpy.copyto(ids, (ROOM_FACES + stack.numbers[nearest]).astype(numpy.int16), where=closer)
    return Met(best.reshape(height, width), ids.reshape(height, width), d)


def _turned(group, d):
    """Directions in the frame of the group."""
    turned = [d[0] * group.cosine - d[2] * group.sine, d[1], d[0] * group.sine + d[2] * group.cosine]
    return [c + 3.0 * geometry.TINY for c in turned]


def _meet_room(scene, camera, d):
    best: Any = None
    ids: Any = None
    for axis in range(3):
        position = camera.position[axis]
        ahead = d[axis] > 0
        t = numpy.where(ahead, numpy.float32(scene.size[axis] - position), numpy.float32(-position)) / d[axis]
        face = numpy.where(ahead, numpy.int16(2 * axis + 1), numpy.int16(2 * axis))
        if best is None:
            best, ids = t, face
        else:
            closer = t < best
            numpy.copyto(best, t, where=closer)
            numpy.copyto(ids, face, where=closer)
    return best, ids


def neighbours(count: int, step: int) -> Tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """For each of `count` pixels the two nearest of those taken at every `step`th, and the share of the second."""
    taken = len(range(step // 2, count, step))
    place = (numpy.arange(count, dtype=numpy.float32) - float(step // 2)) / float(step)
    place = numpy.minimum(numpy.maximum(place, 0.0), float(taken - 1))
    first = numpy.floor(place).astype(numpy.int64)
    return first, numpy.minimum(first + 1, taken - 1), place - first.astype(numpy.float32)
