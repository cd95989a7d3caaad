"""Measure the precision of a checkpoint on nyu_test.zip.

    python workflow/scripts/evaluate.py --ckptdir results/1p/checkpoints/epoch20 --test_data dataset/nyu_test.zip

Of a folder of epoch<N> checkpoints the last one is taken. The six figures of the reference port are appended to
evaluate.log in --logdir (rel divided by the prediction, rms pooled over all pixels); --json gets all figures, by other
conventions too, those of each image, and the speed. --protocol port paper bts scores the same predictions in several
ways (docs/metrics.md); the images of the smallest and the largest rms are named at the end.
"""

import os
import sys

import cli
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import documents, events, metrics, protocols, scoring, stored_arrays
from densedepth.inference import predictors
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--ckptdir", default="./results/1p/checkpoints", help="checkpoint folder")
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--logdir", default="./results", help="folder of evaluate.log")
    arguments.add_argument("--bs", type=cli.number("evaluate.batch_size"), default=2, help="images in a batch")
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument("--name", default="", help="name of the run, for messages")
    arguments.add_argument("--tensorboard", help="folder for TensorBoard events: the figures and some predictions")
    arguments.add_argument("--csv", help="file for the scores of each image")
    cli.add_scoring(arguments, protocols.NAMES)
    return arguments


def work(args):
    with open_test_set(args.test_data) as test_set, predictors.load_checkpoint(args.ckptdir) as predictor:
        source = predictor.describe()
        print("evaluating {} (epoch {}) on {} images".format(source["path"], source["epoch"], test_set.count))
        report = Progress(test_set.count, "images")
        with stored_arrays.opened_planes(args.planes, test_set, args.metrics) as planes:
            document = scoring.evaluate(
                predictor, test_set, args.bs, None, report, args.protocol, more=args.metrics, planes=planes
            )
        if args.tensorboard:
            events.write(args.tensorboard, document, events.pictures(predictor, test_set))
    if args.json:
        files.write_json(args.json, document)
    if args.csv:
        documents.write_csv(args.csv, document)
    documents.append_log(os.path.join(args.logdir, "evaluate.log"), document)
    for line in documents.lines(document) + documents.extremes(document):
        print(line)
    # The last line of all, which the workflow shows on the terminal.
    for block in list(documents.blocks(document).values())[:1]:
        run = "run {} ".format(args.name) if args.name else ""
        print("{}epoch {}: {}".format(run, source["epoch"], metrics.line(block["metrics"])))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("json", "csv"))


if __name__ == "__main__":
    sys.exit(main())
