"""Settings of the recipe and the evaluation: what is refused, and that older files of settings need not have them; and
what is looked for beside a value that is wrong."""

import pytest
from conftest import REPOSITORY
from densedepth import configuration, contradictions, provenance

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


@pytest.mark.parametrize("overlay", ["nyu.yaml", "custom.yaml"])
def test_what_is_looked_for_between_keys_needs_no_other_section_than_it_says(overlay):
    config = configuration.merge(CONFIG, configuration.read(str(REPOSITORY / "config" / overlay)))
    for check, needed in contradictions.BETWEEN:
        assert list(check({key: config[key] for key in needed or config})) == []
    every = provenance.missing(config)
    for section in config:
        assert set(provenance.missing({key: config[key] for key in config if key != section})) <= set(every)


def test_a_key_with_a_dot_is_told_as_what_it_stands_for():
    found = configuration.problems(dict(CONFIG, **{"train.steps": 4}), SCHEMA)
    assert found == ["config: train.steps: no dots in keys; write train: {steps: ...}"]


def test_a_copy_of_older_settings_goes_on_to_work():
    train = {key: value for key, value in CONFIG["train"].items() if key not in ("schedule", "loss", "max_zoom")}
    evaluate = {key: value for key, value in CONFIG["evaluate"].items() if key != "metrics"}
    older = dict(CONFIG, train=train, evaluate=evaluate)
    assert configuration.completed(older, SCHEMA) == configuration.completed(CONFIG, SCHEMA)
