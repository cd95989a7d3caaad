"""Write the training pairs of nyu_data.zip, or of a list of custom RGB-D pairs, as TFRecord files.

    python workflow/scripts/dataset_tool_tf.py --input_dir dataset/nyu_data.zip --out dataset/nyu_data.tfrecords

With --shards 4 the files are nyu_data-00000-of-00004.tfrecords and so on. The archive is read member by member; the
metadata file nyu_data.json says what was written. An interrupted call resumes when it is repeated. --input_dir also
takes a list that list_pictures.py made.
"""

import sys

import cli
from densedepth.data import conversion, records, unfiltered_png


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--input_dir", default="./dataset/nyu_data.zip", help="nyu_data.zip, or a list (.json)")
    arguments.add_argument("--out", default="./dataset/nyu_data.tfrecords", help="record file, or base name of shards")
    arguments.add_argument(
        "--shards", type=cli.number("data.shards"), default=1, help="number of files to spread the pairs over"
    )
    arguments.add_argument("--seed", type=cli.number("seed"), default=0, help="seed of the shuffle")
    arguments.add_argument(
        "--workers", type=cli.number("workers"), default=1, help="processes; each writes whole shards"
    )
    cli.add_boolean(arguments, "--check_images", False, "decode every image while converting")
    arguments.add_argument(
        "--skip_bad",
        type=cli.number("data.skip_bad"),
        default=0,
        help="faulty pairs that may be left out; 0: stop at one",
    )
    words = "PNG of depth: as it is, or the same pixels without row filters, decoded faster (docs/data.md)"
    arguments.add_argument("--depth_png", choices=unfiltered_png.FORMS, default=unfiltered_png.GIVEN, help=words)
    arguments.add_argument("--left_out", default="", help="list of pairs for validation, by split_validation.py")
    return arguments


def work(args):
    counts = (args.shards, args.seed, args.workers)
    more = (args.check_images, args.skip_bad, args.left_out, args.depth_png)
    side = conversion.convert(args.input_dir, args.out, *counts, *more)
    height, width = side["rgb_size"]
    print("{} pairs of {}x{} in {}".format(side["records"], width, height, ", ".join(side["shards"])))
    if side["skipped"]:
        print("{} faulty pairs were left out, see {}".format(len(side["skipped"]), records.side_name(args.out)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
