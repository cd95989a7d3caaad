"""Run the benchmarks and write results/bench/<name>.json and the page docs/performance.md.

    .venv/workflow/bin/python benchmarks/bench.py                     all of them, up to 2.5 hours on two idle cores
    .venv/workflow/bin/python benchmarks/bench.py inference dry_run   some
    .venv/workflow/bin/python benchmarks/bench.py --full              with the sizes that take hours

What they need (drawn pictures, a network with random weights, archives, records) is made once, in results/bench/work.
Both sides of a ratio are measured in one run in alternating rounds. `make bench` makes the environments first.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time

import growth
import performance_page
import scaling
import training_step
from frame import (
    FOLDER,
    ROOT,
    SCRIPTS,
    benchmark,
    curve,
    figure,
    followed,
    machine,
    python,
    runtimes,
    scatter,
    table,
    versions,
)

sys.path.insert(0, SCRIPTS)

from densedepth.report import published_results

RESULTS = os.path.join(ROOT, "results", "bench")
WORK = os.path.join(RESULTS, "work")


def made(path, command):
    """The path, made by the command if it is not there."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        followed(command)
    return path


def program(name):
    return os.path.join(FOLDER, name)


def network(size=(480, 640), encoder="densenet169", onnx=False):
    folder = os.path.join(WORK, "{}-{}x{}".format(encoder, *size))
    words = ["--out", folder, "--size", *map(str, size), "--encoder", encoder] + ["--onnx"] * onnx
    command = [python("tf2"), program("make_network.py"), *words]
    made(os.path.join(folder, "model.onnx" if onnx else "model.pb"), command)
    return os.path.join(folder, "model.pb"), os.path.join(folder, "model.onnx")


def archive(pairs):
    """An archive of the form of nyu_data.zip with so many pairs of the size of the true ones."""
    sample = os.path.join(WORK, "sample")
    words = ["--out", sample, "--train_scenes", "24", "--test_scenes", "4"]
    source = os.path.join(sample, "nyu_data.zip")
    made(source, [python("workflow"), os.path.join(SCRIPTS, "make_sample.py"), *words])
    path = os.path.join(WORK, "pairs-{}.zip".format(pairs))
    words = ["--source", source, "--out", path, "--pairs", str(pairs)]
    return made(path, [python("workflow"), program("make_archive.py"), *words])


def conversion(runtime, pairs, out, depth_png="given"):
    words = ["--input_dir", archive(pairs), "--out", out, "--shards", "2", "--workers", "1", "--depth_png", depth_png]
    return [python(runtime), os.path.join(SCRIPTS, "dataset_tool_tf.py"), *words]


def records(pairs, depth_png="given"):
    """The pattern of the record files of so many pairs."""
    name = "records-{}".format(pairs) + ("" if depth_png == "given" else "-" + depth_png)
    out = os.path.join(WORK, name, "x.tfrecords")
    made(out[: -len(".tfrecords")] + ".json", conversion("tf2", pairs, out, depth_png))
    return os.path.join(os.path.dirname(out), "x-*.tfrecords")


def bench_training_step(full):
    """A training step at 480x640 beside tf.keras and PyTorch."""
    figures = []
    for runtime in runtimes():
        for batch in (1, 4):
            for number, sides in enumerate(training_step.sides(runtime)):
                words = ["--sides", *sides, "--bs", batch, "--rounds", 5 if full else 3, "--steps", 2]
                found = benchmark(runtime, "training_step.py", *words, out=raw("training_step", runtime, batch, number))
                figures += training_step.figures(runtime, batch, found["seconds"], found["peak_mb"])
    return figures, []


# Of inference: by whose images/s, and what is wanted.
OTHERS = {
    "onnxruntime": ("ONNX Runtime", {"tf1": 1.1, "tf2": 1.4}),
    "openvino": ("OpenVINO", {"tf1": 1.0, "tf2": 1.25}),
}


