"""Freeze a checkpoint into one file, a GraphDef with the weights inside.

    python workflow/scripts/ckpt2pb.py --ckptdir results/1p/checkpoints --pbdir results/1p/export --pb_name model

freezes the last epoch there to results/1p/export/model.pb and writes model.pb.json, which gives its tensors, its source
and its checksum. The graph reads `input_1:0` (images, height, width, 3), RGB in 0..1, and gives `conv3/BiasAdd:0`
(images, height/2, width/2, 1), 1000 / depth in centimetres. With --fold false its results are the checkpoint's bit for
bit; folding leaves fewer operations and rounds differently.
"""

import os
import sys

import cli
from densedepth.inference import freeze


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--ckptdir", default="./results/1p/checkpoints", help="checkpoint folder")
    arguments.add_argument("--pbdir", default="./results/1p/export", help="folder of the frozen file")
    arguments.add_argument("--output_node_names", default="conv3/BiasAdd", help="operation to end at")
    arguments.add_argument("--pb_name", default="test", help="name of the frozen file without .pb")
    arguments.add_argument(
        "--bs", type=cli.number("frozen_batch"), default=0, help="fixed number of images in a batch; 0: any"
    )
    cli.add_boolean(arguments, "--fold", True, "make normalisation part of the convolutions where it can be")
    cli.add_boolean(arguments, "--saved_model", False, "write the graph to <pbdir>/saved_model as well")
    return arguments


def work(args):
    path = os.path.join(args.pbdir, args.pb_name + ".pb")
    saved_model = os.path.join(args.pbdir, "saved_model") if args.saved_model else None
    side = freeze.freeze(args.ckptdir, args.output_node_names, path, args.bs or None, args.fold, saved_model)
    print("{}: {} nodes, {} bytes, sha256 {}".format(path, side["nodes"], side["bytes"], side["sha256"]))
    for role in ("input", "output"):
        print("{} {} {}".format(role, side[role]["name"], side[role]["shape"]))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
