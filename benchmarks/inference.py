"""Compare a frozen graph in TensorFlow with the same network in ONNX Runtime and OpenVINO, in alternating rounds.

    .venv/workflow/bin/python benchmarks/inference.py --model_path model.pb --onnx model.onnx

Each engine has a process of its own, with the same processor cores and as many threads as there are cores. They start
one after the other; then, round by round, each runs so many batches while the others wait. tf1 and tf2 are this
project's way to run the frozen file, tf2_as_written TensorFlow on the file's own operations. The figures are the ratios
of images per second, ours by another's, of each round; and each process' peak of resident memory. The outputs must be
equal: what they differ by is printed, relative to the largest value.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time

import numpy as np

from frame import Worker, answer

FOLDER = os.path.dirname(os.path.abspath(__file__))
VENVS = os.path.join(FOLDER, "..", ".venv")
sys.path.insert(0, os.path.join(FOLDER, "..", "workflow", "scripts"))

# The environment of each engine, ours first.
ENGINES = {"tf1": "tf1", "tf2": "tf2", "tf2_as_written": "tf2", "onnxruntime": "tf2", "openvino": "bench"}
OURS = ("tf1", "tf2")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", required=True)
    parser.add_argument("--onnx", required=True)
    parser.add_argument(
        "--engines", nargs="+", choices=sorted(ENGINES), help="default: all whose environments are there"
    )
    parser.add_argument("--bs", type=int, default=1)
    parser.add_argument(
        "--batches", type=int, default=5, help="batches of each in a round, after one that does not count"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--worker", choices=sorted(ENGINES), help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    if args.worker:
        return work(args)
    engines = args.engines or [name for name in ENGINES if os.path.exists(python(name))]
    with tempfile.TemporaryDirectory() as folder:
        workers, facts = {}, {}
        try:
            for name in engines:
                workers[name] = start(name, args, os.path.join(folder, name + ".npy"))
                facts[name] = workers[name].facts
            outputs = {name: np.load(os.path.join(folder, name + ".npy")) for name in engines}
            seconds = {name: [] for name in engines}
            for number in range(args.rounds):
                for name in engines if number % 2 else engines[::-1]:
                    seconds[name].append(statistics.median(workers[name].ask(args.batches)))
                print("  ".join("{} {:.3f} s".format(name, seconds[name][-1]) for name in engines), flush=True)
            peaks = {name: workers[name].ask(0) for name in engines}
        finally:
            for worker in workers.values():
                worker.kill()
    report(args, facts, outputs, seconds, peaks)
    return 0


def python(engine):
    return os.path.join(VENVS, ENGINES[engine], "bin", "python")


def start(engine, args, output):
    """The `Worker` of an engine; it tells seconds of each of so many batches, for none the peak of resident memory in
    MB."""
    words = ["--model_path", args.model_path, "--onnx", args.onnx, "--bs", str(args.bs)]
    command = [python(engine), os.path.abspath(__file__), "--worker", engine, "--output", output, *words]
    return Worker(command, quiet=True)


def report(args, versions, outputs, seconds, peaks):
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    for name, median in medians.items():
        print("{:15s} {:.2f} images/s, peak {:.0f} MB".format(name, args.bs / median, peaks[name]))
    ours = [name for name in OURS if name in seconds]
    ratios = {}
    for mine in ours:
        for other in seconds:
            if other in OURS:
                continue
            apart = float(np.abs(outputs[mine] - outputs[other]).max() / np.abs(outputs[other]).max())
            if not apart < 1e-4:
                raise SystemExit("{} and {} are not one network: {:.3g} apart".format(mine, other, apart))
            found = [b / a for a, b in zip(seconds[mine], seconds[other])]
            ratios["{}/{}".format(mine, other)] = found
            line = "{} / {}: {:.2f} ({:.2f} to {:.2f}) of its images/s; outputs {:.1e} apart"
            print(line.format(mine, other, statistics.median(found), min(found), max(found), apart))
    if args.json:
        with open(args.json, "w") as stream:
            found = {
                "batch_size": args.bs,
                "seconds": seconds,
                "ratios": ratios,
                "peak_mb": peaks,
                "versions": versions,
            }
            json.dump(found, stream, indent=1, sort_keys=True)


def work(args):
    run, version = make(args)
    images = np.random.RandomState(0).uniform(0, 1, (args.bs, 480, 640, 3)).astype(np.float32)
    np.save(args.output, run(images))
    run(images)
    answer(version)
    for line in sys.stdin:
        found = [seconds(run, images) for _ in range(int(line) + 1)][1:] if int(line) else peak()
        answer(found)
    return 0


def seconds(run, images):
    before = time.perf_counter()
    run(images)
    return time.perf_counter() - before


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make(args):
    """(what runs the network on images, the engine's version)."""
    threads = len(os.sched_getaffinity(0))
    if args.worker == "openvino":
        import openvino

        core = openvino.Core()
        model = core.read_model(args.onnx)
        # The batch size is known to it beforehand, which the others need not; full float32 as everywhere.
        model.reshape({model.inputs[0].any_name: [args.bs, 480, 640, 3]})
        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(model, "CPU", hints)
        return lambda images: compiled(images)[0], openvino.__version__
    if args.worker == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(args.onnx, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda images: session.run(None, {name: images})[0], onnxruntime.__version__
    from densedepth.inference import predictors
    from densedepth.tf import tf

    predictor = predictors.load_frozen(args.model_path, as_written=args.worker == "tf2_as_written", images=1000)
    return predictor.run, tf.__version__


if __name__ == "__main__":
    sys.exit(main())
