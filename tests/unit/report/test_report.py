"""The report from generated JSON files: complete, honest about comparability, the same bytes every time."""

import hashlib
import io
import json
import os
import re

import numpy
import pytest
import report as program
from densedepth.errors import PipelineError
from densedepth.evaluation.metric_table import METRICS
from densedepth.report import comparison, curves, inputs, page, published_results, render, sections
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
        numpy.savez(stream, rgb=numpy.full((6, 8, 3), 90, numpy.uint8), truth=truth, prediction=truth + 250)
        return self.write_bytes(name, stream.getvalue())

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
            **{"weights": args.weights, "settings": program._text(args.settings), "speeds": args.performance},
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


@pytest.fixture
def sample(tmp_path):
    return Results(tmp_path)


@pytest.fixture
def nyu(tmp_path):
    return Results(tmp_path, runs=("8p", "1p"), images=654, archive="dataset/nyu_data.zip")


def test_precision_table_has_every_row_under_its_convention(nyu):
    text = nyu.make()
    header = rows_of(text, "Precision")[0]
    assert [cell.rstrip("\N{NO-BREAK SPACE}↑↓") for cell in header[1:]] == [metric.title for metric in METRICS]
    assert row_of(text, "Precision", "paper [1]")[1:] == [
        "0.846",
        "0.974",
        "0.994",
        "0.123",
        "-",
        "-",
        "0.465",
        "0.053",
    ]
    gpu = ["0.8480", "0.9721", "0.9937", "-", "0.1265", "0.5445", "-", "0.0536"]
    assert row_of(text, "Precision", "reference port, GPU")[1:] == gpu
    ascend = ["0.8465", "0.9699", "0.9926", "-", "0.1273", "0.5595", "-", "0.0539"]
    assert row_of(text, "Precision", "reference port, Ascend 910")[1:] == ascend
    assert row_of(text, "Precision", "nyu.h5")[4:8] == ["0.1234", "0.1274", "0.5485", "-"]
    assert row_of(text, "Precision", "constant median depth")[1] == "0.3100"
    assert row_of(text, "Precision", "1p, epoch 1")[1] == "0.7980"
    assert row_of(text, "Precision", "1p, frozen graph of epoch 3")[1] == "0.7980"


def test_everything_shows_the_last_checkpoint_and_the_best_is_said_to_be_chosen_on_the_test_images(sample):
    text = sample.make()
    marked = [row for row in rows_of(text, "Precision") if row[0].startswith("**")]
    assert [row[0] for row in marked] == ["**1p, epoch 3 (last)**"]
    assert all(cell.startswith("**") for cell in marked[0])
    words = "**Run 1p, last checkpoint (epoch 3): δ1 0.7980 against 0.3100 of one constant depth**"
    assert words in text.split("## Precision")[0] and "est checkpoint" not in text.replace(words, "")
    assert "The highest δ1 is that of 1p, epoch 2. It was chosen on the test images" in text
    assert "### Run 1p, the frozen graph of epoch 3" in text and "after each kept epoch; the last is epoch 3." in text


def test_the_last_lines_are_the_figures_and_the_page(sample, capsys):
    sample.make()
    lines = capsys.readouterr().out.split("\n\n")[-1].splitlines()
    assert lines == [
        "run 1p epoch 3 (last): delta1 0.798, AbsRel 0.173, RMSE 0.59 m",
        "run 1p epoch 2 (best, chosen on the test images): delta1 0.848, AbsRel 0.123, RMSE 0.54 m",
        "report: " + sample.out,
    ]


@pytest.mark.curves
def test_all_links_are_relative_and_lead_to_pictures(sample):
    text = sample.make()
    links = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    expected = ["report/loss_1p.png", "report/metrics_1p.png", "1p/gallery/scene_1.png", "1p/gallery/scene_2.png"]
    assert links == expected
    for link in links:
        with open(os.path.join(os.path.dirname(sample.out), link), "rb") as stream:
            assert stream.read(8) == PNG[:8]
    assert "Test image 7: RMSE 0.412 m, δ1 0.700" in text


@pytest.mark.curves
def test_equal_inputs_in_any_order_give_equal_bytes(tmp_path):
    results = Results(tmp_path, runs=("2p", "10p"))

    def contents():
        names = [os.path.join(results.figures, name) for name in sorted(os.listdir(results.figures))] + [results.out]
        found = {}
        for name in names:
            with open(name, "rb") as stream:
                found[name] = stream.read()
        return found

    results.make()
    first = contents()
    for paths in results.flags.values():
        paths.reverse()
    results.make()
    assert contents() == first
    assert len(first) == 5
    assert all(b"Software" not in content for content in first.values())
    names = [row[0].split(",")[0] for row in rows_of(first[results.out].decode("utf-8"), "Precision")]
    assert names.index("**2p") < names.index("10p")


