"""Galleries: test scenes with input, ground truth, prediction and error, as images and as data for the HTML report."""

import dataclasses
import math
import os
import re
import zipfile
from typing import TYPE_CHECKING, Any, Callable, Dict, List

import numpy as np

from .. import files, outputs
from ..errors import PipelineError
from ..file_names import of_image
from ..imaging import depth, visualize
from ..imaging.camera import nyu_intrinsics
from ..metadata import COUNT, Number, Rule
from . import metrics

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

FORMAT = 1
# What an evaluation must hold to tell the extremes.
RANKED = {"per_image": Rule([{"index": COUNT, "rms": Number(0)}], len, "a list of images")}
SIDE_FILE = "gallery.json"

# Width of the maps in a scene's data file: every second pixel of NYU's crop, enough for a page of which each is a part.
_WIDTH = 296


@dataclasses.dataclass(frozen=True)
class Scene:
    """The data of a scene, reduced."""

    # uint8 (h, w, 3).
    rgb: np.ndarray
    # uint16 (h, w), millimetres; a truth of 0 is not known.
    truth: np.ndarray
    prediction: np.ndarray
    # Focal length and principal point, in its pixels.
    camera: List[float]
    # Ends of the depth's colours, and the far end of the error's, in millimetres.
    near: int
    far: int
    worst: int
    # uint8 (256, 3).
    depth_colours: np.ndarray
    error_colours: np.ndarray


def spread(count: int, scenes: int) -> Dict[str, int]:
    """{name: index} of `count` scenes spread evenly over so many: the middle of each of `count` equal parts."""
    return {"scene_{}".format(i + 1): (2 * i + 1) * scenes // (2 * count) for i in range(count)}


def extremes(evaluation: Dict[str, Any]) -> Dict[str, int]:
    """{name: index} of the images with the smallest and the largest rms in an evaluation's JSON document."""
    ranked = sorted(evaluation["per_image"], key=lambda image: (image["rms"], image["index"]))
    return {"best": ranked[0]["index"], "worst": ranked[-1]["index"]}


def draw(
    folder: str,
    name: str,
    test_set: "TestSet",
    wanted: Dict[str, int],
    predicted: Callable[[np.ndarray, int], np.ndarray],
    source: Dict[str, Any],
) -> None:
    """Draw the scenes `wanted` ({name: index}) to `folder`/<name>.png and .npz, and write `folder`/gallery.json.

    `predicted(rgb, index)` gives the flip-averaged depth inside the crop for uint8 (1, H, W, 3): what evaluations
    compare with the ground truth. `name` is that of the run, `source` describes the network. Scenes of an earlier
    gallery in the folder are deleted. Raises PipelineError where files are there and no gallery.json tells of them.
    """
    if not os.path.exists(os.path.join(folder, SIDE_FILE)):
        outputs.check_new(os.path.join(folder, one + end) for one in wanted for end in (".png", ".npz"))
    drawn = {}
    for index in sorted(set(wanted.values())):
        rgb, truth = test_set.image(index)
        prediction = predicted(rgb, index)
        for one, place in wanted.items():
            if place == index:
                drawn[one] = _draw(folder, one, index, rgb[0], truth[0], prediction, test_set)
    scenes = [drawn[one] for one in wanted]
    files.write_json(
        os.path.join(folder, SIDE_FILE), {"format": FORMAT, "run": name, "source": source, "scenes": scenes}
    )
    for other in os.listdir(folder):
        if re.match(r"(scene_\d+|best|worst)\.(png|npz)$", other) and other.rpartition(".")[0] not in wanted:
            os.remove(os.path.join(folder, other))


def _draw(folder, name, index, rgb, truth, predicted, test_set):
    shown = depth.inside(test_set.crop)
    rgb, truth, mask = rgb[shown], truth[shown], None
    if test_set.holes:
        mask = truth > 0
    scores = metrics.image_scores(metrics.measure(truth=truth, prediction=predicted, mask=mask))
    known = truth if mask is None else np.where(mask, truth, np.nan)
    scene = {"index": index, "rms": scores["rms"], "delta1": scores["delta1"]}
    if test_set.names:
        scene["name"] = test_set.names[index]
    words = "test scene {}:  delta1 {:.3f},  RMSE {:.3f} m"
    title = words.format(of_image(scene, "{}"), scores["delta1"], scores["rms"])
    if not name.startswith("scene"):
        title = "{} {}".format(name, title)
    visualize.draw_scene(os.path.join(folder, name + ".png"), title, rgb, known, predicted)
    camera = nyu_intrinsics(test_set.size_of(index))
    camera = camera._replace(cx=camera.cx - shown[1].start, cy=camera.cy - shown[0].start)
    _write_data(os.path.join(folder, name + ".npz"), rgb, truth, predicted, camera)
    print("{}: {}".format(name, title))
    return dict(scene, picture=name + ".png", data=name + ".npz")


def _write_data(path, rgb, truth, predicted, camera):
    """A scene reduced to `_WIDTH`: the input by area means; depths of single pixels, so that each is a true one.

    With focal length and principal point of the `camera` for its point cloud.
    """
    height, width = truth.shape
    size = (max(1, round(height * min(1, _WIDTH / width))), min(_WIDTH, width))
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, (height, width)))
    small = np.rint(depth.fit(rgb[np.newaxis], size)[0] * 255).astype(np.uint8)
    maps = [
        np.clip(np.rint(one[np.ix_(rows, columns)] * 1000), 0, 65535).astype(np.uint16) for one in (truth, predicted)
    ]
    with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
        seen_by = np.array(camera[:4])[[0, 2, 3]] * (size[1] / width)
        np.savez_compressed(stream, rgb=small, truth=maps[0], prediction=maps[1], camera=seen_by)


def read(path: str) -> Scene:
    """The `Scene` in a data file. Raises PipelineError when it is none."""
    try:
        with np.load(path) as data:
            rgb, truth, prediction, camera = (data[key] for key in ("rgb", "truth", "prediction", "camera"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise PipelineError("{}: not the data of a scene ({}); draw the gallery again".format(path, error)) from None
    known = truth > 0
    near = 500 * math.floor(truth[known].min() / 500)
    far = max(500 * math.ceil(truth[known].max() / 500), near + 500)
    errors = np.abs(truth.astype(int) - prediction)[known]
    worst = max(500, 500 * math.ceil(float(np.percentile(errors, 99)) / 500))
    colours = visualize.depth_colours(), visualize.error_colours()
    return Scene(rgb, truth, prediction, [float(value) for value in camera], near, far, worst, *colours)