def bench_inference(full):
    """The frozen graph at 480x640 beside ONNX Runtime and OpenVINO."""
    graph, onnx = network(onnx=True)
    figures = []
    rounds = 10 if full else 5
    speed = {}
    for batch in (1, 2, 4, 8) if full else (1, 8):
        words = ["--model_path", graph, "--onnx", onnx, "--bs", batch, "--rounds", rounds]
        words += ["--batches", max(2, 8 // batch)]
        found = benchmark("workflow", "inference.py", *words, out=raw("inference", batch))
        for name, ratios in found["ratios"].items():
            mine, other = name.split("/")
            if other == "tf2_as_written":
                continue
            title, targets = OTHERS[other]
            what = "inference 480x640, batch {}: images/s by those of {}".format(batch, title)
            figures.append(figure(what, mine, ratios, targets[mine]))
        if batch == 1:
            what = "inference 480x640, batch 1: peak memory"
            peaks = {name: peak for name, peak in found["peak_mb"].items() if name in runtimes()}
            figures += [figure(what, name, peak, 1000, "MB", least=False) for name, peak in peaks.items()]
        for name, seconds in found["seconds"].items():
            middle = sorted(seconds)[len(seconds) // 2]
            speed.setdefault(name, []).append([batch, middle, found["peak_mb"][name]])
    return figures, [curve("Inference at 480x640: a batch", "images in a batch", speed)]


# Published delta1 on NYU Depth v2, and by which convention: unlike ones cannot be compared.
CONVENTIONS = {
    "DenseDepth": "metric depth, trained on NYU",
    "Depth Anything V2 Small": "metric depth, fine-tuned on NYU",
    "YOLO26": "each prediction scaled by its median",
}


def published(name):
    """(convention, delta1 as it is printed) of a network."""
    rows = [row for group in published_results.GROUPS for row in group.rows]
    known = {"DenseDepth": published_results.PAPER.name, "Depth Anything V2 Small": "Depth Anything V2 ViT-S"}
    start = known.get(name, name)
    row = next(row for row in [published_results.PAPER, *rows] if row.name.startswith(start))
    return next(text for key, text in CONVENTIONS.items() if name.startswith(key)), row.scores["delta1"]


def bench_peers(full):
    """One image in ONNX Runtime: DenseDepth beside networks of 2024 and 2026."""
    folder = os.path.join(WORK, "peers")
    facts = made(os.path.join(folder, "peers.json"), [python("agree"), program("make_peers.py"), "--out", folder])
    with open(facts) as stream:
        networks = json.load(stream)
    files = {one["name"]: os.path.join(folder, one["file"]) for one in networks if "file" in one}
    files["DenseDepth"] = network(onnx=True)[1]
    words = ["--networks", *map("=".join, files.items()), "--rounds", 8 if full else 4]
    seconds = benchmark("tf2", "peers.py", *words, out=raw("peers"))["seconds"]
    figures, rows, points = [], [], {}
    for one in networks:
        name, gflop = one["name"], one["flop"] / 1e9
        convention, delta1 = published(name)
        points.setdefault(convention, []).append([name, gflop, float(delta1)])
        ratios = [ours / theirs for ours, theirs in zip(seconds["DenseDepth"], seconds[name])]
        if name != "DenseDepth":
            what = "{}: images/s by those of DenseDepth, both in ONNX Runtime".format(name)
            figures.append(figure(what, "tf2", ratios, None))
        size = "{}x{}".format(*one["size"])
        counts = ["{:.1f}".format(one["parameters"] / 1e6), "{:.1f}".format(gflop)]
        rows.append([name, size, *counts, "{:.1f}".format(1 / statistics.median(seconds[name])), delta1, convention])
    head = (
        "network",
        "image",
        "parameters, M",
        "GFLOP an image",
        "images/s",
        "published delta1, NYU Depth v2",
        "how it was measured",
    )
    title = "What an image costs, and published accuracy: colours are conventions, which are not comparable"
    return figures, [table(head, rows), scatter(title, "GFLOP an image of 480x640", "delta1", points)]


def roomy(count):
    """The RAM disk, where it has room for so many bytes: what is measured is the program, not the disk."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage("/dev/shm").free > count:
            return "/dev/shm"
    return WORK


def bench_conversion(full):
    """From the archive to TFRecords."""
    figures, points = [], {}
    pairs = 50688
    for runtime in runtimes():
        source = archive(pairs)
        with tempfile.TemporaryDirectory(dir=roomy(2 * os.path.getsize(source))) as folder:
            words = ["--archive", source, "--out", os.path.join(folder, "x.tfrecords"), "--rounds", 5 if full else 3]
            found = benchmark(runtime, "conversion_memory.py", *words, out=raw("conversion", runtime))
        what = "conversion of {:,} pairs: ".format(pairs)
        above = found["largest_above_import_mb"]
        figures += [
            figure(what + "peak of a process above its imports", runtime, above, 150, "MB", least=False),
            figure(what + "speed of 2 workers by that of 1", runtime, found["several_to_one"], 1.7),
            figure(what + "speed by that of reading the members", runtime, found["one_to_reading"], 0.5),
        ]
        for count in (10, 100, 1000, 10000, pairs):
            out = os.path.join(WORK, "curve", "{}-{}.tfrecords".format(runtime, count))
            remove(os.path.dirname(out))
            seconds, memory = followed(conversion(runtime, count, out))
            points.setdefault(runtime, []).append([count, seconds, memory])
            remove(os.path.dirname(out))
    return figures, [curve("Conversion by one worker, with the start of the program", "pairs", points)]


def bench_pair_reading(full):
    """Pairs in HDF5 files and tar archives, beside h5py and tarfile alone."""
    figures, source = [], os.path.join(WORK, "sample", "nyu_data.zip")
    archive(1000)
    for runtime in runtimes():
        words = ["--source", source, "--pairs", 1000 if full else 200, "--rounds", 3]
        found = benchmark(runtime, "pair_reading.py", *words, out=raw("pair_reading", runtime))
        for kind, alone in (("folder", "h5py"), ("tar", "tarfile and h5py")):
            what = "pairs in HDF5, {}: speed by that of {} alone".format(kind, alone)
            figures.append(figure(what, runtime, found[kind + "_to_alone"], 0.8))
    return figures, []


def bench_input_pipeline(full):
    """From records to batches, beside a plain pipeline of the port's kind."""
    figures, points = [], {}
    common = "images/s of a core by those of the port's"
    names = {"ours": "input pipeline: " + common, "ours_unfiltered": "the same with `data.depth_png: unfiltered`"}
    names["port_unfiltered"] = "the port's pipeline reading these records: " + common
    for runtime in runtimes():
        words = ["--records", records(1000), "--unfiltered", records(1000, "unfiltered")]
        words += ["--rounds", 8 if full else 4, "--steps", 15]
        found = benchmark(runtime, "input_pipeline.py", *words, out=raw("input_pipeline", runtime))
        for name, what in names.items():
            figures.append(figure(what, runtime, found["ratios"][name], 2.0 if name.startswith("ours") else None))
        for count in (10, 100, 1000, 10000):
            words = ["--alone", "ours", "--rounds", 2, "--steps", 10, "--records", records(count)]
            one = benchmark(runtime, "input_pipeline.py", *words, out=raw("input_pipeline", runtime, count))["ours"]
            points.setdefault(runtime, []).append([count, 1 / one["images_per_core_second"], one["peak_mb"]])
        what = "input pipeline: peak memory with a full shuffle of 10,000 records"
        figures.append(figure(what, runtime, points[runtime][-1][2], 1000, "MB", least=False))
    sizes = found["bytes"]
    figures.append(figure("records: bytes of a pair", "tf2", sizes["given"] / 1e3, None, "kB"))
    more = sizes["unfiltered"] / sizes["given"]
    figures.append(figure("the same with `unfiltered`, by this", "tf2", more, 1.5, least=False))
    return figures, [curve("Input: processor time of an image, full shuffle", "records", points)]


def bench_evaluation(full):
    """Evaluating images of 480x640."""
    figures, points = [], {}
    images = 654 if full else 24
    for runtime in runtimes():
        words = ["--model_path", network()[0], "--images", images]
        found = benchmark(runtime, "evaluation.py", *words, out=raw("evaluation", runtime))
        what = "evaluation of {} images of 480x640: ".format(images)
        figures += [
            figure(what + "time by the network's own", runtime, found["ratio"], 1.15, least=False),
            figure(what + "peak memory", runtime, found["peak_memory_bytes"] / 1e6, 2000, "MB", least=False),
        ]
        found = benchmark(runtime, "evaluation.py", *words, "--metrics", "all", out=raw("evaluation", runtime, "all"))
        what += "with all metrics: "
        figures += [
            figure(what + "time by the network's own", runtime, found["ratio"], 2, least=False),
            figure(what + "peak memory", runtime, found["peak_memory_bytes"] / 1e6, 2000, "MB", least=False),
        ]
        small = network((96, 128), "densenet121")[0]
        for count in (10, 100, 1000, 10000) if full else (10, 100, 1000):
            words = ["--model_path", small, "--images", count]
            one = benchmark(runtime, "evaluation.py", *words, out=raw("evaluation", runtime, count))
            points.setdefault(runtime, []).append([count, one["seconds"], one["peak_memory_bytes"] / 1e6])
    return figures, [curve("Evaluation with a network of 96x128, images of 480x640", "images", points)]


def bench_scoring(full):
    """Scoring depth maps beside euler-eval and Ultralytics, which `make agreement` installs."""
    found = benchmark("agree", "scoring.py", "--images", 100 if full else 12, out=raw("scoring", "agree"))
    figures = []
    for other in ("euler-eval", "Ultralytics"):
        for side, words in (("usual", "usual metrics"), ("like " + other, "with all that it measures")):
            ratios = [theirs / own for theirs, own in zip(found["ms"][other], found["ms"][side])]
            figures.append(figure("scoring 480x640, {}: speed by that of {}".format(words, other), "agree", ratios, 5))
    what = "scoring 480x640, all metrics: milliseconds of one thread an image"
    return [*figures, figure(what, "agree", found["ms"]["all"], 500, "ms", least=False)], []


def bench_scaling(full):
    """Two processes of one thread beside one of one thread, and small steps of more."""
    figures, points = [], {}
    for runtime in runtimes():
        words = ["--records", records(1000), "--rounds", 4 if full else 2, "--sides", "apart"]
        # Three of them warm up.
        steps = ["--steps", 12 if full else 8]
        large = benchmark(runtime, "scaling.py", *words, *steps, out=raw("scaling", runtime))
        words += ["whole", "--size", 96, 128, "--encoder", "densenet121", "--steps", 20, "--processes", 1, 2, 4, 8]
        small = benchmark(runtime, "scaling.py", *words, out=raw("scaling", runtime, "small"))
        figures += scaling.figures(runtime, large["ratios"], small["ratios"])
        points[runtime] = scaling.points(small["rounds"])
    return figures, [curve("A step of 4 images of 96x128 in each process, on 2 cores", "processes", points)]


def bench_dry_run(full):
    """Snakemake with nothing to do."""
    found = benchmark("workflow", "dry_run.py", fresh("dry"), "--rounds", 5, out=raw("dry_run"))
    dry = found["seconds"]["nothing to do"]
    figures = [figure("`snakemake -n all` for NYU, nothing to do", "workflow", dry, 3.0, "s", least=False)]
    points = []
    for epochs in (10, 30, 100, 1000) if full else (10, 30, 100):
        overlay = os.path.join(WORK, "epochs-{}.yaml".format(epochs))
        with open(os.path.join(ROOT, "config", "nyu.yaml")) as stream:
            lines = stream.read().replace("  epochs: 20\n", "  epochs: {}\n".format(epochs)).splitlines()
        kept = "  keep_epochs: {}".format(list(range(1, epochs + 1)))
        lines = [kept if line.startswith("  keep_epochs:") else line for line in lines]
        os.makedirs(WORK, exist_ok=True)
        with open(overlay, "w") as stream:
            stream.write("\n".join(lines) + "\n")
        words = ["--configfile", overlay, "--rounds", 2]
        one = benchmark("workflow", "dry_run.py", fresh("dry"), *words, out=raw("dry_run", epochs))
        points.append([epochs, sorted(one["seconds"]["nothing to do"])[0], one["peak_mb"]])
    return figures, [curve("`snakemake -n all`, nothing to do", "kept epochs", {"workflow": points})]


def bench_growth(full):
    """What more images, records, epochs and devices cost."""
    checkpoint = os.path.join(os.path.dirname(network((32, 64), "densenet121")[0]), "checkpoint")
    figures, points = [], {}
    for kind, counts in growth.COUNTS.items():
        for runtime in runtimes() if kind in ("images", "records") else ["workflow"]:
            words = [kind, "--counts", *counts[not full], "--runtime", runtime, "--checkpoint", checkpoint]
            found = benchmark("workflow", "growth.py", *words, out=raw("growth", kind, runtime))
            for part, line in found.items():
                points.setdefault(kind, {})["{}, {}".format(part, runtime)] = line
                figures += growth.figures(kind, part, runtime, line)
    return figures, [curve("Growth with the {}".format(kind), kind, lines) for kind, lines in points.items()]


def fresh(name):
    path = os.path.join(WORK, name)
    remove(path)
    return path


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def raw(*words):
    return os.path.join(WORK, "-".join(map(str, words)) + ".json")


BENCHMARKS = {name[len("bench_") :]: code for name, code in list(globals().items()) if name.startswith("bench_")}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--full", action="store_true")
    args = parser.parse_args(argv)
    unknown = set(args.names) - set(BENCHMARKS)
    if unknown:
        parser.error("no benchmark {}; there are {}".format(sorted(unknown)[0], ", ".join(BENCHMARKS)))
    os.makedirs(WORK, exist_ok=True)
    described = {"machine": machine(), "versions": versions()}
    for name in args.names or BENCHMARKS:
        begin = time.perf_counter()
        figures, curves = BENCHMARKS[name](args.full)
        found = dict(described, figures=figures, curves=curves, full=args.full, seconds=time.perf_counter() - begin)
        with open(os.path.join(RESULTS, name + ".json"), "w") as stream:
            json.dump(found, stream, indent=1, sort_keys=True)
            stream.write("\n")
        for row in figures:
            print(performance_page.line(row))
        performance_page.write(RESULTS, os.path.join(ROOT, "docs", "performance.md"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
