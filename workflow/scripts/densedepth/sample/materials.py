"""Colours and materials of rooms."""

from typing import Optional

from . import surfaces
from .lots import Lots
from .scene import Material, Triple

# Colours as they look on a display, 0..1; `_albedo` makes them linear.

WALLS = (
    (0.93, 0.91, 0.86),
    (0.90, 0.87, 0.80),
    (0.86, 0.86, 0.85),
    (0.78, 0.84, 0.87),
    (0.82, 0.87, 0.78),
    (0.93, 0.88, 0.70),
    (0.88, 0.76, 0.62),
    (0.73, 0.78, 0.70),
    (0.84, 0.70, 0.62),
    (0.66, 0.72, 0.79),
    (0.92, 0.92, 0.92),
)
WOODS = (
    ((0.76, 0.58, 0.38), (0.66, 0.47, 0.29)),
    ((0.52, 0.35, 0.22), (0.40, 0.25, 0.15)),
    ((0.86, 0.74, 0.56), (0.79, 0.65, 0.46)),
    ((0.60, 0.38, 0.26), (0.50, 0.30, 0.20)),
    ((0.34, 0.25, 0.20), (0.25, 0.18, 0.14)),
    ((0.70, 0.56, 0.43), (0.60, 0.46, 0.34)),
)
LACQUERS = ((0.93, 0.92, 0.89), (0.88, 0.87, 0.84), (0.62, 0.67, 0.68), (0.38, 0.45, 0.50), (0.55, 0.62, 0.55))
CLOTHS = (
    (0.55, 0.57, 0.60),
    (0.36, 0.42, 0.50),
    (0.68, 0.60, 0.50),
    (0.50, 0.30, 0.27),
    (0.38, 0.46, 0.38),
    (0.80, 0.75, 0.67),
    (0.30, 0.31, 0.34),
    (0.65, 0.48, 0.33),
    (0.45, 0.52, 0.60),
)
ACCENTS = (
    (0.80, 0.35, 0.28),
    (0.25, 0.50, 0.62),
    (0.86, 0.70, 0.32),
    (0.40, 0.58, 0.42),
    (0.90, 0.88, 0.82),
    (0.55, 0.38, 0.52),
    (0.20, 0.28, 0.42),
    (0.85, 0.55, 0.35),
)


def _albedo(colour):
    return tuple(c * c for c in colour)


def darker(colour: Triple, factor: float) -> Triple:
    """The colour with each of its values times `factor`."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def material(
    pattern: str,
    colour: Triple,
    second: Optional[Triple] = None,
    scale: float = 1.0,
    gloss: float = 0.0,
    glow: float = 0.0,
) -> Material:
    """A Material from display colours."""
    if pattern not in surfaces.PATTERNS:
        raise ValueError(pattern)
    return Material(pattern, _albedo(colour), _albedo(second or darker(colour, 0.8)), scale, gloss, glow)


METAL = material("plain", (0.72, 0.73, 0.74), gloss=0.5)
DARK = material("plain", (0.12, 0.12, 0.13), gloss=0.35)
WHITE = material("plain", (0.93, 0.93, 0.91), gloss=0.15)


class Style:
    """Colours and materials that one room keeps to."""

    def __init__(self, lots: Lots) -> None:
        wood = lots.pick(WOODS)
        self.wood = material("wood", wood[0], wood[1], gloss=0.12)
        other = lots.pick(WOODS)
        self.other_wood = material("wood", other[0], other[1], gloss=0.12)
        self.lacquer = material("plain", lots.pick(LACQUERS), gloss=0.2)
        self.front = self.wood if lots.chance(0.55) else self.lacquer
        cloth = lots.pick(CLOTHS)
        self.cloth = material("cloth", cloth)
        self.trim = material("plain", (0.92, 0.91, 0.88) if lots.chance(0.7) else wood[0], gloss=0.15)
        self.curtain = material("drapes", lots.pick(CLOTHS + ACCENTS), scale=lots.uniform(0.09, 0.15))
        self.daylight = lots.uniform(0.75, 1.15)

    def accent(self, lots: Lots) -> Material:
        """A cloth of a colour that stands out, another one each time."""
        return material("cloth", lots.pick(ACCENTS))
