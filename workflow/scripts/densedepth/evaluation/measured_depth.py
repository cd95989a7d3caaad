"""Measured depth beside what a network predicts there: maps of an archive, or distances at single pixels."""

import csv
import os
from typing import TYPE_CHECKING, Dict, Iterator, List, Tuple

import numpy as np

from ..data.test_archive import open_test_set
from ..errors import PipelineError
from ..imaging.depth import Framing, inside
from ..inference import forward, image_files
from . import calibration

if TYPE_CHECKING:
    from ..inference import predictors

# Of the file of distances.
COLUMNS = ("image", "x", "y", "metres")

# Before the scale is right a prediction may be anywhere.
_WIDE = (1e-3, 1e4)

# Pixels of a depth map that are looked at, evenly chosen.
_PIXELS = 20000


def of_maps(predictor: "predictors.Predictor", path: str) -> Iterator[calibration.Measured]:
    """Of each image of an archive like nyu_test.zip, at evenly chosen pixels of known depth.

    Raises:
        PipelineError: the archive cannot be read.
    """
    with open_test_set(path) as test_set:
        crop = test_set.crop
        for rgb, truth, _ in test_set.batches(1, holes=True):
            shown = truth[0][inside(crop)]
            known = np.isfinite(shown) & (shown > 0)
            if known.any():
                depth = forward.predict_depth(predictor, rgb, 1, crop, _WIDE, test_set.framing)[0]
                step = max(1, int(known.sum()) // _PIXELS)
                yield calibration.Measured(shown[known][::step].astype(np.float64), depth[known][::step])


def of_distances(predictor: "predictors.Predictor", path: str) -> Iterator[calibration.Measured]:
    """Of each image of a .csv file with the columns image, x, y, metres, whose images lie beside it.

    Raises:
        PipelineError: the file or an image cannot be read, or a pixel lies outside its image.
    """
    for name, points in _rows(path).items():
        rgb = image_files.read(os.path.join(os.path.dirname(path), name)).rgb
        height, width = rgb.shape[:2]
        outside = [(x, y) for x, y, _ in points if not (0 <= x < width and 0 <= y < height)]
        if outside:
            words = "{}: {}: ({}, {}) lies outside the image of {}x{} (width x height)"
            raise PipelineError(words.format(path, name, *outside[0], width, height))
        whole = (0, height - 1, 0, width - 1)
        depth = forward.predict_depth(predictor, rgb[np.newaxis], 1, whole, _WIDE, Framing(placed=True))[0]
        found = [depth[y, x] for x, y, _ in points]
        yield calibration.Measured(np.array([metres for _, _, metres in points]), np.array(found))


def _rows(path: str) -> Dict[str, List[Tuple[int, int, float]]]:
    """{image: [(x, y, metres)]}, x and y whole pixels."""
    found = {}  # type: Dict[str, List[Tuple[int, int, float]]]
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise PipelineError("{}: expected the columns {}".format(path, ", ".join(COLUMNS)))
            for number, row in enumerate(reader, 2):
                try:
                    x, y, metres = (float(row[key]) for key in COLUMNS[1:])
                    if not 0 < metres < float("inf"):
                        raise ValueError
                    found.setdefault(row["image"], []).append((int(x), int(y), metres))
                except (TypeError, ValueError, OverflowError):
                    raise PipelineError(
                        "{}: line {}: expected numbers x, y and metres > 0".format(path, number)
                    ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError("{}: cannot be read ({})".format(path, error)) from None
    return found
