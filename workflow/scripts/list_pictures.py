"""List RGB-D pairs: of a csv, of two folders of files, or of a data set, and which are kept for the test.

    python workflow/scripts/list_pictures.py --csv mine/pairs.csv --metres_per_unit 0.001 --max_depth 10 \\
        --size 480 640 --out results/data/pictures.json

    python workflow/scripts/list_pictures.py --dataset nyu --path dataset/nyu_data.zip --max_depth 10

A row of the csv is `rgb file,depth file`, or with `train` or `test` as a third field; paths start from the csv's
folder. With --rgb and --depth files of the same name are a pair. A number such as -3.4e38 must be written in one word
with its flag: --invalid=-3.4e38. docs/data.md explains all of it.
"""

import json
import sys

import cli
from densedepth import data_settings, files
from densedepth.data import custom_list, custom_pairs, datasets, mixture, scene_split, stored_depth
from densedepth.errors import PipelineError


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--dataset", help="a data set by name, with --path: {}".format(", ".join(sorted(datasets.DATASETS))))
    add("--path", help="the folder or archive of --dataset, in any of its forms")
    cli.add_number(
        arguments, "--time_tolerance", "data.custom.time_tolerance", 0.02, "seconds between the files of a pair"
    )
    add("--csv", help="the csv; or give --rgb and --depth")
    add("--rgb", help="folder of the images: .jpg, .png, or .npy of uint8 (height, width, 3)")
    add("--depth", help="folder of the depths: .png of 8 or 16 bit, or .npy")
    add(
        "--metres_per_unit",
        type=cli.number("data.custom.metres_per_unit"),
        help="metres per unit of stored depth; not for --dataset, which has its own",
    )
    add(
        "--max_depth",
        type=cli.number("data.custom.max_depth"),
        required=True,
        help="metres; this depth and greater ones are invalid",
    )
    add(
        "--invalid",
        "--hole",
        dest="hole",
        metavar="VALUE",
        type=cli.number("data.custom.invalid"),
        default=0,
        help="stored value of invalid depth, besides those not above zero",
    )
    add(
        "--test_share",
        type=cli.number("data.custom.test_share"),
        default=0.1,
        help="share of the pairs kept for the test if no split is given",
    )
    add_stored(add)
    add("--min_test", type=cli.positive_int, default=1, help="least number of test pairs")
    cli.add_number(arguments, "--seed", "seed", 0, "seed of the split")
    cli.add_size(arguments, "height and width to resize images to", [480, 640])
    cli.add_validation(arguments)
    add("--out", default="./results/data/pictures.json", help="the list")
    return arguments


def add_stored(add):
    """What else stored depth means, which of it counts, and what is trained on beside it."""
    add("--test_size", choices=custom_pairs.TEST_SIZES, default="network", help="size at which test pairs are scored")
    add(
        "--test_metres_per_unit",
        type=cli.number("data.custom.test_metres_per_unit"),
        default=0,
        help="metres per unit of the test pairs; 0: as of the others",
    )
    add("--encoding", choices=stored_depth.ENCODINGS, default="plain", help="how depth is encoded")
    add("--variable", default="", help="name of the array in .npz, .h5 and .mat")
    add("--raw_size", type=numbers, default=[], help="height,width of raw float32 depth (.raw, .bin)")
    add("--mask_minimum", type=float, default=1, help="least value of a valid pixel in the masks that the csv names")
    add("--also_invalid", type=numbers, default=[], help="further stored values of invalid depth, such as the sky")
    add("--distance", choices=stored_depth.DISTANCES, default="axis", help="along the optical axis, or along the ray")
    add(
        "--mixture",
        type=json.loads,
        default=[],
        help="further sets to train on, as JSON: [[name, [[key, value], ...]]]",
    )
    add("--intrinsics", type=numbers, default=[], help="fx,fy,cx,cy,width,height in pixels, for --distance ray")


def numbers(word):
    """`1,2.5` as a list."""
    return [float(part) if "." in part or "e" in part else int(part) for part in word.split(",")]


def stored(args):
    """What `stored_depth.SCHEMA` calls it, without what is as usual."""
    if args.raw_size and len(args.raw_size) != 2:
        raise PipelineError("--raw_size: give two numbers, height and width")
    if args.distance == "ray" and len(args.intrinsics) != 6:
        raise PipelineError("--distance ray needs --intrinsics: fx, fy, cx, cy, width and height")
    found = {"encoding": args.encoding, "variable": args.variable, "raw_size": args.raw_size}
    found.update(invalid=args.also_invalid, distance=args.distance, intrinsics=args.intrinsics)
    found.update(mask_minimum=args.mask_minimum)
    usual = {"encoding": "plain", "distance": "axis", "mask_minimum": 1}
    return {key: value for key, value in found.items() if value and value != usual.get(key)}


def listed(args):
    """The content of the list that the flags ask for."""
    if bool(args.dataset) != bool(args.path) or (args.dataset and (args.csv or args.rgb or args.depth)):
        raise PipelineError("give --dataset and --path, or --csv, or --rgb and --depth")
    validation = scene_split.Choice(
        args.validation_share, tuple(args.validation_scenes), args.validation_csv, args.seed
    )
    if args.dataset:
        facts = (args.size, args.max_depth, args.test_share, args.seed, args.time_tolerance, args.test_size)
        found = datasets.listed(args.dataset, args.path, *facts)
        return dict(found, rows=scene_split.marked(found["rows"], validation, args.path)) if validation else found
    if bool(args.csv) == bool(args.rgb or args.depth) or bool(args.rgb) != bool(args.depth):
        raise PipelineError("give --csv, or --rgb and --depth")
    if args.metres_per_unit is None:
        raise PipelineError("give --metres_per_unit")
    return custom_list.listed(
        args.size,
        args.metres_per_unit,
        args.max_depth,
        args.hole,
        args.csv,
        args.rgb,
        args.depth,
        args.test_share,
        args.seed,
        args.test_metres_per_unit,
        stored(args),
        validation,
        args.test_size,
    )


def work(args):
    found = listed(args)
    if args.mixture:
        found["mixture"] = mixture.listed({name: dict(settings) for name, settings in args.mixture}, found)
    splits = (custom_pairs.TRAIN, custom_pairs.VALIDATION, custom_pairs.TEST)
    counts = {split: sum(row["split"] == split for row in found["rows"]) for split in splits}
    count, path = counts[custom_pairs.TEST], args.path or args.csv or args.rgb
    words = "{} {} for test".format(count, "pair" if count == 1 else "pairs")
    data_settings.check_gallery(path, words, count, args.min_test, found["split"] == "drawn")
    files.write_json(args.out, found)
    print("{train} pairs for train and {test} for test; the split is {0}".format(found["split"], **counts))
    if counts[custom_pairs.VALIDATION]:
        print("{validation} pairs for validation".format(**counts))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
