"""How time and memory grow with the number of evaluated images, of records, of kept epochs and of devices.

    .venv/workflow/bin/python benchmarks/growth.py images --counts 100 1000 10000 --runtime tf2 \\
        --checkpoint results/bench/work/densenet121-32x64/checkpoint
    .venv/workflow/bin/python benchmarks/growth.py records --counts 1000 10000 100000 --runtime tf1
    .venv/workflow/bin/python benchmarks/growth.py epochs --counts 10 100 1000
    .venv/workflow/bin/python benchmarks/growth.py devices --counts 1 8 64

Every figure is that of a program in a process of its own, from its start to its end: processor seconds, which other
work on the machine changes less than the clock's, and its largest resident memory:

evaluation      evaluate.py on random images of 96x128
intervals       the bootstrap intervals of all its figures, which the report gives
conversion      dataset_tool_tf.py on as many random pairs of 64x96, by one worker
order           an index of the records, its identity, and the order of the samples of two passes over them
input           batches of four records, 400 images: how it is set up, since they are no more for more records
plan            `snakemake -n all` where nothing is made yet, of the recipe for NYU with so many kept epochs, or with a
                run of so many devices, 8 on each machine

Counts go from few to many. What a program takes besides, its imports for example, is in the first of them.
"""

import argparse
import io
import json
import os
import resource
import shutil
import sys
import tempfile
import zipfile

import numpy as np

from dry_run import PARTS, REPOSITORY
from frame import FOLDER, SCRIPTS, figure, followed, python

sys.path.insert(0, SCRIPTS)

from densedepth.data import order, records, test_archive_writer, train_archive
from densedepth.evaluation import documents, statistics
from PIL import Image

# Of each kind: all sizes, and reduced ones.
COUNTS = {
    "images": ((100, 1000, 10000), (50, 200, 800)),
    "records": ((1000, 10000, 100000), (500, 2000, 8000)),
    "epochs": ((10, 100, 1000), (10, 100, 400)),
    "devices": ((1, 8, 64), (1, 8, 64)),
}

SIZE, CROP = (96, 128), (4, 91, 5, 122)
PAIR = (64, 96)
SHARDS = 4
# Different images, of which all others are copies.
DRAWN = 64


def build_parser():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("kind", choices=[*KINDS, *PARTS_OF])
    arguments.add_argument("path", nargs="?", help=argparse.SUPPRESS)
    arguments.add_argument("--counts", type=int, nargs="+")
    arguments.add_argument("--runtime", default="tf2", help="of the programs that need one")
    arguments.add_argument("--checkpoint", help="of the network that is evaluated")
    arguments.add_argument("--json", help="file for the figures: {part: [[count, seconds, MB], ...]}")
    return arguments


def main():
    args = build_parser().parse_args()
    if args.kind in PARTS_OF:
        return PARTS_OF[args.kind](args.path)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in args.counts:
            for part, (seconds, memory) in KINDS[args.kind](args, count, os.path.join(folder, str(count))).items():
                found.setdefault(part, []).append([count, seconds, memory])
                print("{:,} {}, {}: {:.2f} s, {:.0f} MB".format(count, args.kind, part, seconds, memory), flush=True)
            shutil.rmtree(os.path.join(folder, str(count)))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(found, stream, indent=1, sort_keys=True)
    return 0


def cost(command, cwd=REPOSITORY):
    """(processor seconds, largest resident size in MB) of a command and what it starts."""
    before = processor()
    _, memory = followed(command, cwd)
    return processor() - before, memory


def processor():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def images(args, count, folder):
    """{part: (seconds, MB)} of evaluating so many images; `folder` is made here, as by the others."""
    os.makedirs(folder)
    path, result = os.path.join(folder, "test.zip"), os.path.join(folder, "evaluation.json")
    random = np.random.RandomState(0)
    drawn = [(random.randint(0, 256, (*SIZE, 3)), random.uniform(0.5, 9.5, SIZE)) for _ in range(min(DRAWN, count))]
    pairs = ((rgb.astype(np.uint8), depth) for rgb, depth in (drawn[i % len(drawn)] for i in range(count)))
    test_archive_writer.write(path, pairs, count, SIZE, CROP)
    words = ["--ckptdir", args.checkpoint, "--test_data", path, "--logdir", folder, "--bs", "4"]
    words += ["--json", result, "--csv", os.path.join(folder, "evaluation.csv")]
    evaluation = cost([python(args.runtime), os.path.join(SCRIPTS, "evaluate.py"), *words])
    return {"evaluation": evaluation, "intervals": cost(own(sys.executable, "intervals", result))}


def own(run, part, path):
    """The command that runs a part of this program by itself, with the interpreter `run`."""
    return [run, os.path.abspath(__file__), part, path]


