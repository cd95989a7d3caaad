"""Write the images of nyu_test.zip, and their mirror images, as raw batches for offline inference.

    python workflow/scripts/write_batches.py --test_data dataset/nyu_test.zip --out results/1p/om/input \\
        --size_of results/1p/export/model.pb.json --bs 1

writes image/rgb_bs1_0.bin, ... and image_flip/rgb_flip_bs1_0.bin, ...: float32, NHWC, RGB in 0..1, and batches.json. A
short last batch is filled up. 654 images of 480x640 take 4.8 GB.
"""

import sys

import cli
from densedepth.data.test_archive import open_test_set
from densedepth.inference import ascend_om


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--out", required=True, help="folder of the batches, replaced when it is there")
    size = arguments.add_mutually_exclusive_group()
    cli.add_size(size, "of the input", (480, 640))
    size.add_argument("--size_of", metavar="FILE", help="metadata file of a frozen graph or OM file with that size")
    arguments.add_argument("--bs", type=cli.number("om.batch_size"), default=1, help="images in a batch")
    cli.add_boolean(arguments, "--uint8", False, "write uint8, for an OM file that takes it")
    return arguments


def work(args):
    with open_test_set(args.test_data) as test_set:
        size = ascend_om.input_size(args.size_of) if args.size_of else args.size
        kind = "uint8" if args.uint8 else "float32"
        count = ascend_om.write_batches(test_set, args.out, tuple(size), args.bs, kind)
        print("{}: {} images in {} batches of {}".format(args.out, test_set.count, count, args.bs))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
