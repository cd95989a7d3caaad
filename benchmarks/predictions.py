"""Compare predict.py on a folder of images with the network's own rate on the same images, in alternating rounds.

    .venv/workflow/bin/python benchmarks/predictions.py --model_path model.pb --write npy panel

Both run in one process, round by round, after a batch that does not count: the whole prediction of the images into an
empty folder, and the network alone on batches that are in memory. The figures are images a second, and their ratio, in
wall time and in processor time of all threads.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "workflow", "scripts"))


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", required=True)
    parser.add_argument("--write", nargs="+", default=["npy", "panel"])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--bs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="without the mirrored images: half of the network's time")
    parser.add_argument("--runtime", default="tf2", help="environment below .venv")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    if args.worker:
        work(args)
        return 0
    python = os.path.join(FOLDER, "..", ".venv", args.runtime, "bin", "python")
    return subprocess.call([python, os.path.abspath(__file__), *(argv or sys.argv[1:]), "--worker"])


def write_images(folder, args):
    """JPEG files of smooth rooms of colours with a little noise, as a camera's are; returns the paths."""
    import numpy as np
    from PIL import Image

    height, width = args.size
    random = np.random.RandomState(0)
    paths = []
    for number in range(args.images):
        coarse = Image.fromarray(random.randint(0, 256, (8, 10, 3)).astype(np.uint8))
        rgb = np.asarray(coarse.resize((width, height), Image.BICUBIC), np.float32)
        rgb = (rgb + random.normal(0, 3, rgb.shape)).clip(0, 255).astype(np.uint8)
        paths.append(os.path.join(folder, "{:04d}.jpg".format(number)))
        Image.fromarray(rgb).save(paths[-1], quality=92)
    return paths


def work(args):
    import numpy as np
    from densedepth.inference import forward, networks, predictions
    from PIL import Image

    clocks = {"wall": time.perf_counter, "processor": time.process_time}
    seconds = {clock: {"predictions": [], "network": []} for clock in clocks}
    with tempfile.TemporaryDirectory() as folder, networks.load(args.model_path) as network:
        paths = write_images(folder, args)
        limits = network.depth_range()
        size = forward.input_size(network, None)
        batch_size = network.batch or args.bs
        options = predictions.Options(batch_size, args.write, not args.plain, None, None, 500000, limits, None)
        images = [np.asarray(Image.open(path).resize(size[::-1]), np.float32) / 255 for path in paths[:batch_size]]
        batch = np.stack(images)
        for number in range(args.rounds + 1):
            some = paths if number else paths[:batch_size]
            for name in ("predictions", "network") if number % 2 else ("network", "predictions"):
                out = os.path.join(folder, "out")
                shutil.rmtree(out, ignore_errors=True)
                before = {clock: now() for clock, now in clocks.items()}
                if name == "network":
                    for _ in range(-(-len(some) // batch_size)):
                        forward.metres(network, batch, batch_size, limits, not args.plain)
                else:
                    predictions.predict(network, some, out, options)
                for clock, now in clocks.items():
                    if number:
                        seconds[clock][name].append(now() - before[clock])
    report(args, seconds)


def report(args, seconds):
    rates, ratios = {}, {}
    for clock, found in seconds.items():
        rates[clock] = {name: [args.images / taken for taken in times] for name, times in found.items()}
        ratios[clock] = [ours / alone for ours, alone in zip(*rates[clock].values())]
        for name, rate in rates[clock].items():
            told = " ".join("{:.2f}".format(one) for one in rate)
            print("{}: {} images per second of {} time".format(name, told, clock))
        told = " ".join("{:.3f}".format(ratio) for ratio in ratios[clock])
        words = "predict.py has {:.3f} of the network's own rate in {} time ({})"
        print(words.format(statistics.median(ratios[clock]), clock, told), flush=True)
    facts = {"images_per_second": rates, "ratio": ratios, "write": args.write, "images": args.images}
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(facts, stream, indent=2)


if __name__ == "__main__":
    sys.exit(main())