def test_sample_is_declared_not_comparable_and_judged_by_the_constant_depth(sample):
    text = sample.make()
    assert "**not comparable** with the published figures" in text
    assert row_of(text, "Verdicts", "1p, epoch 3 (last)")[1:] == ["+0.4880", "at least 0.15", "passed"]
    assert "reproduced" not in " ".join(" ".join(row) for row in rows_of(text, "Verdicts"))
    assert row_of(text, "Verdicts", "1p: frozen graph")[1:] == ["4.0e-09", "at most 1e-06", "passed"]


def test_a_folded_graph_may_differ_by_rounding(sample):
    def frozen(folded, apart):
        def change(content):
            content["source"]["folded"] = folded
            content["metrics"]["delta1"] = sample.scores(3)["delta1"] + apart

        sample.edit(sample.flags["frozen"][0], change)
        assert program.main(sample.command()) == 0
        with open(sample.out, encoding="utf-8") as stream:
            (line,) = [line for line in stream if "frozen graph against its checkpoint" in line]
        return line

    assert "at most 1e-04 (folded) | passed" in frozen(True, 5e-5)
    assert "at most 1e-04 (folded) | not passed" in frozen(True, 2e-4)
    assert "at most 1e-06 | not passed" in frozen(False, 5e-5)


@pytest.mark.curves
def test_the_page_in_one_file_says_the_same(sample):
    page = os.path.join(sample.root, "results", "report.html")
    assert program.main(sample.command() + ["--html", page]) == 0
    with open(page, encoding="utf-8") as stream:
        text = stream.read()
    for heading in ("Precision", "Verdicts", "Published results", "Curves", "Gallery", "Settings"):
        place = heading.lower().replace(" ", "-")
        assert '<h2 id="{}">{}</h2>'.format(place, heading) in text and '<a href="#{}">'.format(place) in text
    assert text.count('class="scene"') == 2 and text.count('src="data:image/png') == 2
    # Nothing comes from elsewhere; links to sources are only links.
    assert not re.search(r'(src|href)="(?!data:|https://|#)', text) and 'src="http' not in text
    assert "<script src" not in text and "@import" not in text and text.count('<tr class="best">') == 1


def test_other_images_stand_in_no_table_with_published_figures(sample):
    for path in sample.flags["evaluation"]:
        sample.edit(path, lambda e: e.update(protocols={"bts": {"metrics": dict(PORT, delta1=0.8777)}}))
    text = sample.make()
    names = [row[0].strip("*") for row in rows_of(text, "Precision")]
    assert "constant median depth" in names and "1p, epoch 3 (last)" in names
    assert not [name for name in names if name.startswith(("paper", "nyu.h5", "reference port"))]
    assert ["1p, epoch 3", "`bts`", "0.8777"] in [row[:3] for row in rows_of(text, "Precision")]
    places = [row[0] for row in rows_of(text, "Published results")]
    # Behind a title to click on: these figures are of other images.
    assert "<details><summary>Figures for NYU Depth v2" in text.split("## Published results")[1].split("### ")[0]
    assert text.count("<details>") == text.count("</details>")
    assert "VPD 2023" in places and not [name for name in places if "epoch" in name]
    assert "Why RMSE 0.465 and 0.5445 are not one measure" in text


def test_a_network_trained_elsewhere_has_a_row_and_a_place(nyu):
    path = nyu.add_elsewhere()
    text = nyu.make()
    assert ["nyu (pretrained)", "0.8469", "0.9730"] in [row[:3] for row in rows_of(text, "Precision")]
    form = ["nyu (pretrained)", "densenet169, full, align_corners, no mid activation", "480x640"]
    assert form in [row[:3] for row in rows_of(text, "# DenseDepth")]
    assert "| **nyu (pretrained)** | **0.8469** |" in text.split("## Among published results")[1]
    assert "evaluation of nyu (pretrained)" in text
    assert [digest("nyu") in cell for row in rows_of(text, "Inputs") for cell in row].count(True) == 1
    nyu.edit(path, lambda e: e["protocol"].update(images=20))
    assert program.main(nyu.command()) == 1


