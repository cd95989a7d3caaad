"""What an image is drawn of: the shapes, their surfaces, the lamps and the camera, as plain values.

Units are metres, colours linear RGB of 0..1; world axes are x (right), y (up), z (into the room), the room being the
box from (0,0,0) to `Scene.size`.
"""

from typing import NamedTuple, Tuple

HEIGHT, WIDTH = 480, 640
# Focal lengths and centre of the NYU Depth v2 colour camera, in pixels, rounded.
FOCAL = (518.9, 519.5)
CENTRE = (325.6, 253.7)

BOX, CYLINDER, ELLIPSOID = "box", "cylinder", "ellipsoid"

# A place or a direction (x, y, z), or a colour (red, green, blue).
Triple = Tuple[float, float, float]


class Material(NamedTuple):
    """A surface: see `surfaces` for the patterns."""

    pattern: str
    colour: Triple
    second: Triple
    # Of the pattern, in metres.
    scale: float
    # Share of the light that is mirrored, and light that the surface gives off, as a multiple of its colour.
    gloss: float
    glow: float


class Part(NamedTuple):
    """A shape in the frame of its group; `half` are its half widths along x, y and z."""

    shape: str
    centre: Triple
    half: Triple
    material: Material


class Group(NamedTuple):
    """Parts that stand together: turned about the upright axis by the angle of this cosine and sine, then moved."""

    origin: Triple
    cosine: float
    sine: float
    parts: Tuple[Part, ...]


class Light(NamedTuple):
    """A lamp; the larger its radius in metres, the softer its shadows."""

    position: Triple
    colour: Triple
    radius: float


class Camera(NamedTuple):
    """Where the camera is, and the unit vectors of its frame."""

    position: Triple
    right: Triple
    up: Triple
    forward: Triple


class Scene(NamedTuple):
    """All that is drawn, and how the camera develops it."""

    # Width (x), height (y) and depth (z) of the room.
    size: Triple
    # Of x = 0, x = width, z = 0 and z = depth.
    walls: Tuple[Material, Material, Material, Material]
    floor: Material
    ceiling: Material
    groups: Tuple[Group, ...]
    lights: Tuple[Light, ...]
    # Light from everywhere.
    ambient: Triple
    # Mean of the 8-bit values that the exposure aims at, 0..255; 0 for an exposure of 1. Factors for the colours.
    brightness: float
    balance: Triple


def box(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, stuff: Material) -> Part:
    """The box between these coordinates."""
    centre = ((x0 + x1) * 0.5, (y0 + y1) * 0.5, (z0 + z1) * 0.5)
    half = (max((x1 - x0) * 0.5, 0.001), max((y1 - y0) * 0.5, 0.001), max((z1 - z0) * 0.5, 0.001))
    return Part(BOX, centre, half, stuff)


def cylinder(x: float, y0: float, y1: float, z: float, radius: float, stuff: Material) -> Part:
    """The upright cylinder with its axis at (x, z), from y0 to y1."""
    return Part(CYLINDER, (x, (y0 + y1) * 0.5, z), (radius, (y1 - y0) * 0.5, radius), stuff)


def ellipsoid(x: float, y: float, z: float, half: Triple, stuff: Material) -> Part:
    """The ellipsoid around (x, y, z)."""
    return Part(ELLIPSOID, (x, y, z), half, stuff)
