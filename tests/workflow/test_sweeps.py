"""Sweeps: the runs that a grid and seeds make, their report, and what is refused before anything runs."""

import json
import re

import pytest
import yaml
from conftest import REPOSITORY, overlay
from densedepth import configuration, old_names, replacement, sweeps

SCHEMA = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
CONFIG = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())

RATES = {"train.learning_rate": [0.0001, 0.0003]}


def with_sweeps(**rules):
    return dict(CONFIG, sweeps=rules)


def names(rule, **config):
    return list(sweeps.members(dict(with_sweeps(s=rule), **config), "s"))


def refusal(**rules):
    (line,) = configuration.problems(with_sweeps(**rules), SCHEMA)
    return line


def test_runs_are_named_by_their_values():
    rule = {"grid": {"train.keep_epochs": [[2, 4]], **RATES, "model.mid_activation": [False]}, "seeds": 2}
    expected = ["s-mid_activation_false-keep_epochs_2_4-learning_rate_{}-seed_{}"]
    expected = [expected[0].format(rate, seed) for rate in ("0.0001", "0.0003") for seed in (0, 1)]
    assert names(rule) == expected
    # The order of the keys does not matter, and the base is that of all runs.
    rule["grid"] = dict(reversed(rule["grid"].items()))
    rule["base"] = {"seed": 7, "train": {"epochs": 4}}
    found = sweeps.members(with_sweeps(s=rule), "s")
    assert list(found) == [name.replace("seed_1", "seed_8").replace("seed_0", "seed_7") for name in expected]
    own = {"epochs": 4, "keep_epochs": [2, 4], "learning_rate": 0.0003}
    assert found[expected[-1][:-1] + "8"] == {"seed": 8, "train": own, "model": {"mid_activation": False}}
    assert rule["base"] == {"seed": 7, "train": {"epochs": 4}}
    # Keys of one name are told apart, and what no file may be called is left out.
    grid = {"train.batch_size": [1], "evaluate.batch_size": [2], "train.weights": ["published/a b"]}
    assert names({"grid": grid}) == ["s-evaluate.batch_size_2-train.batch_size_1-weights_published_a_b"]
    assert names({"seeds": [5, 3]}) == ["s-seed_5", "s-seed_3"]


def test_a_combination_that_is_a_run_already_is_that_run():
    rule = {"grid": {"train.learning_rate": [CONFIG["train"]["learning_rate"], 0.001]}}
    assert names(rule) == ["1p", "s-learning_rate_0.001"]
    whole = sweeps.expanded(with_sweeps(s=rule))
    assert list(whole["runs"]) == ["1p", "s-learning_rate_0.001"]
    assert configuration.problems(with_sweeps(s=rule), SCHEMA) == []
    # A workflow that is used twice as a module has its settings expanded already.
    assert sweeps.expanded(whole) == whole and configuration.problems(whole, SCHEMA) == []
    assert sweeps.origins(whole) == {"s-learning_rate_0.001": "s"}


def test_a_sweep_is_planned_with_its_report_alone(project):
    rule = {"base": {"train": {"epochs": 1}}, "grid": RATES, "seeds": 2}
    settings = project.configure({"sweeps": {"lr": rule}})
    output = project.snakemake("-n", "-p", "results/sweeps/lr/report.md", *settings)
    plan = project.jobs(output)
    expected = ("train_model", "evaluate_checkpoint", "freeze_graph", "infer_frozen_graph", "draw_gallery")
    assert [plan[name] for name in (*expected, "convert_records")] == [4, 4, 4, 4, 4, 1]
    words = " ".join(output.split())
    trained = set(re.findall(r"--name (\S+) .*?--lr (\S+) .*?--seed (\d)", words))
    rates = ((rate, seed) for rate in ("0.0001", "0.0003") for seed in "01")
    assert trained == {("lr-learning_rate_{}-seed_{}".format(*pair), *pair) for pair in rates}
    reported = words[words.index("report.py --out results/sweeps/lr/report.md") :]
    assert "results/1p" not in reported and reported.count("/gallery/gallery.json") == 4
    given = json.loads(re.search(r"<<<'({.*?})' ", reported).group(1))
    assert len(given["runs"]) == 4 and "sweeps" not in given
    # All that the settings list is what `all` makes; the main report is that of the runs.
    whole = project.snakemake("-n", "-p", *settings)
    plan = project.jobs(whole)
    assert (plan["report_sweep"], plan["write_report"], plan["train_model"], plan["predict_examples"]) == (1, 1, 6, 1)
    main = " ".join(whole.split()).partition("report.py --out results/report.md")[2].partition("<<<")[0]
    assert "results/1p/" in main and "results/lr-" not in main
    output = project.snakemake("-n", "results/sweeps/rl/report.md", *settings, fails=True)
    assert "results/sweeps/rl: sweeps has only lr; was it in a file" in output