def test_a_network_trained_elsewhere_is_shown_with_its_graphs_and_scenes(nyu):
    elsewhere = nyu.add_elsewhere()
    words = ["--published", elsewhere]
    for kind, flag in (("frozen", "--frozen"), ("onnx", "--deployed")):
        with open(elsewhere, encoding="utf-8") as stream:
            document = json.load(stream)
        document["source"]["kind"] = kind
        document["speed"] = {"batch_size": 1, "images": 9, "images_per_second": 25.0, "ms_per_image": 40.0}
        words += [flag, nyu.write("results/published/nyu/inference/{}.json".format(kind), document)]
    nyu.write_scene("results/published/nyu/gallery/best.npz")
    nyu.write_bytes("results/published/nyu/gallery/best.png", b"")
    scene = {"picture": "best.png", "data": "best.npz", "index": 3, "rms": 0.1, "delta1": 0.9}
    gallery = {"format": 1, "scenes": [scene]}
    words += ["--gallery", nyu.write("results/published/nyu/gallery/gallery.json", gallery)]
    words += ["--out", nyu.out, "--baseline", nyu.baseline, "--settings", nyu.write("settings.json", {})]
    assert program.main(words) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    names = [row[0] for row in rows_of(text, "Precision")]
    for graph in ("frozen graph", "ONNX file"):
        assert "nyu (pretrained), " + graph in names
        assert [graph, "25.00"] in [[row[1], row[-2]] for row in rows_of(text, "Performance")]
    check = row_of(text, "Verdicts", "nyu (pretrained): frozen graph against its checkpoint, largest")
    assert check[-1] == "passed"
    assert "### nyu (pretrained), the frozen graph" in text and "Best by RMSE. Test image 3" in text


def test_a_network_trained_elsewhere_is_judged_by_its_form(nyu):
    nyu.add_elsewhere()
    nyu.add_elsewhere("old", delta1=0.8166, rms_pooled=0.5916)
    nyu.add_elsewhere("port", published_results.PORT_NETWORK, delta1=0.8480)
    nyu.add_elsewhere("kitti", size=(384, 1280))
    nyu.add_elsewhere("other", dict(published_results.PAPER_NETWORK, mid_activation=True))
    text = nyu.make()
    found = {(row[0].split(" (")[0], row[1]): row[2:] for row in rows_of(text, "Verdicts") if len(row) == 6}
    name = "nyu.h5 (the paper's weights), re-measured"
    assert found["nyu", "δ1"] == ["0.8469", "0.8471 ({})".format(name), "± 0.002", "reproduced"]
    assert found["nyu", "RMSE (pooled)"][1:] == ["0.5485 ({})".format(name), "± 0.005", "reproduced"]
    assert found["nyu", "RMSE (per image)"][1] == "0.465 (paper)"
    assert {found["nyu", metric.title][3] for metric in METRICS} == {"reproduced"}
    # As a user measured it with code that builds another network than that of the file.
    assert found["old", "δ1"][3] == found["old", "RMSE (pooled)"][3] == "not reproduced"
    assert found["port", "δ1"][1:] == ["0.8480 (reference port, GPU)", "± 0.005", "reproduced"]
    assert not {"kitti", "other"} & {name for name, _ in found}
    assert "without a verdict here: kitti (pretrained), other (pretrained)." in text
    assert row_of(text, "Verdicts", "kitti (pretrained): δ1 above")[3] == "passed"


def test_a_network_trained_elsewhere_needs_no_run(nyu):
    for path in (nyu.baseline, nyu.add_elsewhere()):
        nyu.edit(path, lambda e: e["test_data"].update(path="dataset/nyu_test.zip"))
    page = os.path.join(nyu.root, "results", "report.html")
    words = ["--out", nyu.out, "--html", page, "--baseline", nyu.baseline, "--published", *nyu.flags["published"]]
    settings = nyu.write("settings.json", {"published": {"nyu": {"file": "dataset/nyu.h5"}}})
    assert program.main([*words, "--settings", settings]) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    assert "**nyu (pretrained): δ1 0.8469 against 0.3100 of one constant depth**" in text
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    expected = ["Precision", "Verdicts", "Among published results", "Settings", "Versions", "Inputs and checkpoints"]
    assert headings == expected and "Best" not in text
    verdicts = [row for row in rows_of(text, "Verdicts") if len(row) == 6]
    assert len(verdicts) == 2 + len(METRICS)
    assert ["`published.nyu.file`", '`"dataset/nyu.h5"`'] in rows_of(text, "Settings")
    with open(page, encoding="utf-8") as stream:
        assert "0.8469" in stream.read()


def test_a_page_of_nothing_or_of_half_a_run_is_refused(sample, capsys):
    words = ["--out", sample.out, "--baseline", sample.baseline, "--settings", sample.write("settings.json", {})]
    assert program.main(words) == 1
    words += ["--evaluation", *sample.flags["evaluation"], "--checkpoint", *sample.flags["checkpoint"]]
    assert program.main(words) == 1
    assert program.main([*words, "--figures", sample.figures]) == 1
    message = capsys.readouterr().err
    assert "nothing to report" in message and "--figures: missing" in message and "--data: missing" in message


