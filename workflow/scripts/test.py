"""Draw the depth that a network sees in pictures: input, depth in colour, and the scale in metres.

    python workflow/scripts/test.py --ckptdir results/1p/checkpoints --input './examples/*.png' --output panel.png

--ckptdir is a checkpoint folder or a frozen .pb file. Any number of pictures, of any size: each is resized to the
network's size and its depth back to the picture's shape.
"""

import sys

import numpy as np

import cli
from densedepth import depth, evaluation, inference, visualize
from densedepth.errors import PipelineError


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--ckptdir", default="./results/1p/checkpoints", help="checkpoint folder or frozen .pb")
    arguments.add_argument("--input", nargs="+", default=["./examples/*.png"], help="pictures: files or patterns")
    arguments.add_argument("--maxdepth", type=float, default=1000, help="farthest predicted depth, in centimetres")
    arguments.add_argument("--output", default="./result/test/test.png", help="the panel, a PNG file")
    return arguments


def work(args):
    paths = visualize.find_pictures(args.input)
    tiles = []
    with inference.load(args.ckptdir) as predictor:
        for path in paths:
            rgb = visualize.read_picture(path)
            images = depth.fit(rgb[np.newaxis], predictor.size)
            output = evaluation.predict(predictor, images, predictor.batch or 1)[0]
            metres = depth.metres(output, (depth.LIMITS_M[0], args.maxdepth / 100))
            if np.isnan(metres).any():
                raise PipelineError("{}: the network's output for it is not a number".format(path))
            tiles.append(visualize.tile(path, rgb, metres))
            print("{}: {:.2f} to {:.2f} m, median {:.2f} m".format(path, metres.min(), metres.max(), np.median(metres)))
    visualize.draw_panel(args.output, tiles)
    print("{}: {} pictures".format(args.output, len(tiles)))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