def test_a_sweep_added_to_a_finished_pipeline_touches_no_run_and_not_the_report(finished):
    rates = {"train.learning_rate": [CONFIG["train"]["learning_rate"], 0.001]}
    planned = finished.planned(*overlay(finished, sweeps={"lr": {"grid": rates}}))
    once = ("freeze_graph", "infer_frozen_graph", "draw_gallery", "report_sweep", "all")
    assert planned == {"train_model": 2, "evaluate_checkpoint": 2, **dict.fromkeys(once, 1)}


@pytest.mark.parametrize(
    "rule, expected",
    [
        ({"gird": {}}, "config: sweeps.s.gird: unknown key; did you mean grid?"),
        ({"grid": {}}, "config: sweeps.s.grid = {}: must have at least 1 entry"),
        ({"grid": {"seed": []}}, "config: sweeps.s.grid.seed = []: must have at least 1 item"),
        ({}, "config: sweeps.s: gives neither grid nor seeds, so it is one run; name it under runs"),
        (
            {"grid": {"train.learnig_rate": [1]}},
            "grid.train.learnig_rate: unknown key; did you mean train.learning_rate?",
        ),
        ({"grid": {"train": [{}]}}, "config: sweeps.s.grid.train: is a section; name its settings as train."),
        ({"grid": {"data.shards": [2]}}, "config: sweeps.s.grid.data.shards: is common to all runs; legal here: data."),
        ({"grid": {"train.learning_rate": 0.1}}, "config: sweeps.s.grid.train.learning_rate = 0.1: must be a list"),
        ({"grid": {"train.learning_rate": [0.1, 2]}}, "sweeps.s.grid.train.learning_rate[1] = 2: must be at most 1"),
        ({"grid": {"train.learning_rate": [0.1, 0.1]}}, "= [0.1, 0.1]: must not contain duplicates"),
        ({"base": {"train": {"epoch": 2}}, "seeds": 2}, "config: sweeps.s.base.train.epoch: unknown key; did you mean"),
        ({"base": {"om": {}}, "seeds": 2}, "config: sweeps.s.base.om: is common to all runs"),
        ({"seeds": [1, 1]}, "config: sweeps.s.seeds = [1, 1]: must not contain duplicates"),
        ({"seeds": 0}, "config: sweeps.s.seeds = 0: must be at least 1"),
        ({"seeds": []}, "config: sweeps.s.seeds = []: must have at least 1 item"),
        ({"seeds": 2, "grid": {"seed": [1]}}, "config: sweeps.s.seeds = 2: give this or seed in the grid, not both"),
        (
            {"seeds": 2, "base": {"seed": 2147483647}},
            "config: sweeps.s.seeds = 2: counts on from the seed to more than",
        ),
        (
            {"seeds": 1000, "grid": {"train.steps": list(range(1, 1001)), "train.epochs": list(range(1, 1001))}},
            "config: sweeps.s: is of 1000000000 runs; if that is meant, say so with max_runs: 1000000000",
        ),
        ({"seeds": 201}, "config: sweeps.s: is of 201 runs; if that is meant, say so with max_runs: 201"),
        ({"seeds": 3, "max_runs": 2}, "config: sweeps.s: is of 3 runs; if that is meant, say so with max_runs: 3"),
        (
            {"grid": {"train.weights": ["published/a b", "published/a/b"]}},
            "config: sweeps.s: its run s-weights_published_a_b has the name of one of sweeps.s; rename one",
        ),
        (
            {"grid": {"train.keep_epochs": [list(range(1, 99))]}},
            "has a name of 298 characters, more than 150; take fewer",
        ),
        # What a run of its own would be refused for, once for all of a sweep.
        (
            {"base": {"train": {"keep_epochs": [9]}}, "grid": RATES},
            "sweeps.s, its run s-learning_rate_0.0001, train.keep_epochs[0] = 9: must be at most train.epochs = 4",
        ),
        ({"grid": {"train.weights": ["published/x"]}}, 'weights_published_x, train.weights = "published/x": no such'),
    ],
)
def test_a_bad_sweep_is_refused_in_one_line(rule, expected):
    assert expected in refusal(s=rule)


