"""Ray casting of rooms: a picture and its exact depth, from boxes, cylinders and ellipsoids with procedural surfaces.

Units are metres, colours linear RGB of 0..1; world axes are x (right), y (up), z (into the room), the room being the
box from (0,0,0) to `Scene.size`. Depth is the distance along the camera's optical axis, as in NYU Depth v2.

The same scene gives the same bytes on every machine: only elementwise operations that IEEE 754 defines to the last
bit are used (+ - * / sqrt, comparisons, floor), no sums or products over axes, no transcendental functions, and Python
floats as scalars so that every version of NumPy stays in float32.
"""

import collections

import numpy

HEIGHT, WIDTH = 480, 640
# Focal lengths and centre of the NYU Depth v2 colour camera, in pixels, rounded.
FOCAL = (518.9, 519.5)
CENTRE = (325.6, 253.7)

BOX, CYLINDER, ELLIPSOID = "box", "cylinder", "ellipsoid"

Material = collections.namedtuple("Material", "pattern colour second scale gloss glow")
Part = collections.namedtuple("Part", "shape centre half material")
Group = collections.namedtuple("Group", "origin cosine sine parts")
Light = collections.namedtuple("Light", "position colour radius")
Camera = collections.namedtuple("Camera", "position right up forward")
Scene = collections.namedtuple("Scene", "size walls floor ceiling groups lights ambient exposure balance")

_ROOM_FACES = 6
_FLOOR, _CEILING = 2, 3
# Positions of the four samples of a smoothed pixel, in pixels from its centre: a rotated grid.
_TILE = (160, 214)
_SUBSAMPLES = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))

# How far from furniture light is missing, and how far beside it a soft shadow may fall, in metres.
_REACH, _MARGIN = 0.35, 0.04
# Parts with two half widths below this throw no shadow.
_SLIGHT = 0.0125
# Keeps directions from being zero; far below what float32 resolves in them otherwise.
_TINY = 1e-9

_TABLE = numpy.random.RandomState(20181230).random_sample((256, 256)).astype(numpy.float32)


def render(scene, camera, noise_seed=0, height=HEIGHT, width=WIDTH):
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


def survey(scene, camera, height, width):
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