def intervals(path):
    with open(path) as stream:
        for block in documents.blocks(json.load(stream)).values():
            statistics.intervals(block)


def pairs(args, count, folder):
    """{part: (seconds, MB)} of making and reading so many records."""
    os.makedirs(folder)
    source, archive = os.path.join(folder, "drawn.zip"), os.path.join(folder, "pairs.zip")
    draw(source)
    words = ["--source", source, "--out", archive, "--pairs", str(count), "--stored"]
    followed([sys.executable, os.path.join(FOLDER, "make_archive.py"), *words])
    out = os.path.join(folder, "x.tfrecords")
    words = ["--input_dir", archive, "--out", out, "--shards", str(SHARDS), "--workers", "1"]
    run = python(args.runtime)
    conversion = cost([run, os.path.join(SCRIPTS, "dataset_tool_tf.py"), *words])
    words = ["--alone", "ours", "--rounds", "4", "--steps", "20", "--size", *map(str, PAIR), "--records", out]
    read = cost([run, os.path.join(FOLDER, "input_pipeline.py"), *words])
    return {"conversion": conversion, "order": cost(own(run, "order", out)), "input": read}


def draw(path):
    """An archive of the form of nyu_data.zip with a few small pairs."""
    random = np.random.RandomState(0)
    with zipfile.ZipFile(path, "w") as archive:
        names = ["data/nyu2_train/drawn_out/{}".format(number) for number in range(DRAWN)]
        for name in names:
            for suffix, kind, shape in ((".jpg", "JPEG", (*PAIR, 3)), (".png", "PNG", PAIR)):
                stream = io.BytesIO()
                coarse = random.randint(1, 256, (shape[0] // 8, shape[1] // 8, *shape[2:])).astype(np.uint8)
                Image.fromarray(coarse.repeat(8, 0).repeat(8, 1)).save(stream, kind)
                archive.writestr(name + suffix, stream.getvalue())
        archive.writestr(train_archive.TRAIN_CSV, "".join("{0}.jpg,{0}.png\n".format(name) for name in names))


def samples(path):
    with records.RecordIndex(records.expand([path])) as index:
        index.identity()
        drawn = order.Order(len(index), 4, 0, 0.5, 0.5)
        for step in range(2 * len(index) // 4):
            drawn.batch(step)


def epochs(args, count, folder):
    """{part: (seconds, MB)} of planning so many kept epochs."""
    lines = {"epochs": count, "keep_epochs": list(range(1, count + 1))}
    return {"plan": planned(folder, {"train": lines})}


def devices(args, count, folder):
    """{part: (seconds, MB)} of planning a run of so many devices."""
    return {"plan": planned(folder, {"devices_per_node": 8, "runs": {"1p": {"devices": count}}})}


def planned(folder, changes):
    """(seconds, MB) of `snakemake -n all` in a copy of the workflow, for NYU with these settings changed."""
    os.makedirs(folder)
    for name in PARTS:
        source, target = os.path.join(REPOSITORY, name), os.path.join(folder, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
    with open(os.path.join(folder, "changes.json"), "w") as stream:
        json.dump(changes, stream)
    words = ["-n", "all", "--quiet", "all", "--configfile", "config/nyu.yaml", "changes.json"]
    return cost([sys.executable, "-m", "snakemake", *words], cwd=folder)


def figures(kind, part, runtime, points):
    """Rows for the table of points (count, seconds, MB) of three counts.

    What one more costs beyond the second count, by what it costs up to there, is 1 where nothing grows faster than the
    count. Of devices and of the input, where the same is done for any count, it is the time of all that counts; of the
    order, that too, since the start of the program is most of it.
    """
    (first, short, _), (second, middle, before), (last, long, memory) = points
    what = "{}, {:,} {}: ".format(part, last, kind)
    if part in ("input", "order") or kind == "devices":
        most = None if part == "order" else 1.2
        rows = [figure(what + "seconds by those of {:,}".format(first), runtime, long / short, most, least=False)]
    else:
        ratio = (long - middle) / (last - second) * (second - first) / (middle - short)
        rows = [
            figure(what + "seconds of one more by those before {:,}".format(second), runtime, ratio, 1.2, least=False)
        ]
    # A plan holds all of its jobs.
    most = None if kind == "epochs" else 1.2
    return [
        *rows,
        figure("the same: peak memory by that of {:,}".format(second), runtime, memory / before, most, least=False),
    ]


KINDS = {"images": images, "records": pairs, "epochs": epochs, "devices": devices}
# Each in a process of its own.
PARTS_OF = {"intervals": intervals, "order": samples}


if __name__ == "__main__":
    sys.exit(main())