def test_sweeps_that_do_not_go_with_other_runs_are_refused():
    line = refusal(a={"grid": RATES}, b={"grid": {"train.learning_rate": [0.0003]}})
    assert line.startswith("config: sweeps.b, its run b-learning_rate_0.0003: equal to a-learning_rate_0.0003 in all")
    config = with_sweeps(s={"seeds": [3]})
    config["runs"] = {"s-seed_3": {"seed": 4}}
    (line,) = configuration.problems(config, SCHEMA)
    assert "config: sweeps.s: its run s-seed_3 has the name of another one of runs; rename one" in line
    assert configuration.problems(with_sweeps(s={"seeds": 201, "max_runs": 201}), SCHEMA) == []


def test_a_bad_sweep_stops_snakemake_before_anything_runs(project):
    output = project.snakemake(*project.configure({"sweeps": {"s": {"seeds": [1, 1]}}}), fails=True)
    assert "config: sweeps.s.seeds = [1, 1]: must not contain duplicates" in output
    assert not project.path("results").exists()
    typed = configuration.typed({"sweeps": {"s": {"seeds": "2", "grid": {"train.steps": ["3"]}}}}, SCHEMA)
    assert typed == {"sweeps": {"s": {"seeds": 2, "grid": {"train.steps": [3]}}}}


def test_old_names_are_accepted_in_runs_and_sweeps_with_one_warning():
    old = {"data": {"halving": "mean"}, "train": {"swap_probability": 0.1}}
    new = {"data": {"target_downsampling": "area"}, "train": {"channel_shuffle_probability": 0.1}}
    rule = {"base": old, "grid": {"data.halving": ["pick", "mean"], "seed": [1]}}
    config, warning = old_names.renamed({"runs": {"a": old, "b": None}, "sweeps": {"s": rule, "t": None}})
    grid = {"data.target_downsampling": ["nearest", "area"], "seed": [1]}
    assert config == {"runs": {"a": new, "b": None}, "sweeps": {"s": {"base": new, "grid": grid}, "t": None}}
    assert warning.startswith("warning: config: runs.a.data.halving is now runs.a.data.target_downsampling, ")
    assert "sweeps.s.grid.data.halving is now sweeps.s.grid.data.target_downsampling" in warning
    assert warning.count("\n") == 0 and warning.count("is now") == 5
    assert old == {"data": {"halving": "mean"}, "train": {"swap_probability": 0.1}}


def test_a_changed_sweep_is_told_in_one_line_for_all_its_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rule = {"base": {"train": {"batch_size": 2}}, "grid": RATES}
    config = sweeps.expanded(with_sweeps(s=rule))
    jobs = {("train_model", run) for run in config["runs"]}
    for run in sweeps.members(config, "s"):
        folder = tmp_path / "results" / run / "checkpoints/epoch1"
        folder.mkdir(parents=True)
        (folder / "model.json").write_text('{"start": null, "weights": null, "training": {"batch_size": 4}}')
    (line,) = replacement.changes(config, jobs)
    assert line == (
        "train.batch_size 4 -> 2: trains s-learning_rate_0.0001, s-learning_rate_0.0003 again from the first epoch; "
        "to keep both, set this for a new run, runs.<name>, or a new sweep"
    )
    # Of many runs, the first ones are named.
    config["runs"] = {"r{}".format(number): {"train": {"batch_size": 2}} for number in range(9)}
    for run in config["runs"]:
        folder = tmp_path / "results" / run / "checkpoints/epoch1"
        folder.mkdir(parents=True)
        (folder / "model.json").write_text('{"start": null, "weights": null, "training": {"batch_size": 4}}')
    (line,) = replacement.changes(config, {("train_model", run) for run in config["runs"]})
    assert "trains r0, r1, r2, and 6 more again" in line