def brightness(scene, camera, height, width):
    """Mean of the 8-bit values, 0..255, of a small picture."""
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
        self.spans = []
        first = _ROOM_FACES
        for group in scene.groups:
            bounds = _bounds(group.parts)
            self.groups.append((group, bounds, self._window(group, bounds), first))
            self.spans.append(_world_span(group, bounds))
            first += len(group.parts)

    def _window(self, group, bounds):
        """(u0, u1, v0, v1) in pixels of the full-size picture around the group; None when it is out of sight."""
        us, vs = [], []
        behind = 0
        for corner in range(8):
            local = [bounds[corner >> axis & 1][axis] for axis in range(3)]
            x, y, z = _to_world(group, local)
            offset = [p - q for p, q in zip((x, y, z), self.camera.position)]
            depth = _dot(offset, self.camera.forward)
            if depth < 0.05:
                behind += 1
                continue
            us.append(_dot(offset, self.camera.right) / depth * FOCAL[0] + CENTRE[0])
            vs.append(-_dot(offset, self.camera.up) / depth * FOCAL[1] + CENTRE[1])
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
        d = [c + _TINY for c in d]
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
        best = ids = None
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
        origin = _to_local(group, self.camera.position)
        dx, dy, dz = (c[chosen] for c in d)
        d = [dx * group.cosine - dz * group.sine, dy, dx * group.sine + dz * group.cosine]
        d = [c + 3.0 * _TINY for c in d]
        inverse = [1.0 / c for c in d]
        near, far = _slabs(origin, inverse, *bounds)
        kept = numpy.nonzero((near < far) & (far > 0.0) & (near < best[chosen]))[0]
        chosen = chosen[kept]
        d = [c[kept] for c in d]
        inverse = [c[kept] for c in inverse]
        group_best = best[chosen]
        group_ids = ids[chosen]
        for number, part in enumerate(group.parts):
            t = _INTERSECT[part.shape](part, origin, d, inverse)
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
        colour = self._light(surface, points, ids, to_eye)
        return numpy.stack(self._tone(colour)), depth, ids

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
            rgb = _PATTERNS[material.pattern](s, t, foot[chosen] / (slant + 0.05), material, 17.0 * face)
            if axis != 1:
                rgb = _skirting(rgb, p[1], foot[chosen])
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
            local = _to_local(group, [c[chosen] for c in points])
            offset = [c - centre for c, centre in zip(local, part.centre)]
            s, t, normal = _NORMALS[part.shape](part, offset)
            nx = normal[0] * group.cosine + normal[2] * group.sine
            nz = normal[2] * group.cosine - normal[0] * group.sine
            normal = [nx, normal[1], nz]
            slant = numpy.abs(
                normal[0] * to_eye[0][chosen] + normal[1] * to_eye[1][chosen] + normal[2] * to_eye[2][chosen]
            )
            shift = 0.37 * (first + number)
            rgb = _PATTERNS[part.material.pattern](s, t, foot[chosen] / (slant + 0.05), part.material, shift)
            surface.put(chosen, normal, rgb, part.material)

    def _light(self, surface, points, ids, to_eye):
        """Light that leaves the surfaces towards the eye: ambient with occlusion, lamps with soft shadows, glow."""
        scene = self.scene
        n = surface.normal
        occlusion = self._corner_occlusion(points, n)
        lamps = []
        for light in scene.lights:
            to = [position - c for position, c in zip(light.position, points)]
            square = to[0] * to[0] + to[1] * to[1] + to[2] * to[2]
            distance = numpy.sqrt(square)
            facing = (n[0] * to[0] + n[1] * to[1] + n[2] * to[2]) / distance
            lamps.append((light, to, distance, facing, numpy.ones_like(distance)))
        low, high = [float(c.min()) for c in points], [float(c.max()) for c in points]
        for (group, bounds, _, first), span in zip(self.groups, self.spans):
            nearby = _overlap(low, high, span, _REACH)
            between = [
                lamp
                for lamp in lamps
                if _overlap(
                    [min(pair) for pair in zip(low, lamp[0].position)],
                    [max(pair) for pair in zip(high, lamp[0].position)],
                    span,
                    _MARGIN,
                )
            ]
            if nearby or between:
                self._group_shadow(group, bounds, first, points, ids, between, occlusion if nearby else None)

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

    def _corner_occlusion(self, points, n):
        """Less light where walls, floor and ceiling meet."""
        occlusion = 1.0
        for axis in range(3):
            aside = 1.0 - n[axis] * n[axis]
            low = numpy.maximum(points[axis], 0.0)
            high = numpy.maximum(self.scene.size[axis] - points[axis], 0.0)
            for distance in (low, high):
                occlusion = occlusion * (1.0 - aside * 0.34 * (0.16 / (0.16 + distance)))
        return occlusion

    def _group_shadow(self, group, bounds, first, points, ids, lamps, occlusion):
        local = _to_local(group, points)
        if occlusion is not None:
            own = (ids >= first) & (ids < first + len(group.parts))
            _group_occlusion(bounds, local, own, occlusion)
        low, high = bounds
        for light, _, distance, facing, visible in lamps:
            lamp = _to_local(group, light.position)
            if all(lo - 0.02 <= c <= hi + 0.02 for lo, c, hi in zip(low, lamp, high)):
                continue
            lit = numpy.nonzero(facing > 0.0)[0]
            origin = [c[lit] for c in local]
            inverse = [1.0 / (lamp[axis] - origin[axis] + _TINY) for axis in range(3)]
            entry, leave = _slabs(origin, inverse, [c - _MARGIN for c in low], [c + _MARGIN for c in high])
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
                inside, entry = _overlap_inside(
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

    def _tone(self, colour):
        """Display values: exposure, white balance, soft shoulder, a square root as the display's gamma, contrast."""
        shown = []
        for c in range(3):
            x = colour[c] * (self.scene.exposure * self.scene.balance[c])
            x = x * (1.0 + x * 0.25) / (1.0 + x * 0.48)
            y = numpy.sqrt(numpy.clip(x, 0.0, 1.0))
            shown.append(y + 0.45 * y * (1.0 - y) * (y - 0.42))
        return shown


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


# Geometry


def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _to_local(group, p):
    x, z = p[0] - group.origin[0], p[2] - group.origin[2]
    return [x * group.cosine - z * group.sine, p[1] - group.origin[1], x * group.sine + z * group.cosine]


def _to_world(group, p):
    x = group.origin[0] + p[0] * group.cosine + p[2] * group.sine
    z = group.origin[2] - p[0] * group.sine + p[2] * group.cosine
    return [x, p[1] + group.origin[1], z]


def _bounds(parts):
    low = [min(part.centre[axis] - part.half[axis] for part in parts) for axis in range(3)]
    high = [max(part.centre[axis] + part.half[axis] for part in parts) for axis in range(3)]
    return low, high


def _world_span(group, bounds):
    """Lowest and highest world coordinates of the group's corners."""
    corners = [_to_world(group, [bounds[corner >> axis & 1][axis] for axis in range(3)]) for corner in range(8)]
    return [min(c[axis] for c in corners) for axis in range(3)], [max(c[axis] for c in corners) for axis in range(3)]


def _overlap(low, high, span, margin):
    return all(low[axis] <= span[1][axis] + margin and high[axis] >= span[0][axis] - margin for axis in range(3))


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


def _slabs(origin, inverse, low, high):
    """Where rays enter and leave the box low..high, in units of their directions; enter > leave: missed."""
    near = far = None
    for axis in range(3):
        one = (low[axis] - origin[axis]) * inverse[axis]
        other = (high[axis] - origin[axis]) * inverse[axis]
        enter, leave = numpy.minimum(one, other), numpy.maximum(one, other)
        near = enter if near is None else numpy.maximum(near, enter)
        far = leave if far is None else numpy.minimum(far, leave)
    return near, far


def _overlap_inside(origin, inverse, low, high):
    """(how deep within the box's outline rays of length 1 run, negative outside; where they enter, 0..1).

    The depth is the least overlap of what two different pairs of faces leave of the ray, so a thin board that is hit
    squarely counts as deep.
    """
    near, far = [], []
    for axis in range(3):
        one = (low[axis] - origin[axis]) * inverse[axis]
        other = (high[axis] - origin[axis]) * inverse[axis]
        near.append(numpy.maximum(numpy.minimum(one, other), 0.0))
        far.append(numpy.minimum(numpy.maximum(one, other), 1.0))
    pairs = [numpy.maximum(near[1], near[2]), numpy.maximum(near[0], near[2]), numpy.maximum(near[0], near[1])]
    inside = numpy.minimum(numpy.minimum(far[0] - pairs[0], far[1] - pairs[1]), far[2] - pairs[2])
    return inside, numpy.minimum(numpy.maximum(pairs[0], near[0]), 1.0)


_FAR = numpy.float32(1e9)


def _meet_box(part, origin, d, inverse):
    low = [c - h for c, h in zip(part.centre, part.half)]
    high = [c + h for c, h in zip(part.centre, part.half)]
    near, far = _slabs(origin, inverse, low, high)
    return numpy.where((near < far) & (near > 0.0), near, _FAR)


def _meet_ellipsoid(part, origin, d, inverse):
    o = [(origin[i] - part.centre[i]) / part.half[i] for i in range(3)]
    d = [d[i] * (1.0 / part.half[i]) for i in range(3)]
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = d[0] * o[0] + d[1] * o[1] + d[2] * o[2]
    c = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1.0
    root = b * b - a * c
    t = (-b - numpy.sqrt(numpy.maximum(root, 0.0))) / a
    return numpy.where((root > 0.0) & (t > 0.0), t, _FAR)


def _meet_cylinder(part, origin, d, inverse):
    """An upright cylinder (elliptic: half widths along x and z) with flat ends."""
    ox = (origin[0] - part.centre[0]) / part.half[0]
    oz = (origin[2] - part.centre[2]) / part.half[2]
    dx, dz = d[0] * (1.0 / part.half[0]), d[2] * (1.0 / part.half[2])
    a = dx * dx + dz * dz
    b = dx * ox + dz * oz
    c = ox * ox + oz * oz - 1.0
    root = b * b - a * c
    width = numpy.sqrt(numpy.maximum(root, 0.0))
    one = (part.centre[1] - part.half[1] - origin[1]) * inverse[1]
    other = (part.centre[1] + part.half[1] - origin[1]) * inverse[1]
    near = numpy.maximum((-b - width) / a, numpy.minimum(one, other))
    far = numpy.minimum((-b + width) / a, numpy.maximum(one, other))
    return numpy.where((root > 0.0) & (near < far) & (near > 0.0), near, _FAR)


_INTERSECT = {BOX: _meet_box, CYLINDER: _meet_cylinder, ELLIPSOID: _meet_ellipsoid}


def _box_normal(part, offset):
    """Texture coordinates in metres and the normal of the face that each point (from the centre) lies on."""
    ratios = [numpy.abs(offset[i]) * (1.0 / part.half[i]) for i in range(3)]
    is_x = (ratios[0] >= ratios[1]) & (ratios[0] >= ratios[2])
    is_y = ~is_x & (ratios[1] >= ratios[2])
    sign = [numpy.where(c > 0, numpy.float32(1.0), numpy.float32(-1.0)) for c in offset]
    zero = numpy.float32(0.0)
    normal = [
        numpy.where(is_x, sign[0], zero),
        numpy.where(is_y, sign[1], zero),
        numpy.where(is_x | is_y, zero, sign[2]),
    ]
    s = numpy.where(is_x, offset[2], offset[0])
    t = numpy.where(is_y, offset[2], offset[1])
    return s, t, normal


def _ellipsoid_normal(part, offset):
    n = [offset[i] * (1.0 / (part.half[i] * part.half[i])) for i in range(3)]
    size = numpy.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
    return offset[0] + offset[2] * 0.5, offset[1] + offset[2] * 0.5, [c / size for c in n]


def _cylinder_normal(part, offset):
    flat = numpy.abs(offset[1]) > part.half[1] * 0.9995
    nx = offset[0] * (1.0 / (part.half[0] * part.half[0]))
    nz = offset[2] * (1.0 / (part.half[2] * part.half[2]))
    size = numpy.sqrt(nx * nx + nz * nz) + 1e-6
    zero = numpy.float32(0.0)
    up = numpy.where(offset[1] > 0, numpy.float32(1.0), numpy.float32(-1.0))
    normal = [numpy.where(flat, zero, nx / size), numpy.where(flat, up, zero), numpy.where(flat, zero, nz / size)]
    return offset[0] + offset[2] * 0.5, numpy.where(flat, offset[2], offset[1]), normal


_NORMALS = {BOX: _box_normal, CYLINDER: _cylinder_normal, ELLIPSOID: _ellipsoid_normal}


# Surfaces: (s, t) in metres on the surface, `foot` the size of a pixel there in metres, `shift` moves the texture.


def _noise(x, y):
    """Smooth noise of 0..1 with one value per unit square."""
    fx, fy = numpy.floor(x), numpy.floor(y)
    ix, iy = fx.astype(numpy.int32), fy.astype(numpy.int32)
    x, y = x - fx, y - fy
    x, y = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y)
    ix0, ix1, iy0, iy1 = ix & 255, (ix + 1) & 255, iy & 255, (iy + 1) & 255
    top = _TABLE[iy0, ix0] * (1.0 - x) + _TABLE[iy0, ix1] * x
    bottom = _TABLE[iy1, ix0] * (1.0 - x) + _TABLE[iy1, ix1] * x
    return top * (1.0 - y) + bottom * y