def test_what_a_frozen_graph_became_stands_beside_it(sample):
    sample.add_deployed("1p", "om", soc_version="Ascend310P3", precision_mode="force_fp16", size=[96, 128])
    sample.add_deployed("1p", "onnx")
    text = sample.make()
    rows = rows_of(text, "Precision")
    names = [row[0] for row in rows]
    first = names.index("1p, frozen graph of epoch 3")
    assert names[first + 1 : first + 3] == ["1p, ONNX file of epoch 3", "1p, OM file of epoch 3"]
    assert rows[first + 1][1] == rows[first + 2][1] == "0.7654"
    speeds = [row[1:] for row in rows_of(text, "Performance") if row[0] == "1p"][1:]
    assert [row[0] for row in speeds] == ["frozen graph", "ONNX file", "OM file"]
    assert speeds[1][2:] == ["any", "1", "96", "40.0", "41.0", "43.5", "50.0", "25.00", "12.50"]
    assert speeds[2][1:] == ["Ascend310P3", "96x128"] + ["-"] * 8
    assert "Of an OM file only the outputs come here" in text
    assert ["`results/1p/export/model.onnx`", "`{}`".format(digest("onnx"))] in rows_of(text, "Inputs")
    assert "OM file of 1p" in text.split("## Versions")[1]


def test_a_truth_with_holes_is_not_the_one_of_the_published_figures(nyu):
    for path in [nyu.baseline, *nyu.flags["evaluation"], *nyu.flags["frozen"]]:
        nyu.edit(path, lambda e: e["protocol"].update(truth_m=[0.0, 10.0]))
    text = nyu.make()
    assert "**not comparable** with the published ones" in text and "## Published results" in text


# As printed, of works whose rms is pooled or of which nothing says how it was averaged.
NOT_PER_IMAGE = ("0.5485", "0.5445", "0.5595", "0.5479", "0.573", "0.641", "0.586", "0.555", "0.509", "0.416")


def test_no_rms_that_is_pooled_or_unstated_stands_among_those_per_image():
    rows = [(group, row) for group in published_results.GROUPS for row in group.rows] + [
        (None, row) for row in published_results.ROWS
    ]
    for group, row in rows:
        kinds = [key for key in row.scores if key.startswith("rms")]
        assert len(kinds) <= 1, row.name
        assert row.scores.get("rms_image") not in NOT_PER_IMAGE, row.name
        assert group is None or set(row.scores) <= {metric.key for metric in group.metrics} | {"rel_truth"}, row.name
    printed = [row for _, row in rows if "rms_printed" in row.scores]
    kinds = {row.name.split()[0]: row.scores["rms_printed"].split(", ")[1] for row in printed}
    assert set(kinds.values()) <= {"pooled", "per image", "not stated"}
    assert kinds["FCRN"] == kinds["DenseNet-161"] == "pooled"
    assert {kinds[name] for name in ("MS-CRF", "Hao", "DORN")} == {"not stated"}


def test_rel_stands_under_what_it_is_divided_by():
    rows = [row for group in published_results.GROUPS for row in group.rows if "WaveletMonodepth" in row.name]
    assert [row.scores.get("rel_truth") for row in rows] == ["0.1277"] and "rel_prediction" not in rows[0].scores
    assert rows[0] in next(group for group in published_results.GROUPS if "different" in group.title).rows


def test_pictures_are_called_by_their_names(sample):
    named = [{"index": i, "rms": rms, "name": "a_*{}|`.jpg".format(i)} for i, rms in enumerate((0.5, 0.2, 0.9))]
    for path in sample.flags["evaluation"]:
        sample.edit(path, lambda content: content.update(per_image=named))
    sample.edit(sample.flags["gallery"][0], lambda content: content["scenes"][1].update(name="kitchen_01.jpg"))
    text = sample.make()
    assert "| smallest | ``a_*1\\|`.jpg`` (0.200 m), ``a_*0\\|`.jpg`` (0.500 m), ``a_*2" in text
    assert "*`kitchen_01.jpg`: RMSE 0.412 m, δ1 0.700*" in text and "Test image 7" not in text
    assert "Test image 0: RMSE 0.412 m" in text


