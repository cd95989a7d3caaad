"""The scenes of a gallery for a page of HTML: picture, depth maps and colours as text that a script reads."""

import base64
import io
from typing import Any, Dict, NamedTuple, Sequence

import numpy as np
from PIL import Image

from ..evaluation import gallery


class Scale(NamedTuple):
    """The colours between two depths or errors; an end tells where values lie beyond it and share its colour."""

    name: str
    near: str
    far: str
    colours: Sequence[str]


class Scene(NamedTuple):
    """Input as a JPEG; `maps` for the script: sizes, and depth in millimetres as little-endian uint16, in Base64.

    `tables` are the 256 colours of depth and error, three bytes each, in Base64.
    """

    width: int
    height: int
    picture: str
    scales: Sequence[Scale]
    maps: Dict[str, Any]
    tables: Dict[str, str]


def read(path: str) -> Scene:
    """The `Scene` in a file of a gallery (see `gallery`)."""
    scene = gallery.read(path)
    height, width = scene.truth.shape
    error = np.abs(scene.truth.astype(int) - scene.prediction)[scene.truth > 0]
    maps = {"width": width, "height": height, "near": scene.near, "far": scene.far, "worst": scene.worst}
    maps.update({name: _text(getattr(scene, name).astype("<u2").tobytes()) for name in ("truth", "prediction")})
    return Scene(
        *(width, height, _jpeg(scene.rgb)),
        scales=(
            _scale("depth", scene.near, scene.far, scene.depth_colours, scene.prediction),
            _scale("error", 0, scene.worst, scene.error_colours, error),
        ),
        maps=maps,
        tables={"depth": _text(scene.depth_colours.tobytes()), "error": _text(scene.error_colours.tobytes())},
    )


def file_as_text(path: str) -> str:
    """The bytes of a file in Base64."""
    with open(path, "rb") as stream:
        return _text(stream.read())


def _scale(name, near, far, colours, values):
    """near, far, values: millimetres; colours: uint8 (256, 3)."""
    stops = np.concatenate([colours[::32], colours[-1:]]).tolist()
    return Scale(
        name=name,
        near="{}{:.1f} m".format("≤ " if (values < near).any() else "", near / 1000),
        far="{}{:.1f} m".format("≥ " if (values > far).any() else "", far / 1000),
        colours=["rgb({}, {}, {})".format(*stop) for stop in stops],
    )


def _jpeg(rgb):
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=85)
    return _text(stream.getvalue())


def _text(content):
    return base64.b64encode(content).decode("ascii")
