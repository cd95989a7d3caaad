"""Convert a frozen graph or an ONNX file to an OM file for Ascend by CANN's `atc`.

    python workflow/scripts/export_om.py --model_path results/1p/export/model.pb --out results/1p/export/model.om \\
        --soc_version Ascend910A --bs 1

`atc` must be on PATH. model.om.json tells the command, shapes, checksums and the source. docs/inference.md has the way
to figures and images from there: write_batches.py, run_om.py, score_om.py.
"""

import sys

import cli
from densedepth.inference import ascend_om


def build_parser():
    arguments = cli.parser(__doc__)
    words = "frozen graph, or ONNX file, .json beside it"
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help=words)
    arguments.add_argument("--out", default="./results/1p/export/model.om", help="the OM file")
    arguments.add_argument("--soc_version", default="Ascend910A", help="the chip, as npu-smi info names it")
    words = "that of atc, a word of its --precision_mode or --precision_mode_v2"
    arguments.add_argument("--precision_mode", default="force_fp16", help=words)
    arguments.add_argument("--bs", type=cli.number("om.batch_size"), default=1, help="images in a batch")
    words = "numbers of images that the file takes, instead of --bs"
    arguments.add_argument("--batches", type=cli.number("om.batch_size"), nargs="+", default=[], help=words)
    cli.add_boolean(arguments, "--uint8", False, "take uint8 images, divide by 255 inside (AIPP)")
    return arguments


def work(args):
    side = ascend_om.convert(
        args.model_path, args.out, args.soc_version, args.precision_mode, args.bs, args.uint8, args.batches
    )
    print("{}: {} bytes, input {}, sha256 {}".format(args.out, side["bytes"], side["input"]["shape"], side["sha256"]))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
