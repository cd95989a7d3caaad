"""Write a test archive in the form of nyu_test.zip: from a list of custom RGB-D pairs, or from NYU's labelled data.

    python workflow/scripts/write_test_set.py --pictures results/data/pictures.json --out results/data/test.zip
    python workflow/scripts/write_test_set.py --labeled dataset/nyu_depth_v2_labeled.mat \\
        --splits dataset/splits.mat --out results/data/nyu_test.zip

The second form makes the 654 test images with their filled depths when nyu_test.zip itself cannot be had. The first
leaves up to --skip_bad faulty pairs out, and names them.
"""

import sys

import cli
from densedepth import outputs
from densedepth.data import custom_test_archive
from densedepth.errors import PipelineError


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--pictures", help="list made by list_pictures.py")
    arguments.add_argument("--labeled", help="nyu_depth_v2_labeled.mat")
    arguments.add_argument("--splits", help="splits.mat, with --labeled")
    arguments.add_argument(
        "--skip_bad", type=cli.whole_number, default=0, help="faulty pairs that may be left out; 0: stop at one"
    )
    arguments.add_argument(
        "--min_test", type=cli.positive_int, default=1, help="least number of test pairs of --pictures"
    )
    arguments.add_argument("--out", default="./dataset/nyu_test.zip", help="the archive")
    return arguments


def work(args):
    if bool(args.pictures) == bool(args.labeled) or bool(args.labeled) != bool(args.splits):
        raise PipelineError("give --pictures, or --labeled and --splits")
    # It may be the published archive.
    outputs.check_new([args.out])
    if args.pictures:
        count = custom_test_archive.write(args.pictures, args.out, args.skip_bad, args.min_test)
    else:
        # The reader of HDF5 is not at hand where only pictures are packed.
        from densedepth.data import nyu_labeled

        count = nyu_labeled.write(args.labeled, args.splits, args.out)
    print("{}: {} images".format(args.out, count))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