def _cell(x, y):
    """A value of 0..1 for the unit square that (x, y) lies in."""
    ix, iy = numpy.floor(x).astype(numpy.int32), numpy.floor(y).astype(numpy.int32)
    return _TABLE[(iy * 7 + 3) & 255, (ix * 13 + 5) & 255]


def _visible(foot, period):
    """1 where detail of this period is larger than the pixels, falling to 0 where it is smaller."""
    return numpy.clip(1.6 - foot * (2.2 / period), 0.0, 1.0)


def _line(x, half_width, foot):
    """Cover of 0..1 by lines of this half width at the whole numbers of x, all in metres per period 1."""
    distance = numpy.abs(x - numpy.floor(x + 0.5))
    cover = numpy.clip((half_width - distance) / (foot + 1e-6) + 0.5, 0.0, 1.0)
    # A line thinner than a pixel covers only its share of it.
    return cover * numpy.minimum(1.0, 2.0 * half_width / (foot + 1e-6))


def _mix(material, share, brightness):
    return [
        (first * (1.0 - share) + second * share) * brightness for first, second in zip(material.colour, material.second)
    ]


def _plain(s, t, foot, material, shift):
    cloud = _noise(s * 1.7 + shift, t * 1.7 + shift)
    return _mix(material, 0.0, 0.96 + 0.08 * cloud)


