"""Measure how a network's figures fall when its images are made worse, on images of nyu_test.zip.

    python workflow/scripts/measure_robustness.py --model_path results/1p/export/model.pb \\
        --test_data dataset/nyu_test.zip --json robustness.json

Noise, blur, brightness, contrast, JPEG, pixels, rotation, focal length and crop, in five severities each (see
docs/metrics.md);
and whether pixels in which the network disagrees with itself on the mirrored image are those where it errs.
"""

import sys

import cli
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import corruptions, robustness
from densedepth.inference import networks
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help="the inference model")
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--images", type=cli.positive_int, default=32, help="at most so many images, evenly chosen")
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument(
        "--corruptions",
        nargs="+",
        default=list(corruptions.CORRUPTIONS),
        choices=list(corruptions.CORRUPTIONS),
        help="some of them; default: all",
    )
    return arguments


def work(args):
    with open_test_set(args.test_data) as test_set, networks.load(args.model_path) as predictor:
        passes = min(args.images, test_set.count) * len(args.corruptions)
        report = Progress(passes, "images")
        document = robustness.measure(predictor, test_set, args.images, args.corruptions, report)
    if args.json:
        files.write_json(args.json, document)
    print("\n".join(robustness.lines(document)))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