def test_a_run_is_placed_among_results_that_are_measured_alike(nyu):
    def change(content):
        content["protocols"] = {
            "paper": {"metrics": dict(PORT, delta1=0.8481, rms_image=0.4633)},
            "bts": {"metrics": dict(PORT, delta1=0.8777, rms_image=0.4011)},
        }
        content["per_image"] = [{"index": i, "rms": rms} for i, rms in enumerate((0.5, 0.2, 0.9))]

    for path in nyu.flags["evaluation"]:
        nyu.edit(path, change)
    assert program.main(nyu.command()) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    groups = text.split("## Among published results")[1].split("\n## ")[0].split("\n### ")[1:]
    assert len(groups) == len(published_results.GROUPS)
    own = [[line for line in group.splitlines() if line.startswith("| **1p, epoch 3**")] for group in groups]
    assert [len(lines) for lines in own] == [1, 1, 1, 0, 0, 0]
    assert "**0.7980**" in own[0][0] and "**0.5945**" in own[0][0] and "0.465" not in groups[0]
    assert "**0.8481**" in own[1][0] and "**0.4633**" in own[1][0] and "0.465" in groups[1]
    # The crop of AdaBins' figures on the filled truth is that of `bts`, not that of the paper.
    assert "**0.8777**" in own[2][0] and "**0.4011**" in own[2][0] and "issue 4 of AdaBins" in groups[2]
    assert groups[2].startswith("Filled ground truth, crop 45:471 x 41:601") and "AdaBins" not in groups[1]
    # Each figure has its source, and rows are in order.
    for group, lines in zip(published_results.GROUPS, groups):
        assert all(row.source in lines for row in group.rows)
        table = lines.split("| δ1\N{NO-BREAK SPACE}↑ |")[1].split("\n\n")[0]
        scores = [float(score) for score in re.findall(r"^\| [^|]+ \| \**(\d\.\d+)", table, re.MULTILINE)]
        assert scores == sorted(scores, reverse=True) and len(scores) >= len(group.rows)
    assert "| 1p, epoch 3 | smallest | 1 (0.200 m), 0 (0.500 m), 2 (0.900 m) |" in text


def test_a_network_near_the_constant_depth_is_said_to_fail(sample):
    sample.edit(sample.flags["evaluation"][-1], lambda e: e["metrics"].update(delta1=0.45))
    sample.edit(sample.flags["frozen"][0], lambda e: e["metrics"].update(delta1=0.46))
    text = sample.make()
    assert row_of(text, "Verdicts", "1p, epoch 3 (last)")[1:] == ["+0.1400", "at least 0.15", "not passed"]
    assert row_of(text, "Verdicts", "1p: frozen graph")[3] == "not passed"


def test_nyu_figures_have_a_verdict_for_each_metric_and_run(nyu):
    for run, changed in (("1p", {}), ("8p", {"delta1": 0.8431, "delta2": 0.98, "rms_pooled": 0.5652})):
        last = [path for path in nyu.flags["evaluation"] if os.path.join(run, "evaluation", "epoch3") in path]
        nyu.edit(last[0], lambda e, changed=changed: e["metrics"].update(PORT, **changed))
    text = nyu.make()
    assert "not comparable" not in text
    verdicts = {(row[0], row[1]): row[2:] for row in rows_of(text, "Verdicts") if len(row) == 6}
    # Two rows are the head and the line below it.
    assert len(verdicts) == 2 + 2 * len(METRICS)
    assert verdicts["1p, epoch 3", "δ1"] == ["0.8480", "0.8480 (reference port, GPU)", "± 0.005", "reproduced"]
    assert verdicts["8p, epoch 3", "δ1"][3] == "reproduced"
    assert verdicts["8p, epoch 3", "δ2"][3] == "better"
    assert verdicts["8p, epoch 3", "RMSE (pooled)"][3] == "not reproduced"
    assert verdicts["8p, epoch 3", "RMSE (per image)"][1] == "0.465 (paper)"


def test_own_archives_are_not_judged_by_published_figures(tmp_path):
    text = Results(tmp_path, archive="dataset/mine.zip").make()
    assert "not the 654 of NYU Depth v2" in text
    assert "± 0.005" not in text


@pytest.mark.parametrize(
    "key, value, expected",
    [
        ("delta1", 0.8430, "reproduced"),
        ("delta1", 0.8428, "not reproduced"),
        ("delta1", 0.8535, "better"),
        ("rms_image", 0.485, "reproduced"),
        ("rms_image", 0.486, "not reproduced"),
        ("rms_image", 0.44, "better"),
        ("log10", 0.0546, "reproduced"),
        ("log10", 0.0548, "not reproduced"),
    ],
)
def test_verdict(key, value, expected):
    metric = next(m for m in METRICS if m.key == key)
    assert comparison.verdict(metric, value) == expected


def test_performance_stands_beside_the_port_with_what_makes_it_comparable(sample):
    text = sample.make()
    v100 = row_of(text, "Performance", "reference port, GPU")
    assert v100[1:] == ["V100-SXM2", "densenet169, half", "480x640", "4", "1", "not stated", "235", "17.0", "reference"]
    assert row_of(text, "Performance", "reference port, Ascend 910")[7:9] == ["185", "21.6"]
    own = [row for row in rows_of(text, "Performance") if row[0] == "1p"]
    network = "densenet169, half"
    assert own[0] == ["1p", "x86_64 machine", network, "96x128", "4", "1", "float32", "1502", "2.66", "no"]
    where = ["1p", "frozen graph", "x86_64 machine", "96x128"]
    # Results of earlier versions have no percentiles.
    assert own[1] == where + ["1", "96", "50.0", "-", "-", "-", "20.00", "10.00"]
    times = {"p50": 49.0, "p90": 52.04, "p99": 61.25, "max": 90.0}
    sample.edit(sample.flags["frozen"][0], lambda frozen: frozen["speed"].update(batch_ms=times))
    own = [row for row in rows_of(sample.make(), "Performance") if row[0] == "1p"]
    assert own[1] == where + ["1", "96", "50.0", "49.0", "52.0", "61.2", "20.00", "10.00"]


