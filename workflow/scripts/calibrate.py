"""Calibrate the scale of a network's depth by a few images with measured depth, if that helps.

    python workflow/scripts/calibrate.py --ckptdir results/1p/checkpoints --distances tape.csv --out results/calibrated

Another camera or place makes a network's depth wrong by about one factor. --distances is a .csv file with the columns
image, x, y, metres: distances along the camera's axis at pixels, counted from 0, of images beside the file. --test_data
is an archive like nyu_test.zip of such images with depth maps. The factor is judged on images that it was not taken
from; only where the error falls clearly there is --out written: a checkpoint whose last convolution has taken up the
factor, so that evaluate.py, ckpt2pb.py and whatever is exported from it have it, with the figures in its model.json.
"""

import os
import sys

import cli
from densedepth.evaluation import calibration, measured_depth
from densedepth.inference import forward, predictors
from densedepth.network import checkpoints, importer


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
        measured = measured_depth.of_distances if args.distances else measured_depth.of_maps
        found = calibration.judged(list(measured(predictor, args.distances or args.test_data)), limits)
    words = (
        "{images} images: scale {scale:.4f}; AbsRel on images it was not taken from {rel_before:.4f} -> {rel_after:.4f}"
    )
    print((words + ", standard error {standard_error:.4f}").format(**found))
    if not found.pop("helps"):
        more = "; more images may show it" if found["rel_after"] < found["rel_before"] - calibration.LEAST else ""
        print("not clearly better: nothing is written" + more)
        return
    found["measured_by"] = os.path.basename(args.distances or args.test_data)
    importer.import_model(checkpoints.find(args.ckptdir).folder, args.out, calibration=found)
    print("{}: checkpoint with the scale in its last layer".format(args.out))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
