"""Hypersim: tone-mapped JPEG and HDF5 of the distance to the camera's centre, which becomes depth along the axis.

`metadata_images_split_scene_v1.csv` says which images are for train, val and test, and which are not published;
without it scenes are drawn. The focal length is that of the published images (github.com/apple/ml-hypersim issue 9).
"""

import csv
import io
import posixpath
import re

from ...errors import PipelineError
from .. import pair_lists
from .base import SKIP, TEST, TRAIN, Form, by_pattern, ending, numbered

_PICTURES = re.compile(
    r"(?P<scene>(?:.*/)?ai_\d+_\d+)/images/scene_(?P<camera>cam_\d+)_final_preview/frame\.(?P<n>\d+)\.tonemap\.jpg$"
)
_COLUMNS = ("scene_name", "camera_name", "frame_id", "split_partition_name")


def _find(tree, tolerance):
    lists = ending(tree, r"metadata_images_split_scene_v\d+\.csv")
    known = _splits(tree, lists[0]) if lists else None

    def split(match):
        if known is None:
            return None
        place = (posixpath.basename(match.group("scene")), match.group("camera"), int(match.group("n")))
        return {TRAIN: TRAIN, TEST: TEST}.get(known.get(place), SKIP)

    found = by_pattern(
        tree,
        _PICTURES,
        "{scene}/images/scene_{camera}_geometry_hdf5/frame.{n}.depth_meters.hdf5",
        split,
        group="{scene}",
    )
    if found and not lists:
        words = "{}: no metadata_images_split_scene_v1.csv, so scenes are drawn for the test"
        print(words.format(tree.path), flush=True)
    return found and numbered(pair._replace(depth=pair.depth + "::dataset") for pair in found)


def _splits(tree, name):
    where = "{}: {}".format(tree.path, name)
    rows = csv.DictReader(io.StringIO(pair_lists.decoded(tree.read(name), where)))
    missing = [column for column in _COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise PipelineError("{}: has no column {}; get it from github.com/apple/ml-hypersim".format(where, missing[0]))
    try:
        return {
            (row["scene_name"], row["camera_name"], int(row["frame_id"])): row["split_partition_name"] for row in rows
        }
    except (TypeError, ValueError) as error:
        raise PipelineError("{}: a row cannot be read ({}); get it again".format(where, error)) from None


FORM = Form(
    "hypersim",
    "Hypersim",
    "ai_*_*/images/scene_cam_*_final_preview/frame.*.tonemap.jpg, scene_cam_*_geometry_hdf5/frame.*.depth_meters.hdf5",
    _find,
    {TRAIN: 1.0, TEST: 1.0},
    "metres along the ray, converted to depth along the axis",
    "NaN",
    "github.com/apple/ml-hypersim",
    {"distance": "ray", "intrinsics": [886.81, 886.81, 511.5, 383.5, 1024, 768]},
)
