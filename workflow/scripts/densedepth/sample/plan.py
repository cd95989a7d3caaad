"""The floor plan of a room while it is being furnished."""

from typing import Iterable, List, Optional, Sequence, Tuple

from .lots import Lots
from .scene import Group, Part, Triple

# (x0, x1, z0, z1) of the floor.
Rectangle = Tuple[float, float, float, float]
# (cosine, sine) of an angle about the upright axis.
Turn = Tuple[float, float]

# Of the walls: quarter turns.
QUARTERS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))


class Plan:
    """The floor plan while it is being furnished."""

    def __init__(self, size: Triple) -> None:
        self.size = size
        self.groups: List[Group] = []
        # Of the floor: (x0, x1, z0, z1, height) of each.
        self.taken: List[Tuple[float, float, float, float, float]] = []
        # Of each wall: (from, to) along it, and (low, high).
        self.walls: List[List[Tuple[float, float, float, float]]] = [[], [], [], []]

    def wall_length(self, wall: int) -> float:
        """In metres."""
        return self.size[0] if wall % 2 == 0 else self.size[2]

    def frame(self, wall: int, along: float, out: float = 0.0) -> Tuple[Triple, Turn]:
        """Origin and (cosine, sine) of something with its back to the wall, `along` metres from the wall's start."""
        width, _, depth = self.size
        origin = (
            (along, 0.0, out),
            (out, 0.0, along),
            (along, 0.0, depth - out),
            (width - out, 0.0, along),
        )[wall]
        return origin, QUARTERS[wall]

    def add(self, parts: Iterable[Part], origin: Triple, turn: Turn) -> None:
        """Put the parts where their frame is turned so and moved to `origin`."""
        self.groups.append(Group(origin, turn[0], turn[1], tuple(parts)))

    def free_on_wall(self, wall: int, low: float, high: float, bottom: float, top: float) -> bool:
        """Whether nothing is there on the wall: from `low` to `high` along it, `bottom` to `top` above the floor."""
        return all(
            high <= other[0] or other[1] <= low or top <= other[2] or other[3] <= bottom for other in self.walls[wall]
        )

    def free_on_floor(self, rectangle: Rectangle, margin: float = 0.0) -> bool:
        """Whether the rectangle lies in the room, `margin` metres or more from what is taken."""
        x0, x1, z0, z1 = rectangle
        if x0 < 0 or z0 < 0 or x1 > self.size[0] or z1 > self.size[2]:
            return False
        return all(
            x1 + margin <= other[0] or other[1] + margin <= x0 or z1 + margin <= other[2] or other[3] + margin <= z0
            for other in self.taken
        )

    def footprint(self, wall: int, along: float, width: float, depth: float) -> Rectangle:
        """The floor under something of this width and depth with its back to the wall, its middle at `along`."""
        half = width / 2
        if wall % 2 == 0:
            z = (0.0, depth) if wall == 0 else (self.size[2] - depth, self.size[2])
            return (along - half, along + half) + z
        x = (0.0, depth) if wall == 1 else (self.size[0] - depth, self.size[0])
        return x + (along - half, along + half)

    def against_wall(
        self,
        lots: Lots,
        parts: Iterable[Part],
        width: float,
        depth: float,
        height: float,
        walls: Optional[Sequence[int]] = None,
        bottom: float = 0.0,
        gap: float = 0.0,
        tries: int = 14,
    ) -> Optional[Tuple[int, float]]:
        """Put the parts somewhere along a wall, where there is room; returns (wall, along) or None."""
        for _ in range(tries):
            wall = lots.pick(walls or (0, 1, 2, 3))
            length = self.wall_length(wall)
            if length < width + 0.1:
                continue
            along = lots.uniform(width / 2 + 0.03, length - width / 2 - 0.03)
            if lots.chance(0.3):
                along = width / 2 + 0.03 if lots.chance(0.5) else length - width / 2 - 0.03
            low, high = along - width / 2 - gap, along + width / 2 + gap
            if not self.free_on_wall(wall, low, high, bottom, bottom + height):
                continue
            rectangle = self.footprint(wall, along, width, depth)
            if bottom < 1.2 and depth > 0.1:
                if not self.free_on_floor(rectangle, 0.02):
                    continue
                self.taken.append(rectangle + (height,))
            self.walls[wall].append((low, high, bottom, bottom + height))
            # The frame's x axis runs against the wall's own direction on two of the walls; parts are near symmetric.
            self.add(parts, *self.frame(wall, along))
            return wall, along
        return None

    def free_standing(
        self,
        parts: Iterable[Part],
        x: float,
        z: float,
        turn: Turn,
        width: float,
        depth: float,
        height: float,
        margin: float = 0.0,
        floor: bool = True,
    ) -> bool:
        """Put the parts in the room at (x, z); `turn` = (cosine, sine). True if there was room."""
        reach_x = abs(turn[0]) * width / 2 + abs(turn[1]) * depth / 2
        reach_z = abs(turn[1]) * width / 2 + abs(turn[0]) * depth / 2
        rectangle = (x - reach_x, x + reach_x, z - reach_z, z + reach_z)
        if floor:
            if not self.free_on_floor(rectangle, margin):
                return False
            self.taken.append(rectangle + (height,))
        self.add(parts, (x, 0.0, z), turn)
        return True


def turn(tangent: float) -> Turn:
    """(cosine, sine) of the angle whose half has this tangent."""
    square = tangent * tangent
    return (1.0 - square) / (1.0 + square), 2.0 * tangent / (1.0 + square)
