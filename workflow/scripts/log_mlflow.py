"""Write finished runs into a store of MLflow: parameters, metrics by step and epoch, files, and the report.

    .venv/mlflow/bin/python workflow/scripts/log_mlflow.py --store mlruns --out results/tracking.json \\
        --evaluation results/1p/evaluation/epoch*.json --history results/1p/checkpoints/epoch*/history.jsonl \\
        --report results/report.md results/report.html --settings settings.json

The store is the folder --store with mlflow.db (SQLite) and the artefacts; no server is needed. Runs that have not
changed stay, changed ones are replaced. `mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db` shows it.
"""

import json
import sys

import cli
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.report import tracking


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--store", required=True, help="folder of the store; made where it is not there")
    add("--out", required=True, help="file for what was written: the runs and their numbers in the store")
    add("--evaluation", nargs="*", default=[], help="evaluations of checkpoints of runs, by evaluate.py")
    add("--validation", nargs="*", default=[], help="validations of checkpoints of runs, by validate.py")
    add("--history", nargs="*", default=[], help="history.jsonl of the checkpoints")
    add("--report", nargs="*", default=[], help="files of the report")
    add("--settings", required=True, help="JSON file of the pipeline's settings; - for standard input")
    return arguments


def work(args):
    text = cli.text("--settings", args.settings)
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise PipelineError("--settings {}: cannot be read ({})".format(args.settings, error)) from None
    runs = tracking.gather(settings, args.evaluation, args.history, args.report, args.validation)
    written = tracking.write(args.store, runs)
    files.write_json(args.out, written)
    print("{}: {} runs".format(written["store"], len(written["runs"])))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