def _plaster(s, t, foot, material, shift):
    cloud = _noise(s * 1.1 + shift, t * 1.1)
    fine = (_noise(s * 70.0 + shift, t * 70.0) - 0.5) * _visible(foot, 1.0 / 70.0)
    return _mix(material, 0.0, 0.955 + 0.07 * cloud + 0.07 * fine)


def _stripes(s, t, foot, material, shift):
    """Wallpaper."""
    x = s * (1.0 / material.scale)
    half = _line(x, 0.25, foot * (1.0 / material.scale))
    cloud = _noise(s * 1.1 + shift, t * 1.1)
    return _mix(material, half, 0.96 + 0.06 * cloud)


def _grain(s, t, foot, shift):
    """Darkness of wood grain that runs along s."""
    bend = _noise(s * 1.3 + shift, t * 5.0) * 2.5
    rings = _noise(t * 26.0 + bend + shift, s * 1.2 + shift) - 0.5
    fibre = (_noise(t * 150.0 + shift, s * 5.0) - 0.5) * _visible(foot, 1.0 / 150.0)
    return rings * _visible(foot, 1.0 / 26.0), fibre


def _wood(s, t, foot, material, shift):
    """Furniture: grain along the longer side would need the part; along s looks right on tops and fronts."""
    rings, fibre = _grain(s, t, foot, shift)
    return _mix(material, numpy.clip(0.45 + 0.8 * rings, 0.0, 1.0), 0.97 + 0.16 * fibre)


