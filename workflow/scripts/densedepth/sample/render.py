"""Ray casting of rooms: an image and its exact depth, from boxes, cylinders and ellipsoids with procedural surfaces.

Units are metres, colours linear RGB of 0..1; world axes are x (right), y (up), z (into the room), the room being the
box from (0,0,0) to `Scene.size`. Depth is the distance along the camera's optical axis, as in NYU Depth v2.

The same scene gives the same bytes on every machine: only elementwise operations that IEEE 754 defines to the last
bit are used (+ - * / sqrt, comparisons, floor), no sums or products over axes, no transcendental functions, and Python
floats as scalars so that every version of NumPy stays in float32.
"""

from typing import Any, Tuple

import numpy

from . import geometry, lighting, surfaces
from .scene import CENTRE, FOCAL, HEIGHT, WIDTH, Camera, Scene

_ROOM_FACES = 6
_FLOOR, _CEILING = 2, 3
# Positions of the four samples of a smoothed pixel, in pixels from its centre: a rotated grid.
_TILE = (160, 214)
_SUBSAMPLES = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))


def render(
    scene: Scene, camera: Camera, noise_seed: int = 0, height: int = HEIGHT, width: int = WIDTH
) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """(rgb uint8 (height,width,3), depth float32 (height,width) in metres) of `scene` as `camera` sees it.

    `height` and `width` other than 480x640 show the same view with fewer or more pixels.
    """
    view = _View(scene, camera, height, width)
    u, v = _grid(height, width)
    colour = numpy.empty((3, height * width), numpy.float32)
    depth = numpy.empty(height * width, numpy.float32)
    ids = numpy.empty(height * width, numpy.int32)
    tiles = _tiles_of(height, width)
    for tile in tiles:
        colour[:, tile], depth[tile], ids[tile] = view.shade(u[tile], v[tile])
    edges = _edges(colour, ids, height, width)
    for tile in tiles:
        rough = tile[edges[tile]]
        if len(rough):
            colour[:, rough] = view.shade_smooth(u[rough], v[rough])
    return _develop(colour, u, v, noise_seed, height, width), depth.reshape(height, width)


def _tiles_of(height, width):
    """Flat pixel numbers, tile by tile: what a tile sees lies together, so most furniture can be left out at once."""
    numbers = numpy.arange(height * width, dtype=numpy.int64).reshape(height, width)
    return [
        numbers[top : top + _TILE[0], left : left + _TILE[1]].ravel()
        for top in range(0, height, _TILE[0])
        for left in range(0, width, _TILE[1])
    ]


def survey(scene: Scene, camera: Camera, height: int, width: int) -> Tuple[numpy.ndarray, float, int]:
    """(depth float32 (height,width), furnished, things) of a small view, without colours.

    `furnished` is the share of pixels, 0..1, that show more than the empty room; `things` counts the groups in sight.
    """
    view = _View(scene, camera, height, width)
    depth, ids, _ = view.cast(*_grid(height, width))
    furnished = int(numpy.count_nonzero(ids >= _ROOM_FACES))
    things = sum(
        int(numpy.count_nonzero((ids >= first) & (ids < first + len(group.parts)))) > 2
        for group, _, _, first in view.groups
    )
    return depth.reshape(height, width), furnished / float(height * width), things


def brightness(scene: Scene, camera: Camera, height: int, width: int) -> float:
    """Mean of the 8-bit values, 0..255, of a small image."""
    u, v = _grid(height, width)
    colour, _, _ = _View(scene, camera, height, width).shade(u, v)
    # A sum of integers is exact in any order.
    total = int(_develop(colour, u, v, 0, height, width).astype(numpy.int64).sum())
    return total / float(3 * height * width)


def _grid(height, width):
    """Pixel columns and rows, flat, float32."""
    u = numpy.empty((height, width), numpy.float32)
    v = numpy.empty((height, width), numpy.float32)
    u[:] = numpy.arange(width, dtype=numpy.float32)
    v[:] = numpy.arange(height, dtype=numpy.float32)[:, None]
    return u.ravel(), v.ravel()


def _edges(colour, ids, height, width):
    """Pixels, flat, beside a border of parts or a jump in brightness: those that need more than one sample."""
    bright = (colour[0] + colour[1] + colour[2]).reshape(height, width)
    ids = ids.reshape(height, width)
    edge = numpy.zeros((height, width), bool)
    for one, other in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        jump = (ids[one] != ids[other]) | (numpy.abs(bright[one] - bright[other]) > 0.12)
        edge[one] |= jump
        edge[other] |= jump
    return edge.ravel()