def test_run_of_the_reference_shape_is_comparable_and_one_without_timing_is_not(sample):
    for path in sample.flags["checkpoint"]:
        sample.edit(path, lambda side: side.update(size=[480, 640]))
    assert next(row for row in rows_of(sample.make(), "Performance") if row[0] == "1p")[-1] == "yes"
    for path in sample.flags["checkpoint"]:
        sample.edit(path, lambda side: side.update(performance={"batch_size": 4, "world_size": 1, "timed_steps": 0}))
    assert next(row for row in rows_of(sample.make(), "Performance") if row[0] == "1p")[-3:] == ["-", "-", "no"]


def speed(devices, images_per_second):
    return {
        "format": 1,
        "model": {"encoder": "densenet169"},
        "size": [96, 128],
        "runtime": RUNTIME,
        "performance": {
            "device": "x86_64 CPU",
            "precision": "float32",
            "batch_size": 4,
            "world_size": devices,
            "timed_steps": 27,
            "step_ms": 4000 * devices / images_per_second,
            "images_per_second": images_per_second,
            "images_per_second_per_device": images_per_second / devices,
            "peak_memory_mb": 2000.4,
        },
    }


def test_measured_speeds_tell_how_they_scale(tmp_path):
    sample = Results(tmp_path, runs=("1p", "8p"))
    sample.flags["performance"] = []
    sample.add("performance", "results/1p/performance.json", speed(1, 8.0))
    eight = speed(8, 48.0)
    eight["performance"]["scaling_efficiency"] = 0.75
    sample.add("performance", "results/8p/performance.json", eight)
    rows = {row[0]: row[4:] for row in rows_of(sample.make(), "Performance") if row[-1].endswith("MB")}
    assert rows["1p"] == ["1", "27", "500", "8.00", "8.00", "-", "2000 MB"]
    assert rows["8p"] == ["8", "27", "667", "48.00", "6.00", "75 %", "2000 MB"]


def test_steps_left_out_by_loss_scaling_are_counted(sample):
    assert "left out" not in sample.make()
    for path, count in zip(sample.flags["checkpoint"], (3, 2)):
        sample.edit(path, lambda side, count=count: side["performance"].update(skipped_steps=count))
    assert "Loss scaling left out 5 of the 180 steps of run 1p." in sample.make()


def test_settings_versions_and_checksums_are_there(sample):
    text = sample.make()
    assert ["`train.size`", "`[96, 128]`"] in rows_of(text, "Settings")
    assert ["`runs.1p.devices`", "`1`"] in rows_of(text, "Settings")
    assert ["1p", "`learning_rate`", "`0.0001`"] in rows_of(text, "Settings")
    assert ["tf1", "3.7.16", "1.15.0", "1.21.6", "x86_64"] in rows_of(text, "Versions")
    assert "training of 1p (3 epochs), evaluation of 1p (3 epochs)" in text
    sums = rows_of(text, "Inputs and checkpoints")
    shard = "nyu_train-00001-of-00002.tfrecords"
    assert ["`{}`".format(shard), "120 records", "`{}`".format(digest(shard))] in sums
    of_members = "`{}` (of names, sizes and CRC-32 of its members)".format(digest("zip"))
    assert ["`results/sample/nyu_data.zip`", "123,456,789 bytes", of_members] in sums
    assert "before the first step: 1p random." in text
    weights = ["1p", "2", "120", "`model.ckpt.data-00000-of-00001`", "`{}`".format(digest("1p 2"))]
    assert weights in sums


def test_faulty_pairs_that_were_left_out_are_listed(sample):
    assert "faulty" not in sample.make()
    fault = {"row": 8, "rgb": "data/t/7.jpg", "problem": "nyu_data.zip: row 8, data/t/7.jpg: not an image"}
    sample.edit(sample.data, lambda side: side.update(skipped=[fault]))
    text = sample.make()
    assert "1 faulty training pair was left out" in text and "faulty test" not in text
    assert ["8", "`data/t/7.jpg`", fault["problem"]] in rows_of(text, "Inputs and checkpoints")


def test_faulty_test_pairs_that_were_left_out_are_listed(sample):
    faults = [{"row": row, "rgb": "t/{}.png".format(row), "problem": "not an image"} for row in (3, 5)]
    sample.edit(sample.baseline, lambda document: document["test_data"].update(skipped=faults))
    text = sample.make()
    assert "2 faulty test pairs were left out" in text and "faulty training" not in text
    assert ["5", "`t/5.png`", "not an image"] in rows_of(text, "Inputs and checkpoints")


