"""Where rays meet boxes, cylinders and ellipsoids, and what the surface is like there.

The rules of `render` for equal bytes on every machine hold here. A vector is a list of three numbers or arrays.
"""

from typing import Any, List, Sequence, Tuple

import numpy

from .scene import BOX, CYLINDER, ELLIPSOID, Group, Part

# Numbers or arrays along x, y and z.
Vector = Sequence[Any]
# The lowest and the highest of each coordinate.
Bounds = Tuple[List[float], List[float]]

# Keeps directions from being zero; far below what float32 resolves in them otherwise.
TINY = 1e-9


def dot(a: Vector, b: Vector) -> Any:
    """The scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def clipped(values: numpy.ndarray) -> numpy.ndarray:
    """The values within 0..1. `numpy.clip` takes twice the time in older versions."""
    return numpy.minimum(numpy.maximum(values, 0.0), 1.0)


def to_local(group: Group, p: Vector) -> List[Any]:
    """World coordinates in the frame of the group."""
    x, z = p[0] - group.origin[0], p[2] - group.origin[2]
    return [x * group.cosine - z * group.sine, p[1] - group.origin[1], x * group.sine + z * group.cosine]


def to_world(group: Group, p: Vector) -> List[Any]:
    """Coordinates in the frame of the group as those of the world."""
    x = group.origin[0] + p[0] * group.cosine + p[2] * group.sine
    z = group.origin[2] - p[0] * group.sine + p[2] * group.cosine
    return [x, p[1] + group.origin[1], z]


def bounds(parts: Sequence[Part]) -> Bounds:
    """Of the box around the parts, in their frame."""
    low = [min(part.centre[axis] - part.half[axis] for part in parts) for axis in range(3)]
    high = [max(part.centre[axis] + part.half[axis] for part in parts) for axis in range(3)]
    return low, high


def slabs(origin: Vector, inverse: Vector, low: Vector, high: Vector) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Where rays enter and leave the box low..high, in units of their directions; enter > leave: missed."""
    near: Any = None
    far: Any = None
    for axis in range(3):
        one = (low[axis] - origin[axis]) * inverse[axis]
        other = (high[axis] - origin[axis]) * inverse[axis]
        enter, leave = numpy.minimum(one, other), numpy.maximum(one, other, out=other)
        near = enter if near is None else numpy.maximum(near, enter, out=near)
        far = leave if far is None else numpy.minimum(far, leave, out=far)
    return near, far


def overlap_inside(origin: Vector, inverse: Vector, low: Vector, high: Vector) -> Tuple[numpy.ndarray, numpy.ndarray]:
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
    near, far = slabs(origin, inverse, low, high)
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


INTERSECT = {BOX: _meet_box, CYLINDER: _meet_cylinder, ELLIPSOID: _meet_ellipsoid}


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


NORMALS = {BOX: _box_normal, CYLINDER: _cylinder_normal, ELLIPSOID: _ellipsoid_normal}