def _planks(s, t, foot, material, shift):
    """Floor boards along s, `scale` wide, each with its own tint, joints staggered."""
    row = t * (1.0 / material.scale)
    index = numpy.floor(row)
    length = material.scale * 9.0
    along = s * (1.0 / length) + _cell(index * 1.0, index * 0.0 + 3.0) * 5.0
    tint = _cell(along, row)
    rings, fibre = _grain(s + tint * 9.0, t, foot, shift)
    share = numpy.clip(0.2 + 0.5 * tint + 0.5 * rings, 0.0, 1.0)
    gap = numpy.maximum(
        _line(row, 0.0025 / material.scale, foot * (1.0 / material.scale)),
        _line(along, 0.0025 / length, foot * (1.0 / length)),
    )
    return _mix(material, share, (0.97 + 0.14 * fibre) * (1.0 - 0.6 * gap))


def _tiles(s, t, foot, material, shift):
    """Square tiles of side `scale`; the joints take the second colour."""
    x, y = s * (1.0 / material.scale) + 0.37, t * (1.0 / material.scale) + 0.21
    spread = foot * (1.0 / material.scale)
    joint = numpy.maximum(_line(x, 0.004 / material.scale, spread), _line(y, 0.004 / material.scale, spread))
    tint = (_cell(x, y) - 0.5) * _visible(foot, material.scale)
    cloud = _noise(s * 6.0 + tint * 40.0, t * 6.0)
    return _mix(material, joint, 0.93 + 0.12 * tint + 0.1 * cloud)