def test_weights_of_the_encoder_are_listed(sample):
    source = {"path": "dataset/densenet169.h5", "sha256": digest("h5")}
    path = sample.write("results/weights/densenet169/weights.json", {"format": 1, "source": source})
    folder = "results/weights/densenet169"
    sample.edit(sample.flags["checkpoint"][0], lambda side: side.update(weights=folder))
    assert program.main(sample.command() + ["--weights", path]) == 0
    with open(sample.out, encoding="utf-8") as stream:
        text = stream.read()
    expected = ["`dataset/densenet169.h5`", "-", "`{}`".format(digest("h5"))]
    assert expected in rows_of(text, "Inputs and checkpoints")
    assert "before the first step: 1p from `results/weights/densenet169`." in text


@pytest.mark.curves
def test_pictures_and_history_may_be_missing_together(sample):
    for flag in ("history", "frozen", "gallery"):
        sample.flags[flag] = []
    text = sample.make()
    assert "loss_1p.png" not in text
    assert "## Gallery" not in text
    assert "metrics_1p.png" in text


def _drop(*keys):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def _put(value, *keys):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "flag, change, words",
    [
        ("evaluation", _put(float("nan"), "metrics", "rms_image"), ["epoch1.json: metrics.rms_image is nan"]),
        ("evaluation", _put("0.8", "metrics", "delta1"), ["metrics.delta1 is '0.8', expected a finite number"]),
        ("evaluation", _drop("metrics", "log10"), ["epoch1.json: no key metrics.log10"]),
        ("evaluation", _drop("metrics"), ["epoch1.json: no key metrics;"]),
        ("evaluation", _put(2, "format"), ["epoch1.json: format 2 where 1"]),
        ("evaluation", _put(47, "protocol", "images"), ["protocol.images is 47, but 48", "baseline.json"]),
        ("evaluation", _put(5, "test_data", "size_bytes"), ["test_data.size_bytes is 5, but 5555"]),
        ("evaluation", _put("f" * 64, "source", "sha256"), ["epoch1.json: source.sha256", "evaluate again"]),
        ("evaluation", _put(61, "source", "global_step"), ["source.global_step is 61", "step 60"]),
        ("evaluation", _put(2, "source", "epoch"), ["epoch 2 again"]),
        ("evaluation", _put(9, "source", "epoch"), ["no model.json of run 1p epoch 9"]),
        ("checkpoint", _drop("performance", "batch_size"), ["epoch1/model.json: no key performance.batch_size"]),
        ("checkpoint", _drop("runtime"), ["epoch1/model.json: no key runtime"]),
        ("frozen", _put(1, "source", "global_step"), ["frozen.json: source.global_step is 1"]),
        ("frozen", _put(None, "speed"), ["frozen.json: no key speed"]),
        ("deployed", _put("pb", "source", "kind"), ["onnx.json: source.kind is 'pb', none of onnx, om"]),
        ("deployed", _put(1, "source", "global_step"), ["onnx.json: source.global_step is 1"]),
        ("deployed", _put(47, "protocol", "images"), ["onnx.json: protocol.images is 47, but 48"]),
        ("gallery", _put("scene_9.png", "scenes", 0, "picture"), ["scene_9.png: no such file, though"]),
        ("gallery", _put(float("inf"), "scenes", 1, "rms"), ["scenes[1].rms is inf"]),
    ],
)
def test_faulty_files_are_refused_by_file_and_key(sample, capsys, flag, change, words):
    # One epoch, so that the first file is also the one the report takes its last figures from.
    sample = Results(sample.root, epochs=(1, 2)) if "again" in str(words) else Results(sample.root, epochs=(1,))
    if flag == "deployed":
        sample.add_deployed("1p", "onnx")
    sample.edit(sample.flags[flag][0], change)
    assert program.main(sample.command()) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    for word in words:
        assert word in message
    assert not os.path.exists(sample.out)


