"""Write the report of all runs, as Markdown and as HTML, from the JSON files of the stages before.

    python workflow/scripts/report.py --out results/report.md --figures results/report \\
        --baseline results/baseline.json --evaluation results/1p/evaluation/epoch*.json \\
        --checkpoint results/1p/checkpoints/epoch*/model.json --history results/1p/checkpoints/epoch*/history.jsonl \\
        --frozen results/1p/inference/frozen.json --gallery results/1p/gallery/gallery.json \\
        --data results/data/nyu_train.json --settings settings.json

Pretrained networks need no run beside them:

    python workflow/scripts/report.py --out results/published/nyu/report.md --baseline results/baseline.json \\
        --published results/published/nyu/evaluation/epoch0.json --settings settings.json

With --html the same page is written with all images inside. A run's name is the folder after `results` in a file's
path. The curves are <figures>/loss_<run>.png and <figures>/metrics_<run>.png. Equal inputs give equal bytes; nothing is
measured and no network is loaded here.
"""

import sys

import cli
from densedepth.errors import PipelineError
from densedepth.report import inputs, sections


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--out", required=True, help="the Markdown file to write")
    add("--html", help="the same page as a self-contained HTML file")
    add("--figures", help="folder for the curves of runs")
    add("--baseline", required=True, help="evaluation of the constant depth, by evaluate_baseline.py")
    add("--evaluation", nargs="*", default=[], help="evaluations of checkpoints of runs, by evaluate.py")
    add("--checkpoint", nargs="*", default=[], help="model.json of every evaluated checkpoint")
    add("--history", nargs="*", default=[], help="history.jsonl of the checkpoints")
    add("--frozen", nargs="*", default=[], help="evaluations of frozen graphs, by infer_from_pb.py")
    add("--deployed", nargs="*", default=[], help="evaluations of ONNX and OM files of the runs")
    add("--performance", nargs="*", default=[], help="measured speeds of training, by train.py --performance")
    add("--gallery", nargs="*", default=[], help="gallery.json of the runs, by draw_gallery.py")
    add("--thumbnails", nargs="*", default=[], help="small images of all test images, by infer_from_pb.py")
    add("--data", help="metadata file of the runs' training records, by dataset_tool_tf.py")
    add("--weights", nargs="*", default=[], help="weights.json or model.json of imported weights")
    add("--published", nargs="*", default=[], help="evaluations of pretrained networks, by evaluate.py")
    add("--external", nargs="*", default=[], help="evaluations of other programs' predictions, by score.py")
    add("--validation", nargs="*", default=[], help="validations of checkpoints of runs, by validate.py")
    add("--robustness", nargs="*", default=[], help="figures on worse images, by measure_robustness.py")
    add("--settings", required=True, help="JSON file of the pipeline's settings; - for standard input")
    return arguments


def work(args):
    if args.evaluation and not args.figures:
        raise PipelineError("--figures: missing; the curves of the runs are written there")
    findings = inputs.gather(
        baseline=args.baseline,
        evaluations=args.evaluation,
        checkpoints=args.checkpoint,
        histories=args.history,
        frozen=args.frozen,
        speeds=args.performance,
        galleries=args.gallery,
        data=args.data,
        weights=args.weights,
        settings=cli.text("--settings", args.settings),
        imported=args.published,
        deployed=args.deployed,
        external=args.external,
        thumbnails=args.thumbnails,
        validations=args.validation,
        robustness=args.robustness,
    )
    sections.write(findings, args.out, args.figures, args.html)
    evaluations = len(args.evaluation) + len(args.published)
    print("{}: {} run(s), {} evaluations".format(args.out, len(findings.runs), evaluations))
    # After the empty line: what the workflow shows on the terminal.
    print("\n" + "\n".join(sections.results(findings) + ["report: {}".format(args.html or args.out)]))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out", "html"))


if __name__ == "__main__":
    sys.exit(main())
