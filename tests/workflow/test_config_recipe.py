"""Settings of the recipe and the evaluation: what is refused, and that older files of settings need not have them; and
what is looked for beside a value that is wrong."""

import copy

import pytest
from conftest import REPOSITORY
from densedepth import configuration, illegal, provenance

SCHEMA = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
CONFIG = configuration.read(str(REPOSITORY / "config/config.yaml"))


@pytest.mark.parametrize(
    "path, value, expected",
    [
        ("train.schedule", "step", 'train.schedule = "step": must be one of exponential, cosine'),
        ("train.loss", "l2", 'train.loss = "l2": must be one of densedepth, silog, berhu'),
        ("train.warmup_steps", 440, "train.warmup_steps = 440: must be less than the 440 steps of the run"),
        ("train.max_zoom", 0.5, "config: train.max_zoom = 0.5: must be at least 1"),
        ("train.brightness", 1, "config: train.brightness = 1: must be less than 1"),
        ("train.frozen_encoder_epochs", 1, "train.frozen_encoder_epochs = 1: an encoder of random weights cannot be"),
        (
            "evaluate.metrics",
            ["mae", "plane_flatness"],
            'evaluate.metrics[1] = "plane_flatness": needs the planes of the test images: set evaluate.planes',
        ),
        (
            "runs.1p",
            {"devices": 2, "train": {"warmup_steps": 220}},
            "runs.1p.train.warmup_steps = 220: must be less than the 220 steps of the run",
        ),
    ],
)
def test_a_recipe_that_cannot_be_used_is_one_line(path, value, expected):
    section, key = path.split(".")
    (line,) = configuration.problems(configuration.merge(CONFIG, {section: {key: value}}), SCHEMA)
    assert expected in line


@pytest.mark.parametrize(
    "where, words",
    [
        (
            {"platform": "ascend"},
            "is for processors; give npu_options: {precision_mode_v2: mixed_bfloat16} on chips that have it, or leave",
        ),
        ({"runtime": "tf1"}, "TensorFlow 1.15 does not know it; use runtime: tf2"),
    ],
)
def test_bfloat16_where_no_training_has_it_is_one_line(where, words):
    asked = {"precision_mode": "mixed_bfloat16"}
    for overlay, key in (({"train": asked}, "train"), ({"runs": {"1p": {"train": asked}}}, "runs.1p.train")):
        config = configuration.merge(configuration.merge(CONFIG, overlay), where)
        (line,) = configuration.problems(config, SCHEMA)
        assert line.startswith('config: {}.precision_mode = "mixed_bfloat16": {}'.format(key, words))
        assert configuration.problems(configuration.merge(CONFIG, overlay), SCHEMA) == []
    # What a Python of one's own knows is not known here.
    theirs = configuration.merge(CONFIG, {"train": asked, "runtime": "tf1", "python": "python3"})
    assert configuration.problems(theirs, SCHEMA) == []


@pytest.mark.parametrize(
    "section, key, value, expected",
    [
        ("external", "x", {"unit": "metres"}, "config: external.x: give either predictions or network"),
        ("external", "x", {"predictions": "a", "network": "b", "unit": "metres"}, "give either predictions or network"),
        (
            "external",
            "x",
            {"predictions": "a", "unit": "metres", "mean": [0, 0, 0]},
            "external.x.mean = [0, 0, 0]: is of",
        ),
        ("external", "x", {"network": "a", "unit": "metres", "deviation": [1, 0, 1]}, "deviation[1] = 0: must be more"),
        ("evaluate", "metrics", ["ssim"], 'evaluate.metrics[0] = "ssim": must be one of sq_rel'),
        ("evaluate", "metrics", "some", 'evaluate.metrics = "some": must be all, or a list of their names'),
    ],
)
def test_what_cannot_be_measured_is_one_line(section, key, value, expected):
    (line,) = configuration.problems(configuration.merge(CONFIG, {section: {key: value}}), SCHEMA)
    assert expected in line


def missing_or_wrong(overlay):
    config = configuration.completed(configuration.merge(CONFIG, overlay), SCHEMA)
    found, usable = configuration.checked(config, SCHEMA)
    return [line.split(": ")[1].split(" = ")[0] for line in found + provenance.missing(usable)]