def _checks(s, t, foot, material, shift):
    """Two colours of tiles in turn."""
    x, y = s * (1.0 / material.scale) + 0.4, t * (1.0 / material.scale) + 0.3
    parity = numpy.floor(x) + numpy.floor(y)
    odd = parity - 2.0 * numpy.floor(parity * 0.5)
    fade = _visible(foot, material.scale)
    cloud = _noise(s * 5.0 + shift, t * 5.0)
    return _mix(material, 0.5 + (odd - 0.5) * fade, 0.93 + 0.1 * cloud)


def _cloth(s, t, foot, material, shift):
    """Woven cloth or carpet: fine noise over soft folds."""
    folds = _noise(s * 4.0 + shift, t * 4.0)
    fine = (_noise(s * 240.0 + shift, t * 240.0) - 0.5) * _visible(foot, 1.0 / 240.0)
    middle = (_noise(s * 45.0 + shift, t * 45.0) - 0.5) * _visible(foot, 1.0 / 45.0)
    return _mix(material, folds * 0.5, 0.95 + 0.22 * fine + 0.14 * middle)


def _drapes(s, t, foot, material, shift):
    """Hanging cloth: upright folds, `scale` apart."""
    x = s * (1.0 / material.scale) + 0.3 * _noise(s * 3.0 + shift, t * 0.7)
    wave = numpy.abs(x - numpy.floor(x + 0.5)) * 2.0
    wave = wave * wave * (3.0 - 2.0 * wave)
    return _mix(material, 0.0, 0.62 + 0.4 * wave)


def _rug(s, t, foot, material, shift):
    """A woven pattern of diamonds in bands."""
    x, y = s * (1.0 / material.scale), t * (1.0 / material.scale)
    x = numpy.abs(x - numpy.floor(x + 0.5))
    y = numpy.abs(y - numpy.floor(y + 0.5))
    ring = (x + y) * 4.0
    ring = numpy.abs(ring - numpy.floor(ring + 0.5)) * 2.0
    share = numpy.clip((ring - 0.5) * 6.0 + 0.5, 0.0, 1.0)
    fine = (_noise(s * 160.0, t * 160.0) - 0.5) * _visible(foot, 1.0 / 160.0)
    return _mix(material, 0.5 + (share - 0.5) * _visible(foot, material.scale * 0.25), 0.93 + 0.3 * fine)


def _books(s, t, foot, material, shift):
    """Backs of books, about `scale` thick, each of its own colour with a label."""
    x = s * (1.0 / material.scale) + shift * 3.7
    x = x + 0.35 * _noise(x * 0.9, x * 0.0 + 0.5)
    column = numpy.floor(x)
    red = _cell(column, column * 0.0 + 1.0)
    green = _cell(column, column * 0.0 + 2.0)
    blue = _cell(column, column * 0.0 + 3.0)
    light = 0.06 + 0.5 * _cell(column, column * 0.0 + 4.0)
    label = _line(t * (1.0 / 0.12) + _cell(column, column * 0.0 + 5.0), 0.1, foot * (1.0 / 0.12)) * 0.35
    label = label * _visible(foot, 0.03)
    gap = _line(x, 0.08, foot * (1.0 / material.scale))
    fade = _visible(foot, material.scale)
    shown = []
    for value, mean, warmth in ((red, 0.2, 1.0), (green, 0.16, 0.72), (blue, 0.13, 0.55)):
        colour = mean + (light * (0.5 * warmth + 0.5 * value * value + 0.12) - mean) * fade
        shown.append((colour * (1.0 - label) + 0.6 * label) * (1.0 - 0.75 * gap * fade))
    return shown


