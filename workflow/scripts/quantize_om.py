"""Write a frozen graph as int8 for Ascend by AMCT's calibration; export_om.py converts it.

    python workflow/scripts/quantize_om.py --model_path results/1p/export/model.pb --batches results/1p/om/input \\
        --out results/1p/export/model_int8.pb

`amct_tensorflow` must be on PATH. --batches is a folder that write_batches.py has made, in float32. Calibrate by images
that are not those of the test, or the test is no longer one.
"""

import sys

import cli
from densedepth.inference import ascend_amct


def build_parser():
    arguments = cli.parser(__doc__)
    words = "frozen graph, .json beside it"
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help=words)
    arguments.add_argument("--batches", required=True, help="folder of batches, by write_batches.py")
    arguments.add_argument("--out", required=True, help="the int8 graph, .json beside it")
    arguments.add_argument("--count", type=cli.positive_int, default=16, help="batches to calibrate by, at most")
    return arguments


def work(args):
    side = ascend_amct.quantize(args.model_path, args.batches, args.out, args.count)
    print("{}: calibrated by {} batches, sha256 {}".format(args.out, side["quantized"]["batches"], side["sha256"]))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
