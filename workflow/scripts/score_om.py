"""Measure the precision of offline inference from its raw outputs, and draw scenes.

    python workflow/scripts/score_om.py --outputs results/1p/om/output --test_data dataset/nyu_test.zip \\
        --json results/1p/inference/om.json --gallery results/1p/om/gallery --count 6

--outputs is the folder that run_om.py filled; outputs are matched to batches by their names' stems. The protocol is
that of evaluate.py, by the same code.
"""

import sys

import cli
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import documents, gallery, scoring
from densedepth.inference import ascend_om, forward
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--outputs", required=True, help="folder of the outputs")
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument("--gallery", help="folder for images of scenes")
    arguments.add_argument("--count", type=cli.number("report.gallery"), default=6, help="number of scenes")
    arguments.add_argument("--name", default="1p", help="name of the run")
    return arguments


def work(args):
    stored = ascend_om.Stored(args.outputs)
    with open_test_set(args.test_data) as test_set:
        document = scoring.evaluate_stored(stored, test_set, progress=Progress(test_set.count, "images"))
        document["speed"] = stored.speed
        if args.json:
            files.write_json(args.json, document)
        if args.gallery:
            wanted = gallery.spread(min(args.count, test_set.count), test_set.count)
            wanted.update(gallery.extremes(document))
            groups = test_set.groups(stored.batch_size)

            def predicted(rgb, index):
                number = next(number for number, group in enumerate(groups) if index in group)
                place = groups[number].index(index)
                output, mirrored = (part[place : place + 1] for part in stored.outputs(number))
                crop, limits, framing = test_set.crop, test_set.limits, test_set.framing
                return forward.flip_averaged(output, mirrored, rgb.shape[1:3], crop, limits, framing)[0]

            gallery.draw(args.gallery, args.name, test_set, wanted, predicted, stored.describe())
    print("\n".join(documents.lines(document)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("json", "gallery"))


if __name__ == "__main__":
    sys.exit(main())
