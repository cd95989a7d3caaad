"""Put what was recorded of a run into one file: its training, and its validation after each epoch that has one.

    python workflow/scripts/join_history.py --out results/1p/history.jsonl \\
        --history results/1p/checkpoints/epoch*/history.jsonl --validation results/1p/validation/epoch*.json

A line is a JSON object: an entry of the training as the checkpoints have it, or one with `epoch`, `global_step` and
`validation`, which holds the loss, its terms and all metrics.
"""

import json
import sys

import cli
from densedepth import files
from densedepth.report import histories


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--history", nargs="+", required=True, help="history.jsonl of the checkpoints of the run")
    arguments.add_argument("--validation", nargs="*", default=[], help="its validations, by validate.py")
    arguments.add_argument("--out", required=True, help="file for all of them")
    return arguments


def work(args):
    entries = histories.joined(args.history, args.validation)
    files.write_text(args.out, "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in entries))
    print("{}: {} entries, {} validations".format(args.out, len(entries), len(args.validation)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
