"""Draw test scenes: input, ground-truth depth, predicted depth and error side by side.

    python workflow/scripts/draw_gallery.py --model_path results/1p/export/model.pb --test_data dataset/nyu_test.zip \
        --count 6 --out results/1p/gallery --name 1p

writes scene_1.png, scene_2.png, ... of scenes spread evenly over the test set, and gallery.json; with --evaluation also
best.png and worst.png, the images of the smallest and the largest rms in it. A .npz beside each image holds its
numbers for the report's page. Shown and scored is what the evaluation compares: the flip-averaged depth inside the
crop.
"""

import sys

import cli
from densedepth import metadata
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import gallery
from densedepth.inference import forward, predictors


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help="frozen .pb or checkpoint")
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--count", type=cli.number("report.gallery"), default=6, help="number of scenes")
    arguments.add_argument("--evaluation", help="evaluation JSON, for the best and the worst image")
    arguments.add_argument("--out", default="./results/1p/gallery", help="folder of the images")
    arguments.add_argument("--name", default="1p", help="name of the run")
    return arguments


def work(args):
    with open_test_set(args.test_data) as test_set, predictors.load(args.model_path) as predictor:
        if args.count > test_set.count:
            raise PipelineError(
                "--count {} (report.gallery): {} has {} images".format(args.count, args.test_data, test_set.count)
            )
        wanted = gallery.spread(args.count, test_set.count)
        if args.evaluation:
            wanted.update(gallery.extremes(metadata.read(args.evaluation, gallery.RANKED)))

        def predicted(rgb, index):
            crop, limits, framing = test_set.crop, test_set.limits, test_set.framing
            return forward.predict_depth(predictor, rgb, predictor.batch or 1, crop, limits, framing)[0]

        gallery.draw(args.out, args.name, test_set, wanted, predicted, predictor.describe())


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
