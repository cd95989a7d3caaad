"""A results folder of a finished pipeline, made up of generated JSON files, and the tables of a report."""

import hashlib
import io
import json
import os
import re

import cli
import numpy
import report as program
from densedepth.evaluation import thumbnails
from densedepth.report import inputs, published_results
from PIL import Image

# The smallest PNG there is: one pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080600000"
    "01f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


RUNTIME = {"runtime": "tf1", "python": "3.7.16", "machine": "x86_64", "tensorflow": "1.15.0", "numpy": "1.21.6"}
PORT = {
    "delta1": 0.848,
    "delta2": 0.9721,
    "delta3": 0.9937,
    "rel_truth": 0.1226,
    "rel_prediction": 0.1265,
    "rms_pooled": 0.5445,
    "rms_image": 0.4632,
    "log10": 0.0536,
}


NYU_H5 = {
    "delta1": 0.8469,
    "delta2": 0.9730,
    "delta3": 0.9938,
    "rel_truth": 0.1235,
    "rel_prediction": 0.1273,
    "rms_pooled": 0.5490,
    "rms_image": 0.4600,
    "log10": 0.0535,
}


CONSTANT = {
    "delta1": 0.31,
    "delta2": 0.59,
    "delta3": 0.79,
    "rel_truth": 0.42,
    "rel_prediction": 0.45,
    "rms_pooled": 1.21,
    "rms_image": 1.1,
    "log10": 0.16,
}


