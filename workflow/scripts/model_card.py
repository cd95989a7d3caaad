"""Write the model card of a network, with the metadata of Hugging Face's hub in front.

    python workflow/scripts/model_card.py --name 1p --out results/1p/MODEL_CARD.md \\
        --frozen results/1p/inference/frozen.json --baseline results/baseline.json \\
        --checkpoint results/1p/checkpoints/epoch6/model.json --data results/data/nyu_train.json \\
        --export results/1p/export/model.pb.json

Nothing is measured and no network is loaded; what the files do not know, such as licences, is given or called unknown.
"""

import sys

import cli
from densedepth.report import model_card


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--name", required=True, help="what the network is called")
    add("--out", required=True, help="the Markdown file to write")
    add("--frozen", required=True, help="evaluation of the frozen graph, by infer_from_pb.py")
    add("--baseline", required=True, help="evaluation of the constant depth, by evaluate_baseline.py")
    add("--checkpoint", required=True, help="model.json of the checkpoint that was frozen")
    add("--data", help="metadata file of the training records; none for a pretrained network")
    add("--export", nargs="*", default=[], help="metadata files of exported files")
    add("--exports", help="exports.json of export_matrix.py; without it nothing is said of other runtimes")
    add("--license", default="", help="licence of the network, as the hub names it; empty: unknown")
    add("--data_license", default="", help="licence of the training data; empty: unknown")
    add("--data_name", default="", help="name of the data; empty: by what the results know")
    return arguments


def work(args):
    settings = {key: getattr(args, key) for key in ("license", "data_license", "data_name")}
    measured = args.frozen, args.baseline, args.checkpoint
    sources = model_card.read(*measured, args.data, args.export, settings, args.exports)
    model_card.write(sources, args.name, args.out)
    print("{}: {} exported file(s)".format(args.out, len(sources.exports)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
