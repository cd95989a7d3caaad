"""Render the sample data: synthetic rooms with exact depth, as nyu_data.zip, nyu_test.zip and example images.

    python workflow/scripts/make_sample.py --out results/sample --train_scenes 240 --test_scenes 48

The same seed gives the same data on every machine, whatever the number of workers.
"""

import sys

import cli
from densedepth.sample import archives


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--out", default="results/sample", help="folder for the archives and examples/")
    arguments.add_argument(
        "--train_scenes", type=cli.number("sample.train_scenes"), default=240, help="training images, 4 per room"
    )
    arguments.add_argument(
        "--test_scenes", type=cli.number("sample.test_scenes"), default=48, help="test images, of other rooms"
    )
    arguments.add_argument("--seed", type=cli.number("sample.seed"), default=0, help="other seeds give other rooms")
    arguments.add_argument("--workers", type=cli.number("workers"), default=1, help="processes that render")
    return arguments


def work(args):
    archives.write(args.out, args.train_scenes, args.test_scenes, args.seed, args.workers)


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