class Results:
    """A results folder with the files of a finished pipeline, and the command line for them."""

    def __init__(self, root, runs=("1p",), epochs=(1, 2, 3), images=48, archive="results/sample/nyu_data.zip"):
        self.root = str(root)
        self.images = images
        self.epochs = epochs
        self.runs = {}
        self.flags = {"evaluation": [], "checkpoint": [], "history": [], "frozen": [], "gallery": []}
        self.baseline = self.write("results/baseline.json", self.evaluation(CONSTANT, {"kind": "constant"}))
        shards = ["nyu_train-0000{}-of-00002.tfrecords".format(i) for i in range(2)]
        self.data = self.write(
            "results/data/nyu_train.json",
            {
                "format": 1,
                "records": 240,
                "shards": shards,
                "shard_records": [120, 120],
                "sha256": {name: digest(name) for name in shards},
                "archive": {"path": archive, "size_bytes": 123456789, "rows": 240, "members_sha256": digest("zip")},
                "runtime": RUNTIME,
            },
        )
        for run in runs:
            self.add_run(run)

    def add_run(self, run):
        folder = "results/{}/".format(run)
        for epoch in self.epochs:
            path = "{}checkpoints/epoch{}".format(folder, epoch)
            weights = digest("{} {}".format(run, epoch))
            side = self.checkpoint(epoch, weights)
            self.add("checkpoint", path + "/model.json", side)
            scores = self.scores(epoch)
            source = {"kind": "checkpoint", "path": path, "epoch": epoch, "global_step": 60 * epoch, "sha256": weights}
            self.add("evaluation", "{}evaluation/epoch{}.json".format(folder, epoch), self.evaluation(scores, source))
            lines = [json.dumps(self.entry(epoch, step)) for step in range(10, 61, 10)]
            self.flags["history"].append(self.write_text(path + "/history.jsonl", "\n".join(lines) + "\n"))
        last = self.epochs[-1]
        source = {"kind": "frozen", "path": folder + "export/model.pb", "epoch": last, "global_step": 60 * last}
        source.update(size=[96, 128], sha256=digest("pb"))
        frozen = self.evaluation({key: value + 4e-9 for key, value in self.scores(last).items()}, source)
        frozen["speed"] = {"batch_size": 1, "images": 96, "images_per_second": 20.0, "ms_per_image": 50.0}
        self.add("frozen", folder + "inference/frozen.json", frozen)
        scenes = []
        for index in range(2):
            self.write_bytes("{}gallery/scene_{}.png".format(folder, index + 1), PNG)
            picture, data = ("scene_{}.{}".format(index + 1, end) for end in ("png", "npz"))
            self.write_scene(folder + "gallery/" + data)
            scenes.append({"picture": picture, "data": data, "index": 7 * index, "rms": 0.4123, "delta1": 0.7})
        self.add("gallery", folder + "gallery/gallery.json", {"format": 1, "run": run, "scenes": scenes})

    @staticmethod
    def scores(epoch):
        worse = 0.05 * abs(epoch - 2)
        return {key: value - worse if key.startswith("delta") else value + worse for key, value in PORT.items()}

    @staticmethod
    def entry(epoch, step):
        done = 60 * (epoch - 1) + step
        loss = {"loss": 60.0 / done, "l1": 90.0 / done, "gradient": 30.0 / done, "ssim": 15.0 / done}
        return dict(loss, epoch=epoch, step=step, global_step=done, steps=10, learning_rate=1e-4 * 0.9 ** (epoch - 1))

    @staticmethod
    def checkpoint(epoch, weights):
        model = {"encoder": "densenet169", "width": "half", "upsampling": "half_pixel", "mid_activation": True}
        speed = {"batch_size": 4, "world_size": 1, "step_ms": 1500.0 + epoch, "images_per_second": 2.66}
        return {
            "format": 1,
            "epoch": epoch,
            "global_step": 60 * epoch,
            "model": model,
            "size": [96, 128],
            "training": {"learning_rate": 1e-4, "batch_size": 4, "seed": 0},
            "weights": None,
            "performance": speed,
            "runtime": RUNTIME,
            "files": {
                "model.ckpt.data-00000-of-00001": weights,
                "model.ckpt.index": digest("index"),
                "checkpoint": "0",
            },
        }

    def evaluation(self, metrics, source):
        return {
            "format": 1,
            "source": source,
            "protocol": {
                "name": "port",
                "crop": [20, 459, 24, 615],
                "flip_average": True,
                "depth_limits_m": [0.1, 10.0],
                "images": self.images,
                "pixels_per_image": 260480,
            },
            "metrics": dict(metrics),
            "per_image": [],
            "speed": None,
            "test_data": {"path": "results/sample/nyu_test.zip", "size_bytes": 5555},
            "runtime": RUNTIME,
        }

    def add(self, flag, name, value):
        self.flags[flag].append(self.write(name, value))

    def add_elsewhere(self, name="nyu", model=None, size=(480, 640), **metrics):
        """The evaluation of a pretrained network; returns its path."""
        source = {"path": "results/published/{}/checkpoints/epoch0".format(name), "epoch": 0, "global_step": 0}
        source.update(kind="checkpoint", model=model or published_results.PAPER_NETWORK, size=size, sha256=digest(name))
        document = self.evaluation(dict(NYU_H5, **metrics), source)
        self.flags.setdefault("published", [])
        self.add("published", "results/published/{}/evaluation/epoch0.json".format(name), document)
        return self.flags["published"][-1]

    def add_external(self, name, alignment="none", **metrics):
        """The evaluation of another program's predictions; returns its path."""
        source = {"kind": "stored", "path": "maps/" + name, "unit": "metres", "matched_by": "name"}
        document = self.evaluation(dict(NYU_H5, **metrics), source)
        document["protocol"] = dict(document["protocol"], alignment=alignment, flip_average=False)
        document["speed"] = None
        self.flags.setdefault("external", [])
        self.add("external", "results/external/{}/evaluation.json".format(name), document)
        return self.flags["external"][-1]

    def add_deployed(self, run, kind, **source):
        """The evaluation of what the frozen graph became for another runtime; returns its path."""
        last = self.epochs[-1]
        source.update(kind=kind, path="results/{}/export/model.{}".format(run, kind), sha256=digest(kind))
        source.update(epoch=last, global_step=60 * last)
        document = self.evaluation(dict(self.scores(last), delta1=0.7654), source)
        if kind == "onnx":
            times = {"p50": 41.04, "p90": 43.5, "p99": 50.0, "max": 60.0}
            document["speed"] = {"batch_size": 1, "images": 96, "images_per_second": 25.0, "ms_per_image": 40.0}
            document["speed"]["batch_ms"] = times
        self.flags.setdefault("deployed", [])
        self.add("deployed", "results/{}/inference/{}.json".format(run, kind), document)
        return self.flags["deployed"][-1]

    def write(self, name, value):
        return self.write_text(name, json.dumps(value))

    def write_text(self, name, text):
        return self.write_bytes(name, text.encode("utf-8"))

    def write_bytes(self, name, content):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(content)
        return path

    def write_scene(self, name):
        truth = numpy.full((6, 8), 2000, numpy.uint16) + numpy.arange(8, dtype=numpy.uint16) * 100
        stream = io.BytesIO()
        rgb = numpy.full((6, 8, 3), 90, numpy.uint8)
        numpy.savez(stream, rgb=rgb, truth=truth, prediction=truth + 250, camera=[7.0, 3.5, 2.5])
        return self.write_bytes(name, stream.getvalue())

    def measure_by_distance(self, count=12):
        """Give every evaluation images and errors by distance, and each run thumbnails of all but the last image."""
        edges = [0.0, 5.0, 10.0]
        by_distance = {"edges_m": edges, "pixels": [30, 10], "bias_m": [-0.1, 0.3], "rms": [0.2, None]}
        images = [
            {"index": i, "rms": 0.1 * (i + 1), "delta1": 0.5, "bias": 0.1 * (i - 3), "rel_truth": 0.1}
            for i in range(count)
        ]
        for path in self.flags["evaluation"] + self.flags["frozen"]:
            self.edit(path, lambda one: one.update(per_image=images, by_distance=by_distance))
        stream = io.BytesIO()
        Image.new("RGB", (16 * 96, 72), "red").save(stream, "JPEG")
        sheets = dict.fromkeys(thumbnails.SHEETS, numpy.frombuffer(stream.getvalue(), numpy.uint8))
        stream = io.BytesIO()
        numpy.savez(stream, indices=numpy.arange(count - 1), size=numpy.array([72, 96]), **sheets)
        self.flags["thumbnails"] = [
            self.write_bytes(path.replace("frozen.json", "thumbnails.npz"), stream.getvalue())
            for path in self.flags["frozen"]
        ]

    def edit(self, path, change):
        """Rewrite a JSON file after `change(content)`."""
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
        change(content)
        self.write(path, content)

    @property
    def out(self):
        return os.path.join(self.root, "results", "report.md")

    @property
    def figures(self):
        return os.path.join(self.root, "results", "report")

    def command(self):
        words = ["--out", self.out, "--figures", self.figures, "--baseline", self.baseline, "--data", self.data]
        settings = {"train": {"size": [96, 128], "seed": 0}, "runs": {"1p": {"devices": 1}, **self.runs}}
        words += ["--settings", self.write("settings.json", settings)]
        for flag, paths in sorted(self.flags.items()):
            if paths:
                words += ["--" + flag] + paths
        return words

    def gather(self):
        args = program.build_parser().parse_args(self.command())
        return inputs.gather(
            *(args.baseline, args.evaluation, args.checkpoint, args.history, args.frozen, args.gallery, args.data),
            **{"weights": args.weights, "settings": cli.text("--settings", args.settings), "speeds": args.performance},
        )

    def make(self):
        assert program.main(self.command()) == 0
        with open(self.out, encoding="utf-8") as stream:
            return stream.read()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def rows_of(text, heading):
    """The rows of all tables in the part under `heading`, as lists of cells."""
    part = re.split(r"^## ", text, flags=re.M)
    lines = next(p for p in part if p.startswith(heading)).splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]


def row_of(text, heading, name):
    found = [row for row in rows_of(text, heading) if row[0].strip("* ").startswith(name)]
    assert len(found) == 1, (name, found)
    return found[0]
