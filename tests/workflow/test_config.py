"""The settings: what is accepted, what is refused and in which words, and that all of it is explained."""

import copy
import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from densedepth import configuration, old_names, ranges
from densedepth.evaluation import more_metrics, protocols
from densedepth.network import model

SCHEMA = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
CONFIG = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
NYU = yaml.safe_load((REPOSITORY / "config/nyu.yaml").read_text())
CUSTOM = yaml.safe_load((REPOSITORY / "config/custom.yaml").read_text())


def leaves(schema, path=()):
    """(path, schema) of every key that holds a value; a name the user chooses is `*`."""
    for key, below in schema.get("properties", {}).items():
        yield from leaves(below, (*path, key)) if below.get("type") == "object" else [((*path, key), below)]
    if isinstance(schema.get("additionalProperties"), dict):
        yield from leaves(schema["additionalProperties"], (*path, "*"))


# As the file has them: those of a run are the common ones.
LEAVES = dict(leaves(yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())))


def changed(path, value, base=CONFIG):
    """A copy of `base` with the value at the dotted `path` replaced, or removed for None."""
    config = copy.deepcopy(base)
    *above, last = path.split(".")
    place = config
    for key in above:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return config


def refusal(config):
    """The one line that refuses `config`."""
    lines = configuration.problems(config, SCHEMA)
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("overlay", [{}, NYU, CUSTOM], ids=["sample", "nyu", "custom"])
def test_our_own_settings_are_accepted(overlay):
    assert configuration.problems(configuration.merge(CONFIG, overlay), SCHEMA) == []


