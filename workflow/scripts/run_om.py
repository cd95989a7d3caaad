"""Run an OM file over raw batches by `msame` or `ais_bench`.

    python workflow/scripts/run_om.py --model_path results/1p/export/model.om --input results/1p/om/input \\
        --out results/1p/om/output --tool msame

`msame` must be on PATH, or ais_bench installed for this Python. The outputs are checked to be complete.
"""

import sys

import cli
from densedepth.inference import ascend_om


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--model_path", default="./results/1p/export/model.om", help="the OM file")
    arguments.add_argument("--input", required=True, help="folder of the batches, by write_batches.py")
    arguments.add_argument("--out", required=True, help="folder of the outputs, replaced when it is there")
    arguments.add_argument("--tool", default="msame", choices=ascend_om.TOOLS, help="what runs the model")
    arguments.add_argument("--device", type=cli.number("om.device"), default=0, help="number of the device")
    return arguments


def work(args):
    ascend_om.run(args.model_path, args.input, args.out, args.tool, args.device)
    print("{}: complete".format(args.out))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
