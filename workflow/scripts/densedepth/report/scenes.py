"""The scenes of a gallery for a page of HTML: image, depth maps and colours as text that a script reads."""

import base64
import io
from typing import Any, Dict, NamedTuple, Sequence

import numpy as np
from PIL import Image

from ..errors import PipelineError
from ..evaluation import gallery
from . import page


class Scale(NamedTuple):
    """The colours between two depths or errors; an end tells where values lie beyond it and share its colour."""

    name: str
    near: str
    far: str
    colours: Sequence[str]


class Scene(NamedTuple):
    """Input as a JPEG; `maps` for the script: sizes, camera, and depth in Base64 (little-endian uint16, millimetres).

    `tables` are the 256 colours of depth and error, three bytes each, in Base64.
    """

    width: int
    height: int
    picture: str
    scales: Sequence[Scale]
    maps: Dict[str, Any]
    tables: Dict[str, str]


def read(views: Sequence[page.View]) -> Scene:
    """The `Scene` in the files of a gallery (see `gallery`) of one scene as several networks see it."""
    seen = [gallery.read(view.data) for view in views]
    scene = seen[0]
    if any(not np.array_equal(scene.truth, other.truth) for other in seen):
        raise PipelineError(
            "{}: of another scene than {}; draw the galleries again".format(views[-1].data, views[0].data)
        )
    height, width = scene.truth.shape
    known, worst = scene.truth > 0, max(one.worst for one in seen)
    errors = np.concatenate([np.abs(scene.truth.astype(int) - one.prediction)[known] for one in seen])
    maps = {"width": width, "height": height, "near": scene.near, "far": scene.far, "worst": worst}
    maps.update(camera=scene.camera, truth=_depths(scene.truth), predictions=[_depths(one.prediction) for one in seen])
    if len(views) > 1:
        maps["networks"] = [view.network for view in views]
    predictions = np.stack([one.prediction for one in seen])
    return Scene(
        *(width, height, _jpeg(scene.rgb)),
        scales=(
            _scale("depth", scene.near, scene.far, scene.depth_colours, predictions),
            _scale("error", 0, worst, scene.error_colours, errors),
        ),
        maps=maps,
        tables={"depth": _text(scene.depth_colours.tobytes()), "error": _text(scene.error_colours.tobytes())},
    )


def _depths(millimetres):
    return _text(millimetres.astype("<u2").tobytes())


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


def content_as_text(content: bytes) -> str:
    """Bytes in Base64."""
    return _text(content)


def _text(content):
    return base64.b64encode(content).decode("ascii")