@pytest.mark.parametrize(
    "path, value, expected",
    [
        ("data.height", 100, "config: data.height = 100: must be a multiple of 32"),
        ("data.width", 0, "config: data.width = 0: must be at least 32"),
        ("train.batch_size", 0, "config: train.batch_size = 0: must be at least 1"),
        ("train.batch_size", 4.0, "config: train.batch_size = 4.0: must be a whole number"),
        ("train.batch_size", True, "config: train.batch_size = true: must be a whole number"),
        ("train.steps", "60", 'config: train.steps = "60": must be a whole number from 1 to 10000000, or auto'),
        ("train.learning_rate", "1e-4", "YAML reads 1e-4 as text, write 1.0e-4"),
        ("train.learning_rate", 0, "config: train.learning_rate = 0: must be more than 0"),
        ("train.learning_rate", float("nan"), "config: train.learning_rate = NaN: must be a number"),
        ("train.lr_decay", 1.5, "config: train.lr_decay = 1.5: must be at most 1"),
        ("train.batch_norm_momentum", 1, "config: train.batch_norm_momentum = 1: must be less than 1"),
        ("train.mirror_probability", -0.1, "config: train.mirror_probability = -0.1: must be at least 0"),
        ("train.channel_shuffle_probability", 2, "config: train.channel_shuffle_probability = 2: must be at most 1"),
        ("train.keep_epochs", [1, 1], "config: train.keep_epochs = [1, 1]: must not contain duplicates"),
        ("train.keep_epochs", [2, 0], "config: train.keep_epochs[1] = 0: must be at least 1"),
        ("train.keep_epochs", [2, 9], "config: train.keep_epochs[1] = 9: must be at most train.epochs = 4"),
        (
            "train.weights",
            "weights.onnx",
            'config: train.weights = "weights.onnx": must be the path of an .h5, .pth, .pt or .safetensors file,',
        ),
        ("train.is_loss_scale", "yes", 'config: train.is_loss_scale = "yes": must be true or false'),
        ("train.precision_mode", "fp16", "must be one of allow_mix_precision,"),
        ("train.learnig_rate", 1, "config: train.learnig_rate: unknown key; did you mean learning_rate?"),
        ("train.xyz", 1, "config: train.xyz: unknown key; legal here: accumulate, batch_norm_momentum,"),
        ("trian", {}, "config: trian: unknown key; did you mean train?"),
        ("train.steps", None, "config: train.steps: missing"),
        ("model", None, "config: model: missing"),
        ("model", "densenet169", 'config: model = "densenet169": must be a mapping of keys to values'),
        ("model.encoder", "resnet50", "must be one of densenet121, densenet169, densenet201"),
        ("model.decoder", 1, "config: model.decoder = 1: must be one of half, full"),
        ("runtime", "tf3", 'config: runtime = "tf3": must be one of auto, tf1, tf2'),
        ("platform", "gpu", 'config: platform = "gpu": must be one of cpu_gpu, ascend'),
        ("npu_options.dump_path", [], "config: npu_options.dump_path = []: must be text or a whole number or true or"),
        ("npu_options.A-b", 1, "config: npu_options.A-b: not a legal name; lower-case letters,"),
        ("data.train_archive", "nyu_data", 'config: data.train_archive = "nyu_data": must be a path that ends in .zip'),
        ("data.test_archive", CONFIG["data"]["train_archive"], "must not be data.train_archive as well"),
        ("data.examples", ["a.gif"], 'config: data.examples[0] = "a.gif": must be the path of a .png or .jpg file'),
        ("data.shards", 500, "config: data.shards = 500: must be at most sample.train_scenes = 400"),
        ("report.gallery", 60, "config: report.gallery = 60: must be at most sample.test_scenes = 48"),
        ("runs", {}, "config: runs = {}: must have at least 1 entry"),
        ("runs.1p", {"devices": 65}, "config: runs.1p.devices = 65: must be at most 64"),
        ("runs.1p", {"devices": 0}, "config: runs.1p.devices = 0: must be at least 1"),
        ("runs.1p", {"devices": 2, "steps_per_device": 1}, "runs.1p.steps_per_device = 1: must be true or false"),
        ("runs.report", {"devices": 1}, "config: runs.report: not a legal name; the pipeline uses this name itself"),
        ("runs.a/b", {"devices": 1}, "config: runs.a/b: not a legal name; letters, digits,"),
        (
            "evaluate.protocols",
            ["bts"],
            'evaluate.protocols = ["bts"]: must contain port, with which the report begins',
        ),
        ("evaluate.protocols", ["port", "kitti"], "must be one of port, paper, bts, garg, eigen"),
        ("data.mixture", {"a": {"csv": "x.csv"}}, "config: data.mixture: needs a main set, for the test"),
        ("runs.1p\n", {"devices": 1}, "config: runs.1p\n: not a legal name; letters, digits,"),
        ("downloads", {"dataset/checksums.json": {"urls": ["a"]}}, "json: not a legal name; the pipeline uses"),
        ("pretrained.a/b", "a.h5", "config: pretrained.a/b: not a legal name; letters, digits,"),
        ("pretrained.nyu", {"size": [480, 640]}, "config: pretrained.nyu.file: missing"),
        ("pretrained.nyu", {"file": "a.h5", "size": [480, 641]}, "pretrained.nyu.size[1] = 641: must be a multiple"),
        ("pretrained.kitti", {"file": "a.h5", "max_depth": 0.1}, "pretrained.kitti.max_depth = 0.1: must be more than"),
        (
            "predictions.m",
            {"input": ["a"], "scale": [3, 1]},
            "predictions.m.scale = [3, 1]: the nearest depth, the first",
        ),
        (
            "predictions.m",
            {"input": ["a"], "intrinsics": [0, 1, 2, 3]},
            "the focal lengths, the first two, must",
        ),
        ("data.custom.csv", "a/{x}.csv", 'data.custom.csv = "a/{x}.csv": must be a path without braces'),
        (
            "train.weights",
            "published/nyu",
            'train.weights = "published/nyu": no such network in pretrained, which has none',
        ),
        ("runs.1p", {"devices": 1, "weights": "a.h5"}, 'runs.1p.weights = "a.h5": must be published/<name>, or empty'),
        ("runs.1p", {"devices": 1, "weights": "published/x"}, "no such network in pretrained, which has none"),
        ("pretrained.nyu", "nyu.pb", 'config: pretrained.nyu = "nyu.pb": must be a path that ends in .h5, .pth'),
        ("predictions.mine", {}, "config: predictions.mine.input: missing"),
        ("predictions.mine", {"input": [""]}, 'predictions.mine.input[0] = "": must not be empty'),
        ("predictions.mine", {"input": ["a"], "intrinsics": [1]}, "intrinsics = [1]: must have at least 4 items"),
        ("predictions.mine", {"input": ["a"], "run": "2p"}, 'predictions.mine.run = "2p": must be one of 1p'),
        ("external.x", {"predictions": "a"}, "config: external.x.unit: missing"),
        ("external.x", {"predictions": "a", "unit": "cm"}, 'external.x.unit = "cm": must be one of metres'),
        ("external.x", {"predictions": "a", "unit": "disparity"}, "disparity has no scale: give an alignment"),
        ("om.soc_version", "910A", 'config: om.soc_version = "910A": must be the name of a chip such as Ascend910A'),
        ("downloads.here", {"urls": ["https://a.b/c"]}, "config: downloads.here: not a legal name; a file name below"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_legal(path, value, expected):
    assert expected in refusal(changed(path, value))


@pytest.mark.parametrize(
    "entry, expected",
    [
        ({"urls": []}, "config: downloads.dataset/a.zip.urls = []: must have at least 1 item"),
        ({"urls": ["ftp://a.b/c"]}, "must be an address that begins with https://, http:// or file://, or the path"),
        ({"urls": ["https://a.b/c"], "md5": "x"}, "must be 32 hexadecimal digits"),
        ({"urls": ["https://a.b/c"], "md5": "0" * 32, "sha256": "0" * 64}, "give sha256 or md5, not both"),
        ({"sha256": "0" * 64}, "config: downloads.dataset/a.zip.urls: missing"),
    ],
)
def test_a_bad_download_is_refused(entry, expected):
    assert expected in refusal(dict(CONFIG, downloads={"dataset/a.zip": entry}))


def test_all_problems_are_told_at_once():
    config = changed("train.steps", 0, changed("data.height", 33, changed("sed", 1)))
    assert configuration.problems(config, SCHEMA) == [
        "config: sed: unknown key; did you mean seed?",
        "config: data.height = 33: must be a multiple of 32",
        "config: train.steps = 0: must be at least 1",
    ]


def wrong(schema):
    """A value of a type that `schema` does not take."""
    return 7 if schema.get("type") in ("string", "array", "boolean") or "enum" in schema else "seven"


@pytest.mark.parametrize("path", [".".join(path) for path in LEAVES if "*" not in path])
def test_every_key_is_checked(path):
    schema = LEAVES[tuple(path.split("."))]
    assert "config: {} = ".format(path) in refusal(changed(path, wrong(schema)))
    if required(path) and "default" not in schema:
        assert refusal(changed(path, None)) == "config: {}: missing".format(path)


def required(path):
    *above, last = path.split(".")
    place = CONFIG
    for key in above:
        place = place[key]
    return last in place


def test_every_mapping_is_closed_and_every_key_described():
    def walk(schema, path):
        if schema.get("type") == "object":
            assert "additionalProperties" in schema, path
            named = list(schema.get("properties", {}).items())
            if isinstance(schema["additionalProperties"], dict):
                walk(schema["additionalProperties"], path + "*")
            for key, below in named:
                assert below.get("description"), path + key
                assert below["type" if "type" in below else "enum"] == "object" or below.get("when"), path + key
                walk(below, path + key + ".")

    walk(SCHEMA, "")


def test_every_key_is_explained_in_the_readme():
    text = (REPOSITORY / "config/README.md").read_text()
    missing = [".".join(path) for path in LEAVES if "`{}`".format(".".join(path).replace("*", "<name>")) not in text]
    assert missing == []


def test_the_readme_names_what_no_run_may_be_called():
    text = (REPOSITORY / "config/README.md").read_text()
    (listed,) = re.findall(r"uses itself in `results/`\s+\(([^)]*)\)", text)
    assert re.findall("`([^`]+)`", listed) == SCHEMA["properties"]["runs"]["propertyNames"]["not"]["enum"]


def named_in(module, text):
    """The names that the line with `text` of a module of the package lists."""
    (line,) = re.findall(re.escape(text) + "(.*)", (REPOSITORY / "workflow/scripts/densedepth" / module).read_text())
    return re.findall(r'"(\w+)":', line)


def test_the_schema_names_what_the_code_knows():
    assert LEAVES["model", "encoder"]["enum"] == sorted(model.BLOCKS)
    assert LEAVES["evaluate", "protocols"]["items"]["enum"] == list(protocols.NAMES)
    assert LEAVES["evaluate", "metrics"]["items"]["enum"] == list(more_metrics.NAMES)
    assert LEAVES[("platform",)]["enum"] == named_in("platforms/__init__.py", "KINDS = ")


@pytest.mark.parametrize("name", sorted(ranges.SETTINGS))
def test_the_programs_have_the_ranges_of_the_schema(name):
    schema = LEAVES[tuple(name.split("."))]
    schema = schema["items"] if schema["type"] == "array" else schema
    found = {key: schema[key] for key in ("type", *ranges.PHRASES) if key in schema}
    found["type"] = next(kind for kind in ("integer", "number") if kind in found["type"])
    assert found == ranges.SETTINGS[name]


def test_the_program_checks_files_laid_over_each_other(tmp_path):
    program = [sys.executable, str(REPOSITORY / "workflow/scripts/check_config.py")]
    base = str(REPOSITORY / "config/config.yaml")
    (tmp_path / "bad.yaml").write_text("train:\n  epochs: 3\n  steps: 0\n")

    good = subprocess.run([*program, base], capture_output=True, text=True)
    assert good.returncode == 0 and "the configuration is valid" in good.stdout
    bad = subprocess.run([*program, base, str(tmp_path / "bad.yaml")], capture_output=True, text=True)
    assert bad.returncode == 1
    assert "config: train.steps = 0: must be at least 1\n" in bad.stderr
    gone = subprocess.run([*program, str(tmp_path / "gone.yaml")], capture_output=True, text=True)
    assert gone.returncode == 1 and "gone.yaml: No such file" in gone.stderr


ODD_FILES = {
    "self.yaml": ("data: &a\n  x: *a\n", "contains itself by an alias"),
    "list.yaml": ("runs: &a [*a]\n", "contains itself by an alias"),
    "tag.yaml": ('runs: !!python/object/apply:os.system ["echo"]\n', "invalid YAML or JSON (could not determine"),
    "deep.yaml": ("seed: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
    "deep.json": ('{"seed": ' + "[" * 3000 + "]" * 3000 + "}", "nested too deeply"),
    "twice.json": ('{"seed": 1, "seed": 2}', "duplicate key seed"),
}


@pytest.mark.parametrize("name", sorted(ODD_FILES))
def test_a_file_that_is_no_plain_settings_is_one_line(tmp_path, name):
    content, expected = ODD_FILES[name]
    (tmp_path / name).write_text(content)
    program = [sys.executable, str(REPOSITORY / "workflow/scripts/check_config.py")]
    done = subprocess.run([*program, str(tmp_path / name)], capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert name in done.stderr and expected in done.stderr


def test_snakemake_refuses_bad_settings_before_any_job(project):
    settings = project.configure({"train": {"steps": 0, "keep_epoch": [1]}})
    output = project.snakemake(*settings, fails=True)
    assert "config: train.keep_epoch: unknown key; did you mean keep_epochs?" in output
    assert "config: train.steps = 0: must be at least 1" in output
    assert "Traceback" not in output
    assert not project.path("results").exists()


def test_snakemake_refuses_a_file_that_is_no_plain_settings_in_one_line(project):
    """Those of `--configfile` are Snakemake's own to read: config/README.md names the program above for them."""
    for name in ("tag.yaml", "deep.yaml"):
        content, expected = ODD_FILES[name]
        project.path("config/config.yaml").write_text(content)
        output = project.snakemake("-n", fails=True)
        assert "config/config.yaml: " + expected in output and "Traceback" not in output


def test_the_range_of_a_network_trained_elsewhere_goes_to_its_import(project):
    project.path("dataset").mkdir()
    project.path("dataset/kitti.h5").write_text("by hand")
    project.path("a.png").write_text("by hand")
    network = {"file": "dataset/kitti.h5", "size": [384, 1280], "max_depth": 80}
    predictions = {"mine": {"input": ["a.png"], "run": "published/kitti"}}
    settings = project.configure({"pretrained": {"kitti": network}, "predictions": predictions})
    targets = ["results/published/kitti/inference/examples.png", "results/predictions/mine"]
    words = " ".join(project.snakemake("-n", "-p", *targets, *settings).split())
    assert re.search(r"import_model.py .* --size 384 1280 --max_depth 80 ", words)
    # The side file of the frozen graph tells the programs that predict.
    assert "--maxdepth" not in words and "test.py" in words and "predict.py" in words


def test_nested_values_of_the_command_line_have_the_types_of_the_schema():
    words = {
        "seed": 3,
        "train": {"batch_size": "8", "keep_epochs": ["1", "x"], "is_loss_scale": "True", "learning_rate": "1e-4"},
        "data": {"train_archive": "12", "height": "6.5"},
        "runs": {"8p": {"devices": "2"}},
    }
    assert configuration.typed(words, SCHEMA) == {
        "seed": 3,
        "train": {"batch_size": 8, "keep_epochs": [1, "x"], "is_loss_scale": True, "learning_rate": 1e-4},
        "data": {"train_archive": "12", "height": "6.5"},
        "runs": {"8p": {"devices": 2}},
    }


def test_jobs_get_the_nested_values_of_the_command_line(project):
    words = ("sample={'train_scenes': 1, 'test_scenes': 1}", "data={'shards': 1}", "report={'gallery': 1}")
    project.snakemake("--cores", "1", "results/sample/nyu_test.zip", "--config", *words)
    with zipfile.ZipFile(project.path("results/sample/nyu_test.zip")) as archive:
        assert np.load(archive.open("eigen_test_depth.npy")).shape[0] == 1
    assert 'train.steps = "x": must be a whole number' in project.snakemake(
        "-n", "--config", "train={'steps': x}", fails=True
    )


OLD_NAMES = {
    "published": {"nyu": "dataset/nyu.h5"},
    "data": {"halving": "pick", "pictures": {"csv": "pairs.csv", "hole": -1}, "height": 64},
    "train": {"swap_probability": 0.25},
}
NEW_NAMES = {
    "pretrained": {"nyu": "dataset/nyu.h5"},
    "data": {"target_downsampling": "nearest", "custom": {"csv": "pairs.csv", "invalid": -1}, "height": 64},
    "train": {"channel_shuffle_probability": 0.25},
}


def test_old_names_are_read_as_the_new_ones_with_one_warning():
    before = copy.deepcopy(OLD_NAMES)
    config, warning = old_names.renamed(configuration.merge(CONFIG, OLD_NAMES))
    assert config == configuration.merge(CONFIG, NEW_NAMES)
    assert before == OLD_NAMES and len(warning.splitlines()) == 1
    for words in (
        "published is now pretrained",
        "data.pictures.hole is now data.custom.invalid",
        "data.pictures is now data.custom",
        "data.halving is now data.target_downsampling",
        "train.swap_probability is now train.channel_shuffle_probability",
    ):
        assert words in warning
    assert old_names.renamed(config) == (config, "")
    assert configuration.problems(config, SCHEMA)[0].startswith("config: data.examples: contains images of the")


@pytest.mark.parametrize("odd", [{"data": 3}, {"data": {"pictures": 3}}, {"data": {"halving": []}}, {"train": None}])
def test_old_names_in_what_is_no_mapping_are_refused_as_ever(odd):
    config, _ = old_names.renamed(configuration.merge(CONFIG, odd))
    assert configuration.problems(config, SCHEMA)


def test_old_names_in_a_file_and_on_the_command_line(project):
    settings = project.configure({"train": {"swap_probability": 0.25}, "published": {"nyu": "dataset/nyu.h5"}})
    words = ["--dry-run", "-p", "results/1p/checkpoints/epoch2/model.json", *settings, "--config"]
    output = project.snakemake(*words, "data={'halving': 'pick'}", "train={'channel_shuffle_probability': 0.75}")
    assert "--halving pick" in output and "--swap_probability 0.75" in output
    (warning,) = re.findall("warning: .*", output)
    assert "published is now pretrained" in warning and "data.halving is now data.target_downsampling" in warning
    assert "is now" not in project.snakemake("--dry-run", "--config", "data={'target_downsampling': 'nearest'}")


def test_the_home_folder_in_every_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    schema = configuration.schema("workflow/schemas/config.schema.yaml")
    given = {
        "python": "~/bin/python",
        "download_cache": "~/cache",
        "data": {"train_archive": "~/a.zip", "custom": {"csv": "~/p.csv"}, "examples": ["~/*.png", "b~.png"]},
        "pretrained": {"nyu": "~/nyu.h5", "own": {"file": "~/own.index"}},
        "predictions": {"holiday": {"input": ["~/holiday"], "run": "~"}},
        "runs": {"1p": {"weights": "~/w.h5", "train": {"weights": "~/v.h5"}}},
    }
    expected = json.loads(json.dumps(given).replace("~/", "/home/somebody/"))
    assert configuration.with_home(given, schema) == expected