def _painting(s, t, foot, material, shift):
    """A landscape: sky, two ridges of hills, meadow."""
    x, y = s * (1.0 / material.scale), t * (1.0 / material.scale)
    far = 0.55 * (_noise(x * 1.1 + shift, x * 0.0 + shift) - 0.5) + 0.15 * (_noise(x * 5.0 + shift, x * 0.0) - 0.5)
    near = 0.6 * (_noise(x * 0.8 + shift, x * 0.0 + 2.0 + shift) - 0.5) - 0.3
    clouds = numpy.clip(_noise(x * 2.0 + shift, y * 5.0) * 2.0 - 0.9, 0.0, 1.0)
    strokes = 0.85 + 0.3 * _noise(x * 9.0 + shift, y * 22.0)
    hills = numpy.clip((far - y) * 30.0 + 0.5, 0.0, 1.0)
    meadow = numpy.clip((near - y) * 30.0 + 0.5, 0.0, 1.0)
    shown = []
    for c in range(3):
        sky = material.second[c] * (1.0 - 0.5 * clouds) + 0.5 * clouds
        colour = sky * (1.0 - hills) + (0.6 * material.colour[c] + 0.25 * material.second[c]) * hills
        shown.append((colour * (1.0 - meadow) + material.colour[c] * meadow) * strokes)
    return shown


def _outdoors(s, t, foot, material, shift):
    """What a window shows, out of focus: bright sky over trees."""
    edge = 0.45 * _noise(s * 2.2 + shift, t * 0.7 + shift) + 0.2 * _noise(s * 7.0 + shift, t * 6.0) - 0.45
    trees = numpy.clip((edge - t) * 3.5 + 0.5, 0.0, 1.0)
    leaves = 0.6 + 0.8 * _noise(s * 9.0 + shift, t * 9.0)
    return [a * (1.0 - trees) + b * trees * leaves for a, b in zip(material.colour, material.second)]


def _slats(s, t, foot, material, shift):
    """Level slats, `scale` apart: blinds, vents."""
    gap = _line(t * (1.0 / material.scale), 0.14, foot * (1.0 / material.scale))
    return _mix(material, gap, 1.0)


def _ribs(s, t, foot, material, shift):
    """Upright ribs, `scale` apart: radiators, panelling."""
    gap = _line(s * (1.0 / material.scale), 0.12, foot * (1.0 / material.scale))
    return _mix(material, gap, 1.0)


def _leaves(s, t, foot, material, shift):
    spots = _noise(s * 28.0 + shift, t * 28.0)
    fine = (_noise(s * 75.0 + shift, t * 75.0) - 0.5) * _visible(foot, 1.0 / 75.0)
    return _mix(material, numpy.clip(spots * 1.6 - 0.3, 0.0, 1.0), 0.8 + 0.7 * fine)


def _stone(s, t, foot, material, shift):
    """Speckled stone for worktops."""
    vein = _noise(s * 7.0 + shift, t * 7.0)
    speck = _noise(s * 110.0 + shift, t * 110.0) * _visible(foot, 1.0 / 110.0)
    return _mix(material, numpy.clip(0.5 * vein + 0.5 * speck, 0.0, 1.0), 1.0)


def _skirting(rgb, height, foot):
    """The board along the foot of a wall, with a dark line above it."""
    board = numpy.clip((0.085 - height) / (foot + 1e-6) + 0.5, 0.0, 1.0)
    line = numpy.clip(1.0 - numpy.abs(height - 0.088) / (0.006 + foot), 0.0, 1.0) * 0.4
    return [(c * (1.0 - board) + 0.74 * board) * (1.0 - line) for c in rgb]


_PATTERNS = {
    "plain": _plain,
    "plaster": _plaster,
    "stripes": _stripes,
    "wood": _wood,
    "planks": _planks,
    "tiles": _tiles,
    "checks": _checks,
    "cloth": _cloth,
    "drapes": _drapes,
    "rug": _rug,
    "books": _books,
    "painting": _painting,
    "outdoors": _outdoors,
    "slats": _slats,
    "ribs": _ribs,
    "leaves": _leaves,
    "stone": _stone,
}
PATTERNS = tuple(sorted(_PATTERNS))
