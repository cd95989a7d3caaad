"""Import a pretrained network as a checkpoint of this project.

Example:

    python workflow/scripts/import_model.py --input dataset/nyu.h5 --out results/published/nyu/checkpoints/epoch0

--input is a Keras full-model file (.h5), as published with the paper; a .pth or .safetensors file of the original
authors' PyTorch network, or one that export_torch.py wrote; a checkpoint of the reference port, an object-based
tf.train.Checkpoint of its tf.keras network: its folder, prefix or .index file; or a checkpoint of this project. The
result is a checkpoint of epoch 0 without optimizer state, which evaluate.py, ckpt2pb.py and test.py take as any
other, and which train.py --weights starts from. Of a Keras file, the decoder's width, activation and upsampling are
read from its own config. A checkpoint of the port has none: --upsampling and --mid_activation are then those of the
port unless told otherwise; of a PyTorch network, align_corners and none. What does not fit the network is refused.

Of files of others, none tells the scale of the output: it is taken for 10 / depth in metres, as for NYU Depth v2, or
for --max_depth in place of the 10, which is 80 for the paper's kitti.h5. The checkpoint's output is 1000 / depth in
centimetres anyway.
"""

import sys

import cli
from densedepth.network import importer, model


def build_parser():
    arguments = cli.parser(__doc__)
    help_of_input = ".h5, .pth or .safetensors file, or checkpoint"
    arguments.add_argument("--input", required=True, metavar="PATH", help=help_of_input)
    arguments.add_argument("--out", required=True, metavar="FOLDER", help="checkpoint folder to write")
    cli.add_size(arguments, "size of the input images in pixels; default: 480 640, or that of the checkpoint")
    arguments.add_argument("--upsampling", choices=model.UPSAMPLINGS, help="if the file does not say")
    cli.add_boolean(arguments, "--mid_activation", None, "if the file does not say")
    arguments.add_argument(
        "--max_depth",
        type=cli.number("pretrained.*.max_depth"),
        metavar="METRES",
        help="farthest depth it was trained for, in metres; its output is this / depth. Default: 10; kitti.h5 needs 80",
    )
    return arguments


def work(args):
    checkpoint, source = importer.import_model(
        args.input, args.out, args.size, args.upsampling, args.mid_activation, args.max_depth
    )
    for field, value in sorted(source.model.as_dict().items()):
        print("{} {}: by {}".format(field, value, source.decided[field]))
    nearest, farthest = checkpoint.side["training"]["depth_range"]
    print("depth {:g} to {:g} m: by {}".format(nearest / 100, farthest / 100, source.decided["depth_range"]))
    parameters = sum(int(value.size) for value in source.values.values())
    print("{} variables, {:,} parameters, all loaded".format(len(source.values), parameters))
    print("{}: checkpoint of epoch 0, sha256 of the source {}".format(args.out, checkpoint.side["weights"]["sha256"]))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