def _develop(colour, u, v, noise_seed, height, width):
    """8-bit RGB of display values: the lens darkens towards the corners, the sensor adds a little noise."""
    x = u * (2.0 / width) - 1.0
    y = v * (2.0 / height) - 1.0
    corner = 1.0 - 0.11 * (x * x + y * y)
    pixel = v.astype(numpy.uint32) * numpy.uint32(width) + u.astype(numpy.uint32)
    rgb = numpy.empty((height * width, 3), numpy.uint8)
    for c in range(3):
        value = colour[c] * corner * 255.0
        value = value + (_hash(pixel * numpy.uint32(3) + numpy.uint32(c), noise_seed) - 0.5) * 5.0
        rgb[:, c] = numpy.floor(numpy.clip(value + 0.5, 0.0, 255.0)).astype(numpy.uint8)
    return rgb.reshape(height, width, 3)


def _hash(values, seed):
    """Pseudo-random float32 of 0..1, bell-shaped, for each uint32 of `values`."""
    h = values ^ numpy.uint32(seed * 2654435761 % 2**32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = h ^ (h >> numpy.uint32(shift))
        h = h * numpy.uint32(factor)
    h = h ^ (h >> numpy.uint32(16))
    low = (h & numpy.uint32(0xFFFF)).astype(numpy.float32)
    high = (h >> numpy.uint32(16)).astype(numpy.float32)
    return (low + high) * (0.5 / 65535.0)


class _View:
    """One scene before one camera."""

    def __init__(self, scene, camera, height, width):
        self.scene = scene
        self.camera = camera
        self.scale = (WIDTH / float(width), HEIGHT / float(height))
        self.groups = []
        # As `lighting.shade` takes them, out of sight or not.
        self.lit = []
        first = _ROOM_FACES
        for group in scene.groups:
            bounds = geometry.bounds(group.parts)
            self.groups.append((group, bounds, self._window(group, bounds), first))
            self.lit.append((group, bounds, geometry.world_span(group, bounds), first))
            first += len(group.parts)

    def _window(self, group, bounds):
        """(u0, u1, v0, v1) in pixels of the full-size image around the group; None when it is out of sight."""
        us, vs = [], []
        behind = 0
        for corner in range(8):
            local = [bounds[corner >> axis & 1][axis] for axis in range(3)]
            x, y, z = geometry.to_world(group, local)
            offset = [p - q for p, q in zip((x, y, z), self.camera.position)]
            depth = geometry.dot(offset, self.camera.forward)
            if depth < 0.05:
                behind += 1
                continue
            us.append(geometry.dot(offset, self.camera.right) / depth * FOCAL[0] + CENTRE[0])
            vs.append(-geometry.dot(offset, self.camera.up) / depth * FOCAL[1] + CENTRE[1])
        if behind == 8:
            return None
        if behind:
            return (-1e9, 1e9, -1e9, 1e9)
        window = (min(us) - 2, max(us) + 2, min(vs) - 2, max(vs) + 2)
        seen = window[0] < WIDTH and window[1] > 0 and window[2] < HEIGHT and window[3] > 0
        return window if seen else None

    def cast(self, u, v):
        """(depth, id, direction x, y, z) of what the rays through pixels (u, v) meet first."""
        u = (u + 0.5) * self.scale[0] - 0.5
        v = (v + 0.5) * self.scale[1] - 0.5
        a = (u - CENTRE[0]) / FOCAL[0]
        b = (CENTRE[1] - v) / FOCAL[1]
        right, up, forward = self.camera.right, self.camera.up, self.camera.forward
        d = [a * right[i] + b * up[i] + forward[i] for i in range(3)]
        d = [c + geometry.TINY for c in d]
        best, ids = self._cast_room(d)
        for group, bounds, window, first in self.groups:
            if window is None:
                continue
            inside = (u >= window[0]) & (u <= window[1]) & (v >= window[2]) & (v <= window[3])
            chosen = numpy.nonzero(inside)[0]
            if len(chosen):
                self._cast_group(group, bounds, first, chosen, d, best, ids)
        return best, ids, d

    def _cast_room(self, d):
        best: Any = None
        ids: Any = None
        for axis in range(3):
            position = self.camera.position[axis]
            ahead = d[axis] > 0
            t = numpy.where(ahead, numpy.float32(self.scene.size[axis] - position), numpy.float32(-position)) / d[axis]
            face = numpy.where(ahead, numpy.int32(2 * axis + 1), numpy.int32(2 * axis))
            if best is None:
                best, ids = t, face
            else:
                closer = t < best
                best = numpy.where(closer, t, best)
                ids = numpy.where(closer, face, ids)
        return best, ids

    def _cast_group(self, group, bounds, first, chosen, d, best, ids):
        origin = geometry.to_local(group, self.camera.position)
        dx, dy, dz = (c[chosen] for c in d)
        d = [dx * group.cosine - dz * group.sine, dy, dx * group.sine + dz * group.cosine]
        d = [c + 3.0 * geometry.TINY for c in d]
        inverse = [1.0 / c for c in d]
        near, far = geometry.slabs(origin, inverse, *bounds)
        kept = numpy.nonzero((near < far) & (far > 0.0) & (near < best[chosen]))[0]
        chosen = chosen[kept]
        d = [c[kept] for c in d]
        inverse = [c[kept] for c in inverse]
        group_best = best[chosen]
        group_ids = ids[chosen]
        for number, part in enumerate(group.parts):
            t = geometry.INTERSECT[part.shape](part, origin, d, inverse)
            closer = t < group_best
            group_best = numpy.where(closer, t, group_best)
            group_ids = numpy.where(closer, numpy.int32(first + number), group_ids)
        best[chosen] = group_best
        ids[chosen] = group_ids

    def shade(self, u, v):
        """(display values 0..1 (3,n), depth, id) for the rays through pixels (u, v)."""
        depth, ids, d = self.cast(u, v)
        points = [depth * d[i] + self.camera.position[i] for i in range(3)]
        length = numpy.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
        to_eye = [-c / length for c in d]
        surface = _Surface(len(depth))
        foot = depth * (1.0 / FOCAL[0])
        self._room_surface(surface, points, ids, foot, to_eye)
        for group, _, window, first in self.groups:
            if window is not None:
                self._group_surface(surface, group, first, points, ids, foot, to_eye)
        colour = lighting.shade(self.scene, self.lit, surface, points, ids, to_eye)
        return numpy.stack(lighting.tone(self.scene, colour)), depth, ids

    def shade_smooth(self, u, v):
        """Display values, float32 (3,n), averaged over four places in each pixel."""
        samples, _, _ = self.shade(
            numpy.concatenate([u + du for du, _ in _SUBSAMPLES]), numpy.concatenate([v + dv for _, dv in _SUBSAMPLES])
        )
        samples = samples.reshape(3, 4, len(u))
        return (samples[:, 0] + samples[:, 1] + (samples[:, 2] + samples[:, 3])) * 0.25

    def _room_surface(self, surface, points, ids, foot, to_eye):
        for face in range(_ROOM_FACES):
            chosen = numpy.nonzero(ids == face)[0]
            if not len(chosen):
                continue
            axis = face // 2
            normal = [0.0, 0.0, 0.0]
            normal[axis] = 1.0 if face % 2 == 0 else -1.0
            p = [c[chosen] for c in points]
            if face == _FLOOR:
                material = self.scene.floor
            elif face == _CEILING:
                material = self.scene.ceiling
            else:
                material = self.scene.walls[face if face < 2 else face - 2]
            s, t = (p[0], p[2]) if axis == 1 else ((p[2], p[1]) if axis == 0 else (p[0], p[1]))
            slant = numpy.abs(to_eye[axis][chosen])
            rgb = surfaces.PATTERNS[material.pattern](s, t, foot[chosen] / (slant + 0.05), material, 17.0 * face)
            if axis != 1:
                rgb = surfaces.skirting(rgb, p[1], foot[chosen])
            surface.put(chosen, [numpy.float32(n) for n in normal], rgb, material)

    def _group_surface(self, surface, group, first, points, ids, foot, to_eye):
        members = numpy.nonzero((ids >= first) & (ids < first + len(group.parts)))[0]
        if not len(members):
            return
        member_ids = ids[members]
        for number, part in enumerate(group.parts):
            chosen = members[member_ids == first + number]
            if not len(chosen):
                continue
            local = geometry.to_local(group, [c[chosen] for c in points])
            offset = [c - centre for c, centre in zip(local, part.centre)]
            s, t, normal = geometry.NORMALS[part.shape](part, offset)
            nx = normal[0] * group.cosine + normal[2] * group.sine
            nz = normal[2] * group.cosine - normal[0] * group.sine
            normal = [nx, normal[1], nz]
            slant = numpy.abs(
                normal[0] * to_eye[0][chosen] + normal[1] * to_eye[1][chosen] + normal[2] * to_eye[2][chosen]
            )
            shift = 0.37 * (first + number)
            rgb = surfaces.PATTERNS[part.material.pattern](s, t, foot[chosen] / (slant + 0.05), part.material, shift)
            surface.put(chosen, normal, rgb, part.material)


class _Surface:
    """What the rays met: unit normal, albedo, gloss and glow of each."""

    def __init__(self, count):
        self.normal = [numpy.zeros(count, numpy.float32) for _ in range(3)]
        self.rgb = [numpy.zeros(count, numpy.float32) for _ in range(3)]
        self.gloss = numpy.zeros(count, numpy.float32)
        self.glow = numpy.zeros(count, numpy.float32)

    def put(self, chosen, normal, rgb, material):
        for c in range(3):
            self.normal[c][chosen] = normal[c]
            self.rgb[c][chosen] = rgb[c]
        self.gloss[chosen] = material.gloss
        self.glow[chosen] = material.glow