@pytest.mark.parametrize(
    "overlay, expected",
    [
        (
            {
                "data": {"height": 65},
                "train": {"accumulate": 3, "keep_epochs": [2, 9]},
                "evaluate": {"protocols": ["bts"]},
            },
            {"data.height", "train.accumulate", "train.keep_epochs[1]", "evaluate.protocols"},
        ),
        (
            {"seed": "x", "data": {"examples": ["gone.png"], "train_archive": "gone.zip", "test_archive": "gone2.zip"}},
            {"seed", "data.examples[0]", "data.train_archive", "data.test_archive"},
        ),
        (
            {
                "seed": "x",
                "data": {"custom": {"csv": "gone.csv"}, "examples": []},
                "evaluate": {"protocols": ["port"]},
            },
            {"seed", "data.custom.csv"},
        ),
        (
            {"colour": 1, "train": {"accumulate": 3, "weights": "gone.h5"}},
            {"colour", "train.accumulate", "train.weights"},
        ),
        (
            {
                "predictions": {"a": {"input": 3}, "b": {"input": ["x.png"], "run": "gone"}},
                "runs": {"1p": {"train": {"keep_epochs": [99]}}},
            },
            {"predictions.a.input", "predictions.b.run", "runs.1p.train.keep_epochs[0]"},
        ),
        ({"data": {"mixture": {"a": {"csv": "x.csv", "weight": 0}}}}, {"data.mixture.a.weight", "data.mixture"}),
        # What resembles a key is taken for it.
        (
            {"trian": {"epochs": 99}, "train": {"keep_epochs": [99]}, "evaluate": {"protocols": ["bts"]}},
            {"trian", "evaluate.protocols"},
        ),
        # A run of a sweep that is illegal may be the one that is meant.
        (
            {"sweeps": {"s": {"grid": {"seed": ["x", 1]}}}, "predictions": {"a": {"input": ["x"], "run": "s-seed_1"}}},
            {"sweeps.s.grid.seed[0]"},
        ),
        (
            {"sweeps": {"s": {"base": {}}}, "predictions": {"a": {"input": ["x"], "run": "s-seed_1"}}},
            {"sweeps.s"},
        ),
    ],
)
def test_a_check_waits_only_for_what_it_reads(overlay, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = missing_or_wrong(overlay)
    assert sorted(found) == sorted(expected)


def places(value, path=()):
    """The paths of all that is in nested settings."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield [*path, key]
        yield from places(item, [*path, key])


@pytest.mark.parametrize("overlay", ["nyu.yaml", "custom.yaml"])
def test_a_value_that_is_illegal_hides_faults_and_makes_none(overlay, tmp_path, monkeypatch):
    """Whichever it is: nothing stumbles over it."""
    monkeypatch.chdir(tmp_path)
    faults = {
        "data": {"examples": ["gone.png"]},
        "train": {"accumulate": 3, "keep_epochs": [999], "weights": "published/gone", "patience": 1},
        "evaluate": {"protocols": ["garg"]},
        "external": {"x": {"unit": "disparity", "mean": [0, 0, 0]}},
        "predictions": {"a": {"input": ["x"], "run": "gone", "scale": [2, 1]}},
        "runs": {"1p": {"train": {"keep_epochs": [998]}, "weights": "published/gone"}},
        "sweeps": {"s": {"grid": {"seed": [1, 2]}}},
    }
    config = configuration.merge(CONFIG, configuration.read(str(REPOSITORY / "config" / overlay)))
    config = configuration.completed(configuration.merge(config, faults), SCHEMA)

    def told(settings):
        found, usable = configuration.checked(settings, {})
        return {*found, *provenance.missing(usable)}

    every = told(config)
    assert len(every) > 10
    for path in places(config):
        changed = copy.deepcopy(config)
        illegal.put(changed, path)
        assert told(changed) <= every, path


def test_a_key_with_a_dot_is_told_as_what_it_stands_for():
    found = configuration.problems(dict(CONFIG, **{"train.steps": 4}), SCHEMA)
    assert found == ["config: train.steps: no dots in keys; write train: {steps: ...}"]


def test_a_copy_of_older_settings_goes_on_to_work():
    train = {key: value for key, value in CONFIG["train"].items() if key not in ("schedule", "loss", "max_zoom")}
    evaluate = {key: value for key, value in CONFIG["evaluate"].items() if key != "metrics"}
    older = dict(CONFIG, train=train, evaluate=evaluate)
    assert configuration.completed(older, SCHEMA) == configuration.completed(CONFIG, SCHEMA)
