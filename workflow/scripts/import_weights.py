"""Turn a DenseNet weight file of Keras (notop .h5) or PyTorch into a TensorFlow checkpoint of the encoder.

Example:

    python workflow/scripts/import_weights.py --encoder densenet169 --out results/weights/densenet169 \\
        --input dataset/densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5

Of PyTorch, torchvision's DenseNets are read, as .pth or .safetensors; what a .pth file holds beside tensors is refused.
Writes model.ckpt.* and weights.json (source, checksums, counts) to --out, and prints what was loaded. A file of
another encoder, a damaged one, or one with tensors missing or left over is refused.
"""

import sys

import cli
from densedepth.network import weights
from densedepth.network.model import BLOCKS


def build_parser():
    """The program's flags."""
    parser = cli.parser(__doc__)
    parser.add_argument("--input", required=True, metavar="FILE", help="Keras .h5 without top, .pth, .safetensors")
    parser.add_argument("--encoder", choices=sorted(BLOCKS), default="densenet169", help="the encoder of the file")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    return parser


def work(args):
    """Import the weights and print one line for each group of layers."""
    side, values = weights.import_encoder(args.input, args.encoder, args.out)
    for group, tensors, parameters in weights.groups(values):
        print("{}: {} tensors, {:,} parameters".format(group, tensors, parameters))
    print("{}: {variables} variables, {parameters:,} parameters, all loaded".format(args.encoder, **side))
    print("md5 {}, generation {}".format(side["source"]["md5"], side["generation"]))
    if side["generation"] == weights.OLD:
        print("warning: an older generation of the published file; it fits, but newer ones replaced it")
    elif side["generation"] == weights.UNKNOWN:
        print("note: the checksum is not a published one; the tensors fit")


def main(argv=None):
    """Run with `argv` (default: the command line); returns the exit status."""
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
