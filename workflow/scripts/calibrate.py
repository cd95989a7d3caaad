"""Calibrate the scale of a network's depth by a few images with measured depth, if that helps.

    python workflow/scripts/calibrate.py --ckptdir results/1p/checkpoints --distances tape.csv --out results/calibrated

Another camera or place makes a network's depth wrong by about one factor. --distances is a .csv file with the columns
image, x, y, metres: distances along the camera's axis at pixels, counted from 0, of images beside the file. --test_data
is an archive like nyu_test.zip of such images with depth maps. The factor is judged on images that it was not taken
from; only where the error falls clearly there is --out written: a checkpoint whose last convolution has taken up the
factor, so that evaluate.py, ckpt2pb.py and whatever is exported from it have it, with the figures in its model.json.
"""

import csv
import os
import sys

import numpy as np

import cli
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import calibration
from densedepth.imaging.depth import Framing
from densedepth.inference import forward, image_files, predictors
from densedepth.network import importer

COLUMNS = ("image", "x", "y", "metres")

# Before the scale is right a prediction may be anywhere.
_WIDE = (1e-3, 1e4)

# Pixels of a depth map that are looked at, evenly chosen.
_PIXELS = 20000


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--ckptdir", required=True, help="checkpoint folder")
    what = arguments.add_mutually_exclusive_group(required=True)
    what.add_argument("--distances", help=".csv file of measured distances")
    what.add_argument("--test_data", help="an archive like nyu_test.zip")
    arguments.add_argument("--out", required=True, help="checkpoint folder to write")
    return arguments


def work(args):
    with predictors.load_checkpoint(args.ckptdir) as predictor:
        limits = forward.limits(predictor.describe())[0]
        measured = list(_of_distances(predictor, args.distances) if args.distances else _of_maps(predictor, args))
    found = calibration.judged(measured, limits)
    words = (
        "{images} images: scale {scale:.4f}; AbsRel on images it was not taken from {rel_before:.4f} -> {rel_after:.4f}"
    )
    print((words + ", standard error {standard_error:.4f}").format(**found))
    if not found.pop("helps"):
        print("not clearly better: nothing is written")
        return
    found["measured_by"] = os.path.basename(args.distances or args.test_data)
    importer.import_model(args.ckptdir, args.out, calibration=found)
    print("{}: checkpoint with the scale in its last layer".format(args.out))


def _of_maps(predictor, args):
    with open_test_set(args.test_data) as test_set:
        top, bottom, left, right = crop = test_set.crop
        for rgb, truth, _ in test_set.batches(1, holes=True):
            inside = truth[0, top : bottom + 1, left : right + 1]
            known = np.isfinite(inside) & (inside > 0)
            if known.any():
                depth = forward.predict_depth(predictor, rgb, 1, crop, _WIDE, test_set.framing)[0]
                step = max(1, int(known.sum()) // _PIXELS)
                yield calibration.Measured(inside[known][::step].astype(np.float64), depth[known][::step])


def _of_distances(predictor, path):
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


def _rows(path):
    """{image: [(x, y, metres)]}, x and y whole pixels."""
    found = {}
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


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
