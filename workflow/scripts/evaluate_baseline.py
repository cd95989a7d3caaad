"""Measure what one constant depth reaches on nyu_test.zip: the floor that any network must beat.

    python workflow/scripts/evaluate_baseline.py --test_data dataset/nyu_test.zip --json results/baseline.json

The constant is the median of the ground-truth depths of this very test set, inside the crop: an oracle among constants.
"""

import sys

import cli
from densedepth import data_settings, files
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import baseline, documents
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--min_test", type=cli.positive_int, default=1, help="least number of images")
    arguments.add_argument("--json", default="./results/baseline.json", help="file for the figures")
    return arguments


def work(args):
    with open_test_set(args.test_data) as test_set:
        found = "has {} {}".format(test_set.count, "image" if test_set.count == 1 else "images")
        data_settings.check_gallery(args.test_data, found, test_set.count, args.min_test)
        document = baseline.evaluate(test_set, progress=Progress(test_set.count, "images"))
    files.write_json(args.json, document)
    print("constant depth {:.3f} m".format(document["source"]["depth_m"]))
    print("\n".join(documents.lines(document)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("json",))


if __name__ == "__main__":
    sys.exit(main())
