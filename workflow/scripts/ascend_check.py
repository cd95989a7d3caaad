"""Check which Ascend software is installed on this host, and whether its versions fit together.

    python workflow/scripts/ascend_check.py

Start it with the Python that is to train. It imports and changes nothing; npu-smi is the only program it runs. With
--root and --npu_smi it reads the files and the table of another host. The status is 1 where something is wrong, and on
a host without Ascend.
"""

import os
import sys

import cli
from densedepth import runtime
from densedepth.errors import PipelineError
from densedepth.platforms import ascend_chips, ascend_versions


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--root", default="/", help="folder that holds usr/local/Ascend and etc")
    arguments.add_argument("--npu_smi", metavar="FILE", help="stored output of `npu-smi info`, instead of running it")
    return arguments


def work(args):
    smi = cli.text("--npu_smi", args.npu_smi) if args.npu_smi else ascend_chips.npu_smi()
    found = ascend_versions.installed(args.root, dict(os.environ), smi, runtime.describe())
    if not ascend_versions.anything(found):
        raise PipelineError(
            "no Ascend software and no device on this host; docs/ascend.md has what is needed and where to get it"
        )
    lines = ascend_versions.check(found)
    for line in lines:
        print("{:<11} {:<8} {}".format(line.part, line.verdict, line.found))
        if line.advice:
            print("            {}".format(line.advice))
    wrong = [line.part for line in lines if line.verdict == ascend_versions.WRONG]
    if wrong:
        raise PipelineError("{} cannot be used as they are: {}".format(len(wrong), ", ".join(wrong)))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
