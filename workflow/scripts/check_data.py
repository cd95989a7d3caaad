"""Read all training and test data, name every invalid row, and draw a sheet of samples with histograms of their depth.

    python workflow/scripts/check_data.py --input_dir dataset/nyu_data.zip --test_data dataset/nyu_test.zip

--input_dir also takes a list that list_pictures.py made. Fails when more than --skip_bad pairs of a split are faulty,
or something that cannot be left out, after it has written the sheet and the faults.
"""

import sys

import cli
from densedepth import files
from densedepth.data import check
from densedepth.errors import PipelineError


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--input_dir", default="./dataset/nyu_data.zip", help="nyu_data.zip, or a list (.json)")
    arguments.add_argument("--test_data", help="test archive to read as well")
    arguments.add_argument("--sheet", default="./results/data/check.png", help="the sheet, a PNG file")
    arguments.add_argument("--faults", default="./results/data/check.csv", help="csv of the faulty rows")
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument(
        "--skip_bad", type=cli.number("data.skip_bad"), default=0, help="faulty pairs allowed in each split"
    )
    arguments.add_argument("--workers", type=cli.number("workers"), default=1, help="processes that read")
    return arguments


def work(args):
    result = check.check(args.input_dir, args.test_data, args.workers)
    check.write_faults(args.faults, result)
    check.draw(args.sheet, args.input_dir, result, args.test_data)
    print(check.depth_text(result))
    for doubt in check.doubts(result):
        print(doubt)
    problem = check.verdict(result, args.skip_bad)
    if problem:
        raise PipelineError("{}; {} names them".format(problem, args.faults))
    if args.json:
        files.write_json(args.json, result)
    print("{}: {} pairs, {} faulty".format(args.sheet, result["pairs"], len(result["faults"])))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("sheet", "faults", "json"))


if __name__ == "__main__":
    sys.exit(main())
