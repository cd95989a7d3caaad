"""Draw the depth that a network predicts for images: input, depth in colour, and the scale in metres.

    python workflow/scripts/test.py --ckptdir results/1p/checkpoints --input './examples/*.png' --output panel.png

--ckptdir is a network of any kind that predict.py takes. Images, any number of any size, are placed in the network's
input as predict.py does, which also writes the depth itself.
"""

import sys

import cli

# isort: split
import numpy as np

from densedepth import outputs
from densedepth.imaging import visualize
from densedepth.inference import forward, image_files, networks

# For networks that take any size: that of the reference port.
_SIZE = (480, 640)


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument(
        "--ckptdir", default="./results/1p/checkpoints", help="checkpoint folder, frozen .pb, SavedModel, .onnx or .om"
    )
    arguments.add_argument("--input", nargs="+", default=["./examples/*.png"], help="images: files or patterns")
    arguments.add_argument(
        "--maxdepth",
        type=cli.number("centimetres"),
        help="farthest predicted depth, in centimetres; default: that of the training",
    )
    arguments.add_argument("--output", default="./result/test/test.png", help="the panel, a PNG file")
    return arguments


def work(args):
    found = image_files.search(args.input)
    # A folder's files, too.
    outputs.check_paths({"--output": args.output}, found.paths)
    for line in found.lines:
        print(line, flush=True)
    tiles = []
    with networks.load(args.ckptdir) as network:
        limits, reason = forward.limits(network.describe(), args.maxdepth)
        print("depth is limited to {:g} to {:g} m: {}".format(*limits, reason), flush=True)
        for path in found.paths:
            rgb = image_files.read(path).rgb
            metres = network.predict(rgb, flip_average=False, limits=limits, size=network.size or _SIZE)
            tiles.append(visualize.tile(path, rgb, metres))
            print("{}: {:.2f} to {:.2f} m, median {:.2f} m".format(path, metres.min(), metres.max(), np.median(metres)))
    visualize.draw_panel(args.output, tiles)
    print("{}: {} images".format(args.output, len(tiles)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("output",))


if __name__ == "__main__":
    sys.exit(main())
