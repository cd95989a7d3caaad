"""Files that no report is made of are refused by file and key."""

import json
import os

import pytest
import report as program
from densedepth.errors import PipelineError
from densedepth.report import inputs, sections
from result_files import Results, row_of


def test_a_page_of_nothing_or_of_half_a_run_is_refused(sample, capsys):
    words = ["--out", sample.out, "--baseline", sample.baseline, "--settings", sample.write("settings.json", {})]
    assert program.main(words) == 1
    words += ["--evaluation", *sample.flags["evaluation"], "--checkpoint", *sample.flags["checkpoint"]]
    assert program.main(words) == 1
    assert program.main([*words, "--figures", sample.figures]) == 1
    message = capsys.readouterr().err
    assert "nothing to report" in message and "--figures: missing" in message and "--data: missing" in message


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


def test_what_was_seen_of_each_set_of_a_mixture(sample):
    assert "each pair seen" not in sample.make()
    sets = [{"name": "nyu", "weight": 1.0, "records": 160}, {"name": "sunrgbd", "weight": 0.5, "records": 80}]
    sample.edit(sample.data, lambda data: data.update(sets=sets))
    text = sample.make()
    # 180 steps of 4 samples, of which each pass has 160 + 40.
    assert row_of(text, "Inputs", "nyu") == ["nyu", "160", "1", "80.0%", "3.6"]
    assert row_of(text, "Inputs", "sunrgbd") == ["sunrgbd", "80", "0.5", "20.0%", "1.8"]


def test_runs_are_sorted_by_the_numbers_in_their_names():
    rates = ["s-rate_1e-05-seed_0", "s-rate_0.0001-seed_0", "s-rate_0.0001-seed_1", "s-rate_0.001-seed_0"]
    names = [*rates, "1p", "2p", "10p"]
    assert sorted(set(names), key=inputs.natural) == names
