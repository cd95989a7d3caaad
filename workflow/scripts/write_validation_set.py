"""Write the validation pairs as an archive in the form of nyu_test.zip.

    python workflow/scripts/write_validation_set.py --input_dir dataset/nyu_data.zip \\
        --pictures results/data/validation.json --out results/data/validation.zip

--pictures is what split_validation.py made of the archive, or, without --input_dir, a list of custom RGB-D pairs that
list_pictures.py made. Up to --skip_bad faulty pairs are left out, and named.
"""

import sys

import cli
from densedepth.data import custom_test_archive


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--input_dir", help="nyu_data.zip, of whose pairs --pictures lists some")
    arguments.add_argument("--pictures", default="./results/data/validation.json", help="the list")
    arguments.add_argument(
        "--skip_bad", type=cli.whole_number, default=0, help="faulty pairs that may be left out; 0: stop at one"
    )
    arguments.add_argument("--out", default="./results/data/validation.zip", help="the archive")
    return arguments


def work(args):
    source = args.input_dir or args.pictures
    count = custom_test_archive.write_validation(source, args.pictures, args.out, args.skip_bad)
    print("{}: {} images".format(args.out, count))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
