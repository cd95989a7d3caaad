"""Write a page that runs a network in the browser, with all that it needs beside it.

    python workflow/scripts/export_demo.py --model_path results/1p/export/model.onnx --out results/1p/demo
    python3 results/1p/demo/serve.py

The folder can be copied to any web server. ONNX Runtime Web is taken from --package; npm fetches that where it is not
there. Needs neither TensorFlow nor ONNX Runtime.
"""

import os
import sys

import cli
from densedepth.demo import pages


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--model_path", default="./results/1p/export/model.onnx", help="the network as ONNX")
    add("--out", default="./results/1p/demo", help="folder to write; an earlier demo there is replaced")
    add("--name", default="", help="what the page calls the network; default: its path")
    package = os.path.join("dataset", pages.RUNTIME.archive)
    add("--package", default=package, help="archive of ONNX Runtime Web, fetched by npm where it is not there")
    cli.add_size(arguments, "input size of a network that takes any")
    return arguments


def work(args):
    known = pages.write(args.model_path, args.package, args.out, args.name or args.model_path, args.size)
    print("{}: {} bytes of network, input {}x{}".format(args.out, known["bytes"], *known["size"]))
    print("open it by: python3 {}".format(os.path.join(args.out, "serve.py")))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
