"""Draw held-out scenes: input, true depth, predicted depth and error side by side.

    python workflow/scripts/draw_gallery.py --model_path results/1p/export/model.pb --test_data dataset/nyu_test.zip \
        --count 6 --out results/1p/gallery --name 1p

writes scene_1.png, scene_2.png, ... of scenes spread evenly over the test set, and gallery.json. Shown and scored is
what the evaluation compares: the flip-averaged depth inside the crop.
"""

import os
import sys

import numpy as np

import cli
from densedepth import evaluation, files, inference, metrics, visualize
from densedepth.errors import PipelineError
from densedepth.testset import open_test_set


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help="frozen .pb or checkpoint")
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--count", type=cli.positive_int, default=6, help="number of scenes")
    arguments.add_argument("--out", default="./results/1p/gallery", help="folder of the pictures")
    arguments.add_argument("--name", default="1p", help="name of the run")
    return arguments


def work(args):
    with open_test_set(args.test_data) as test_set, inference.load(args.model_path) as predictor:
        if args.count > test_set.count:
            raise PipelineError("--count {}: {} has {} images".format(args.count, args.test_data, test_set.count))
        # The middle of each of `count` equal parts.
        wanted = [(2 * i + 1) * test_set.count // (2 * args.count) for i in range(args.count)]
        scenes = []
        for rgb, truth, (index,) in test_set.batches(1):
            if index in wanted:
                scenes.append(_draw(args.out, len(scenes) + 1, index, predictor, rgb, truth, test_set))
    files.write_json(
        os.path.join(args.out, "gallery.json"),
        {"format": 1, "run": args.name, "source": predictor.describe(), "scenes": scenes},
    )


def _draw(folder, number, index, predictor, rgb, truth, test_set):
    top, bottom, left, right = test_set.crop
    inside = (slice(top, bottom + 1), slice(left, right + 1))
    predicted = evaluation.predict_depth(predictor, rgb, predictor.batch or 1, test_set.crop, test_set.limits)[0]
    truth, mask = truth[0][inside], None
    if test_set.holes:
        mask = truth > 0
    scores = metrics.image_scores(metrics.measure(truth=truth, prediction=predicted, mask=mask))
    if mask is not None:
        truth = np.where(mask, truth, np.nan)
    picture = "scene_{}.png".format(number)
    title = "held-out scene {}:  delta1 {:.3f},  rms {:.3f} m".format(index, scores["delta1"], scores["rms"])
    visualize.draw_scene(os.path.join(folder, picture), title, rgb[0][inside], truth, predicted)
    print("{}: {}".format(picture, title))
    return {"picture": picture, "index": index, "rms": scores["rms"], "delta1": scores["delta1"]}


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
