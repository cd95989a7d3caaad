"""Export a frozen graph for other runtimes, prove each export against it, and write the table of all.

    .venv/tf2/bin/python workflow/scripts/export_matrix.py --model_path results/1p/export/model.pb \\
        --test_data results/sample/nyu_test.zip --records results/data/nyu_train.tfrecords \\
        --out results/1p/exports --table results/1p/exports.md

Each of --kinds gets a folder below --out, if it is the same network; otherwise it is refused and the table says why.
int8 is calibrated by images of the training records. Needs the current TensorFlow and what `make exports` installs.
"""

import os
import sys

import cli
from densedepth import files, outputs
from densedepth.data import calibration_images, test_archive
from densedepth.evaluation import export_matrix, export_table, protocols
from densedepth.inference import exporters, networks


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--model_path", required=True, help="the frozen graph")
    add("--test_data", required=True, help="test archive")
    add("--records", help="training records, whose images calibrate int8; without them int8 is refused")
    add("--images", type=cli.number("exports.calibration_images"), default=64, help="images for the calibration")
    add("--kinds", nargs="+", default=list(exporters.KINDS), metavar="KIND", help=", ".join(exporters.KINDS))
    add("--protocols", nargs="+", default=["port"], choices=protocols.NAMES, help="what scores all")
    add("--opset", type=cli.number("onnx.opset"), default=13, help="version of the ONNX operators")
    add("--max_difference", type=cli.number("exports.max_difference"), default=1e-3, help="metres, of float32 exports")
    add("--max_loss", type=cli.number("exports.max_loss"), default=5e-3, help="of delta1, of the others")
    add("--out", required=True, help="folder of the exports")
    add("--table", required=True, help="Markdown file of the table; its figures are beside it as .json")
    return arguments


def work(args):
    figures = os.path.splitext(args.table)[0] + ".json"
    outputs.check_paths({"the file of the figures": figures, "--table": args.table}, [args.model_path])
    with networks.load(args.model_path) as network:
        size = network.size
    images = (
        calibration_images.images(args.records, args.images, size) if args.records else calibration_images.none(size)
    )
    limits = export_matrix.Limits(args.max_difference, args.max_loss)
    source = exporters.Source(args.model_path, args.opset, images)
    with test_archive.open_test_set(args.test_data) as test_set:
        found = export_matrix.make(args.model_path, test_set, args.kinds, source, limits, args.out, args.protocols)
    files.write_json(figures, found)
    files.write_text(args.table, export_table.table(found))
    refused = [kind for kind, row in found["exports"].items() if "refused" in row]
    print("{}: {} exports, {} refused".format(args.table, len(found["exports"]), len(refused)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out", "table"))


if __name__ == "__main__":
    sys.exit(main())
