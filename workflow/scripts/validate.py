"""Measure a checkpoint on the validation images: loss, AbsRel, RMSE, delta1 and all other figures of the evaluation.

    python workflow/scripts/validate.py --ckptdir results/1p/checkpoints/epoch4 \\
        --validation_data results/data/validation.zip --json results/1p/validation/epoch4.json

The archive has the form of nyu_test.zip (write_validation_set.py). The figures are those of evaluate.py, the loss is
that of the training without augmentation; --tensorboard gets both, and some predictions.
"""

import sys

import cli
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import events, validation
from densedepth.inference import predictors
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--ckptdir", default="./results/1p/checkpoints", help="checkpoint folder")
    arguments.add_argument("--validation_data", default="./results/data/validation.zip", help="the validation images")
    arguments.add_argument("--bs", type=cli.number("evaluate.batch_size"), default=2, help="images in a batch")
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument("--name", default="", help="name of the run, for messages")
    arguments.add_argument("--tensorboard", help="folder for TensorBoard events: the figures and some predictions")
    return arguments


def work(args):
    with open_test_set(args.validation_data) as images, predictors.load_checkpoint(args.ckptdir) as predictor:
        progress = Progress(images.count, "images")
        document = validation.evaluate(predictor, args.ckptdir, images, args.bs, progress)
        if args.tensorboard:
            events.write(args.tensorboard, document, events.pictures(predictor, images))
    if args.json:
        files.write_json(args.json, document)
    # The last line of all, which the workflow shows on the terminal.
    run = "run {} ".format(args.name) if args.name else ""
    print("{}epoch {} validation: {}".format(run, document["source"]["epoch"], validation.line(document)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("json",))


if __name__ == "__main__":
    sys.exit(main())
