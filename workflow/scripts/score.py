"""Score depth maps that any program predicted for the images of nyu_test.zip, by the protocols of evaluate.py.

    python workflow/scripts/score.py --predictions maps/ --unit metres --alignment none \\
        --test_data dataset/nyu_test.zip --json scores.json

--predictions is a folder, .zip or .tar of one file an image (.npy, .npz, .png of 8 or 16 bit, .tif, .exr or .pfm), one
.npy of (images, height, width), or one .npz. Files are matched by name, or by the order of the numbers in their names.
--unit says what is stored: metres, millimetres, inverse (1 / metres) or disparity (inverse depth of no unit).
--alignment fits what the predictions leave open to the ground truth of each image (docs/metrics.md); results with
different alignments do not compare. --metrics adds edges, normals, point clouds and more; --planes gives those of
plane_* an array of integers for each image, at its own size, that numbers the planes from 1. --trust_unit scores a unit
that the ground truth contradicts, which is refused otherwise.
"""

import sys

import cli
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import (
    alignment,
    documents,
    external_network,
    metrics,
    predicted,
    protocols,
    scoring,
    stored_arrays,
    stored_maps,
)
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    what = arguments.add_mutually_exclusive_group(required=True)
    what.add_argument("--predictions", help="the depth maps: folder, .zip, .tar (not .tar.gz), .npy or .npz")
    what.add_argument("--network", help="an ONNX file that predicts them, run by ONNX Runtime")
    cli.add_predicted(arguments, external_network, alignment, required=True)
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument("--csv", help="file for the scores of each image")
    arguments.add_argument("--name", default="", help="name of the predictions, for messages")
    cli.add_scoring(arguments, protocols.NAMES)
    return arguments


def _maps(args, test_set):
    if args.predictions:
        return stored_maps.Maps(args.predictions, test_set, args.unit, args.alignment)
    preprocessing = cli.fields(external_network.Preprocessing, args)
    return external_network.NetworkMaps(args.network, preprocessing, args.unit, args.alignment, args.output)


def work(args):
    documents.check_replaceable(args.json, args.csv)
    with open_test_set(args.test_data) as test_set, _maps(args, test_set) as maps:
        print("{}: {} depth maps, matched by {}".format(maps.path, test_set.count, maps.matched_by), flush=True)
        predicted.check_unit(maps, test_set, args.trust_unit)
        report = Progress(test_set.count, "images")
        with stored_arrays.opened_planes(args.planes, test_set, args.metrics) as planes:
            document = scoring.evaluate_maps(maps, test_set, report, args.protocol, args.metrics, planes)
    if args.json:
        files.write_json(args.json, document)
    if args.csv:
        documents.write_csv(args.csv, document)
    for line in documents.lines(document) + documents.extremes(document):
        print(line)
    # The last line of all, which the workflow shows on the terminal.
    for block in list(documents.blocks(document).values())[:1]:
        aligned = "" if args.alignment == "none" else " (alignment {})".format(args.alignment)
        print("{}{}: {}".format(args.name or args.predictions or args.network, aligned, metrics.line(block["metrics"])))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("json", "csv"))


if __name__ == "__main__":
    sys.exit(main())