def test_settings_that_differ_between_runs_have_a_table(tmp_path):
    results = Results(tmp_path, runs=("1p", "fast"))
    results.runs = {"fast": {"devices": 1, "train": {"learning_rate": 0.001, "seed": 0}, "seed": 3}}
    text = results.make()
    part = text.partition("Settings that differ between the runs:")[2].partition("\n\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()]
    assert rows[0] == ["run", "seed", "train.learning_rate"]
    assert rows[2:] == [["fast", "`3`", "`0.001`"], ["1p", page.BLANK, page.BLANK]]
    results.runs = {"fast": {"devices": 1, "train": {"seed": 0}}}
    assert "Settings that differ" not in results.make()


def test_faulty_data_and_settings_are_refused(sample):
    sample.edit(sample.data, _drop("archive", "path"))
    with pytest.raises(PipelineError, match=r"nyu_train.json: no key archive.path"):
        sections.write(sample.gather(), sample.out, sample.figures)
    with pytest.raises(PipelineError, match="--settings: not JSON"):
        inputs.gather(sample.baseline, [], [], [], [], [], sample.data, [], "{")
    with pytest.raises(PipelineError, match=r"--settings: .*runs"):
        inputs.gather(sample.baseline, [], [], [], [], [], sample.data, [], '{"runs": {"a": 3}}')


@pytest.mark.parametrize(
    "line, words",
    [
        ('{"epoch": 1', "line 1: not JSON"),
        ('{"epoch": 1, "global_step": 1}', "line 1: no key steps"),
        (json.dumps(dict(Results.entry(1, 10), loss=float("nan"))), "line 1: loss is nan"),
        (json.dumps(Results.entry(2, 10)), "global_step 70 occurs twice in the history of run 1p"),
    ],
)
def test_faulty_history_is_refused(sample, line, words):
    sample.write_text(sample.flags["history"][0], line + "\n")
    with pytest.raises(PipelineError, match=words):
        sample.gather()


def test_missing_files_are_named(sample):
    os.remove(sample.flags["history"][1])
    with pytest.raises(PipelineError, match=r"epoch2.history.jsonl: no such file"):
        sample.gather()
    os.remove(sample.flags["evaluation"][1])
    with pytest.raises(PipelineError, match=r"epoch2.json: no such file"):
        sample.gather()


def test_run_name_is_the_folder_after_the_last_results():
    assert inputs.run_name("results/1p/evaluation/epoch5.json") == "1p"
    assert inputs.run_name("/data/results/densedepth/results/8p/export/x.json") == "8p"
    with pytest.raises(PipelineError, match=r"evaluation.epoch5.json: is of no known run"):
        inputs.run_name("evaluation/epoch5.json")


def test_table_cells_cannot_break_the_table():
    made = page.Page()
    made.add_table([("a|b", "c\nd")], ("x", "y"), numbers=("y",))
    assert render.markdown(made, ".") == "| x | y |\n| --- | ---: |\n| a\\|b | c d |\n"


NAMES = ("a|b`c", "`", "``x``", "<script>alert(1)</script>", "a*b*", "_a_", "[a](https://b.c)", "&amp;", "x\ny", "\\*")


@pytest.mark.parametrize("name", NAMES)
def test_no_name_changes_the_page(name):
    """As code or as plain text a name shows as it is, but on one line, in Markdown and in HTML."""
    shown = " ".join(name.splitlines())
    assert render.inline(page.code(name)).unescape() == "<code>{}</code>".format(shown)
    assert render.inline(page.plain(name)).unescape() == shown
    for text in (page.code(name), page.plain(name)):
        assert str(render.inline("**" + text + "**")) == "<strong>{}</strong>".format(render.inline(text))
    made = page.Page()
    made.add("Of {}.", page.code(name))
    made.add_table([(page.plain(name), page.code(name))], ("x", "y"))
    text = render.html(made, name)
    assert "<script>alert" not in text and text.count("<td>") == 2 and "<em>" not in text and "<a " not in text
    assert len(render.markdown(made, ".").splitlines()) == 5


def test_long_history_is_thinned_by_weighted_means():
    frame = inputs.pandas.DataFrame(
        {"global_step": [10, 20, 25, 35], "steps": [10, 10, 5, 10], "loss": [4.0, 2.0, 9.0, 3.0]}
    )
    assert curves.thin(frame, 4) is frame
    thinned = curves.thin(frame, 2)
    assert thinned["global_step"].tolist() == [20, 35]
    assert thinned["loss"].tolist() == [3.0, 5.0]


@pytest.mark.curves
def test_checkpoints_are_seen_on_the_lines_of_the_grid(tmp_path):
    steps = numpy.arange(20, 6001, 20)
    columns = dict.fromkeys(("loss", "l1", "gradient", "ssim", "learning_rate"), 0.1 + 1.0 / steps)
    history = inputs.pandas.DataFrame(dict(columns, global_step=steps, steps=20))
    dark = []
    for ends in ([], [1000, 2000, 3000, 4000, 5000]):
        curves.draw_loss(str(tmp_path / "loss.png"), history, ends)
        with Image.open(str(tmp_path / "loss.png")) as picture:
            dark.append((numpy.asarray(picture.convert("L")) < 110).sum(axis=0))
    # Five columns of dots from top to bottom, where the grid's lines were.
    assert ((dark[1] - dark[0]) > 200).sum() >= 5


def test_no_tensorflow_is_imported():
    """Reports are written where no TensorFlow is installed."""
    import subprocess
    import sys

    code = "import sys; sys.path.insert(0, {!r}); import report; sys.exit('tensorflow' in sys.modules)"
    folder = os.path.dirname(os.path.abspath(program.__file__))
    assert subprocess.call([sys.executable, "-c", code.format(folder)]) == 0
