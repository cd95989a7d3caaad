"""List the validation pairs of a training archive, which are then left out of the training records.

    python workflow/scripts/split_validation.py --input_dir dataset/nyu_data.zip --validation_share 0.1 \\
        --out results/data/validation.json

The frames of a scene (a folder of images; of NYU's, all its parts) stay on one side. --validation_scenes takes scenes
by name or pattern, --validation_csv the pairs of a csv with rows like those of the archive.
"""

import sys

import cli
from densedepth import files
from densedepth.data import scene_split, validation_list


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--input_dir", default="./dataset/nyu_data.zip", help="nyu_data.zip")
    cli.add_validation(arguments)
    arguments.add_argument("--seed", type=cli.number("seed"), default=0, help="seed of the split")
    arguments.add_argument("--out", default="./results/data/validation.json", help="the list")
    return arguments


def work(args):
    choice = scene_split.Choice(args.validation_share, tuple(args.validation_scenes), args.validation_csv, args.seed)
    found = validation_list.listed(args.input_dir, choice)
    files.write_json(args.out, found)
    count = len({row["scene"] for row in found["rows"]})
    print("{} pairs of {} scenes for validation".format(len(found["rows"]), count))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
