"""Write the report of all runs, as Markdown and as HTML, from the JSON files of the stages before.

    python workflow/scripts/report.py --out results/report.md --figures results/report \\
        --baseline results/baseline.json --evaluation results/1p/evaluation/epoch*.json \\
        --checkpoint results/1p/checkpoints/epoch*/model.json --history results/1p/checkpoints/epoch*/history.jsonl \\
        --frozen results/1p/inference/frozen.json --gallery results/1p/gallery/gallery.json \\
        --data results/data/nyu_train.json --settings '{"seed": 0}'

With --html the same page is written with all pictures inside. A run's name is the folder after `results` in a file's
path. The curves are <figures>/loss_<run>.png and <figures>/metrics_<run>.png. Equal inputs give equal bytes; nothing is
measured and no network is loaded here.
"""

import sys

import cli
from densedepth import report, report_inputs


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--out", required=True, help="the Markdown file to write")
    add("--html", help="the same page as an HTML file that needs no other")
    add("--figures", required=True, help="folder for the curves")
    add("--baseline", required=True, help="evaluation of the constant depth, by evaluate_baseline.py")
    add("--evaluation", nargs="+", required=True, help="evaluations of checkpoints, by evaluate.py")
    add("--checkpoint", nargs="+", required=True, help="model.json of every evaluated checkpoint")
    add("--history", nargs="*", default=[], help="history.jsonl of the checkpoints")
    add("--frozen", nargs="*", default=[], help="evaluations of frozen graphs, by infer_from_pb.py")
    add("--performance", nargs="*", default=[], help="measured speeds of training, by train.py --performance")
    add("--gallery", nargs="*", default=[], help="gallery.json of the runs, by draw_gallery.py")
    add("--data", required=True, help="side file of the training records, by dataset_tool_tf.py")
    add("--weights", nargs="*", default=[], help="weights.json or model.json of imported weights")
    add("--published", nargs="*", default=[], help="evaluations of networks trained elsewhere, by evaluate.py")
    add("--settings", required=True, help="the settings of the pipeline as JSON text")
    return arguments


def work(args):
    findings = report_inputs.gather(
        baseline=args.baseline,
        evaluations=args.evaluation,
        checkpoints=args.checkpoint,
        histories=args.history,
        frozen=args.frozen,
        speeds=args.performance,
        galleries=args.gallery,
        data=args.data,
        weights=args.weights,
        settings=args.settings,
        imported=args.published,
    )
    report.write(findings, args.out, args.figures, args.html)
    print("{}: {} run(s), {} evaluations".format(args.out, len(findings.runs), len(args.evaluation)))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
