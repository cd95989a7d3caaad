"""Write a checkpoint as a safetensors file for PyTorch, with the module that loads it.

    python workflow/scripts/export_torch.py --ckptdir results/1p/checkpoints \\
        --out results/1p/export/torch/model.safetensors

Then, where PyTorch and both files are: import densedepth_torch; densedepth_torch.load("model.safetensors"). PyTorch is
not needed to write them.
"""

import sys

import cli
from densedepth.inference import torch_export


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--ckptdir", default="./results/1p/checkpoints", help="checkpoint folder")
    arguments.add_argument("--out", default="./results/1p/export/torch/model.safetensors", help="file to write")
    return arguments


def work(args):
    side = torch_export.export(args.ckptdir, args.out)
    print("{}: {tensors} tensors, {bytes} bytes, sha256 {sha256}".format(args.out, **side))
    print("{} beside it loads it in PyTorch".format(side["module"]))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
