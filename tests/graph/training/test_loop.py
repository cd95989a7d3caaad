"""The training loop: cut anywhere, killed anywhere, the weights are the same."""

import os
import signal
import subprocess

import numpy as np
import pytest
import trainings
import two_layers
from densedepth.data.records import RecordIndex
from densedepth.errors import PipelineError
from densedepth.network import checkpoints
from densedepth.tf import tf
from densedepth.training import checks, loss, step_graph
from densedepth.training import loop as training
from scenes import write_holed_records
from trainings import assert_same, history, settings, train, values


@pytest.fixture(scope="module")
def whole(records, tmp_path_factory, shallow):
    """Three epochs in one call, keeping the first and the last."""
    folder = tmp_path_factory.mktemp("whole") / "checkpoints"
    train(records, folder, 0, 3, kept=(1,))
    return folder


@pytest.fixture(scope="module")
def small_whole(records, tmp_path_factory):
    """The same of a network of two layers, for what does not depend on the network."""
    folder = tmp_path_factory.mktemp("small_whole") / "checkpoints"
    with two_layers.used():
        train(records, folder, 0, 3, kept=(1,))
    return folder


def test_a_chain_of_segments_equals_one_call(records, tmp_path, whole):
    chain = tmp_path / "chain" / "checkpoints"
    train(records, chain, 0, 1)
    train(records, chain, 1, 3, start=str(chain / "epoch1"))
    assert_same(whole / "epoch1", chain / "epoch1")
    assert_same(whole / "epoch3", chain / "epoch3")
    for epoch in ("epoch1", "epoch3"):
        one, two = history(whole / epoch), history(chain / epoch)
        assert [e["global_step"] for e in one] == [e["global_step"] for e in two]
        np.testing.assert_allclose([e["loss"] for e in one], [e["loss"] for e in two], rtol=1e-5)


def test_what_a_checkpoint_holds(whole):
    assert sorted(os.listdir(str(whole))) == ["epoch1", "epoch3", "state", "training.json"]
    assert os.listdir(str(whole / "state")) == ["lock"]
    assert sorted(os.listdir(str(whole / "epoch3"))) == [
        "checkpoint",
        "history.jsonl",
        "model.ckpt.data-00000-of-00001",
        "model.ckpt.index",
        "model.json",
    ]
    checkpoint = checkpoints.find(str(whole))
    assert checkpoint.folder == str(whole / "epoch3")
    checkpoints.verify(checkpoint)
    side = checkpoint.side
    assert (side["epoch"], side["global_step"], side["size"]) == (3, 9, [64, 96])
    assert side["model"] == settings().model.as_dict()
    assert side["runtime"]["tensorflow"] == tf.VERSION
    assert side["data"]["records"] == 8
    assert side["performance"]["step_ms"] > 0 and side["performance"]["timed_steps"] == 6
    stored = values(whole / "epoch3")
    assert stored["global_step"] == 9
    assert {"beta1_power", "beta2_power", "conv3/bias/Adam", "conv3/bias/Adam_1", "bn/moving_mean"} <= set(stored)
    assert np.abs(stored["bn/moving_mean"]).max() > 0


def test_history_counts_every_step_once_with_the_rate_of_its_epoch(whole):
    entries = history(whole / "epoch1") + history(whole / "epoch3")
    assert [(e["epoch"], e["step"], e["steps"]) for e in entries] == [
        (1, 2, 2),
        (1, 3, 1),
        (2, 2, 2),
        (2, 3, 1),
        (3, 2, 2),
        (3, 3, 1),
    ]
    np.testing.assert_allclose([e["learning_rate"] for e in entries[::2]], [1e-3, 5e-4, 2.5e-4])
    for entry in entries:
        np.testing.assert_allclose(entry["loss"], 0.1 * entry["l1"] + entry["gradient"] + entry["ssim"], rtol=1e-4)


def test_tensorboard_events_follow_the_history(whole):
    folder = os.path.join(str(whole), os.pardir, "tensorboard")
    (name,) = os.listdir(folder)
    losses = {
        event.step: value.simple_value
        for event in tf.train.summary_iterator(os.path.join(folder, name))
        for value in event.summary.value
        if value.tag == "train/loss"
    }
    entries = history(whole / "epoch1") + history(whole / "epoch3")
    assert sorted(losses) == [e["global_step"] for e in entries]
    np.testing.assert_allclose([losses[e["global_step"]] for e in entries], [e["loss"] for e in entries], rtol=1e-6)


def test_the_loss_falls(records, tmp_path, shallow):
    train(records, tmp_path / "checkpoints", 0, 1, steps=40, learning_rate=3e-4)
    losses = [entry["loss"] for entry in history(tmp_path / "checkpoints" / "epoch1")]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


class PowerCut(Exception):
    pass


def interrupt(monkeypatch, after):
    """The process ends without any clean-up of the loop's own after so many steps."""
    step = training._Loop._step

    def dying_step(self):
        if self._position == after:
            raise PowerCut
        return step(self)

    monkeypatch.setattr(training._Loop, "_step", dying_step)


def test_an_interrupted_segment_goes_on_from_its_snapshot(
    records, tmp_path, small_network, small_whole, monkeypatch, capsys
):
    folder = tmp_path / "cut" / "checkpoints"
    with monkeypatch.context() as patch:
        interrupt(patch, after=5)
        with pytest.raises(PowerCut):
            train(records, folder, 0, 3, state_seconds=0)
    train(records, folder, 0, 3)
    assert "resuming from step 5" in capsys.readouterr().out
    assert_same(small_whole / "epoch3", folder / "epoch3")
    assert sum(entry["steps"] for entry in history(folder / "epoch3")) == 9


def test_a_damaged_snapshot_falls_back_to_the_one_before(
    records, tmp_path, small_network, small_whole, monkeypatch, capsys
):
    folder = tmp_path / "cut" / "checkpoints"
    with monkeypatch.context() as patch:
        interrupt(patch, after=5)
        with pytest.raises(PowerCut):
            train(records, folder, 0, 3, state_seconds=0)
    (state,) = [name for name in os.listdir(str(folder / "state")) if name != "lock"]
    newest = folder / "state" / state / "step000000005" / "model.ckpt.data-00000-of-00001"
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2])
    train(records, folder, 0, 3)
    out = capsys.readouterr().out
    assert "skipping a snapshot" in out and "step000000005/model.ckpt.data-00000-of-00001: damaged" in out
    assert "resuming from step 4" in out
    assert_same(small_whole / "epoch3", folder / "epoch3")


def test_a_snapshot_of_other_settings_is_not_resumed(records, tmp_path, small_network, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        interrupt(patch, after=2)
        with pytest.raises(PowerCut):
            train(records, tmp_path / "checkpoints", 0, 1, state_seconds=0)
    train(records, tmp_path / "checkpoints", 0, 1, learning_rate=2e-3)
    assert "resuming" not in capsys.readouterr().out


@pytest.mark.parametrize("module", [loss, step_graph], ids=["loss", "step_graph"])
def test_a_snapshot_of_other_code_is_not_resumed(records, tmp_path, small_network, monkeypatch, capsys, module):
    with monkeypatch.context() as patch:
        interrupt(patch, after=2)
        with pytest.raises(PowerCut):
            train(records, tmp_path / "checkpoints", 0, 1, state_seconds=0)
    with open(module.__file__) as stream:
        (tmp_path / "edited.py").write_text(stream.read() + "# An edit.\n")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "edited.py"))
    train(records, tmp_path / "checkpoints", 0, 1)
    assert "resuming" not in capsys.readouterr().out


def test_what_another_training_has_left_is_moved_aside(records, tmp_path, small_network, capsys):
    folder = tmp_path / "run" / "checkpoints"
    train(records, folder, 0, 2, kept=(1,))
    # As Snakemake does before a job: the outputs of the first segment go, the rest stays.
    (folder / "epoch1" / "model.json").unlink()
    train(records, folder, 0, 1, learning_rate=1e-4)
    assert "replaced/1: the run held this of another training: checkpoints/epoch1, checkpoints/epoch2, tensorboard" in (
        capsys.readouterr().out
    )
    assert sorted(path.name for path in folder.iterdir()) == ["epoch1", "state", "training.json"]
    assert sorted(path.name for path in (tmp_path / "run/replaced/1/checkpoints").iterdir()) == ["epoch1", "epoch2"]
    assert {point["learning_rate"] for point in history(folder / "epoch1")} == {1e-4}
    assert len(list((tmp_path / "run/tensorboard").iterdir())) == 1
    # Segments that follow, and a call that is repeated, are of the same training.
    train(records, folder, 1, 2, start=str(folder / "epoch1"), learning_rate=1e-4)
    train(records, folder, 0, 2, learning_rate=1e-4)
    assert "replaced" not in capsys.readouterr().out


def test_a_repeated_call_goes_on_after_the_kept_checkpoint(
    records, tmp_path, small_network, small_whole, monkeypatch, capsys
):
    folder = tmp_path / "cut" / "checkpoints"
    with monkeypatch.context() as patch:
        interrupt(patch, after=4)
        with pytest.raises(PowerCut):
            train(records, folder, 0, 3, kept=(1,))
    train(records, folder, 0, 3, kept=(1,))
    assert "epoch1, kept by an earlier call" in capsys.readouterr().out
    assert_same(small_whole / "epoch3", folder / "epoch3")


def test_a_damaged_kept_checkpoint_is_trained_again(records, tmp_path, small_network, small_whole, capsys):
    folder = tmp_path / "cut" / "checkpoints"
    train(records, folder, 0, 3, kept=(1, 2))
    (folder / "epoch3" / "model.json").unlink()
    data = folder / "epoch2" / "model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    train(records, folder, 0, 3, kept=(1, 2))
    out = capsys.readouterr().out
    assert "skipping a checkpoint: {}: damaged".format(data) in out
    assert "epoch1, kept by an earlier call" in out
    assert_same(small_whole / "epoch3", folder / "epoch3")


def test_an_overflow_at_a_scale_of_1_stops_whatever_the_norm_is(records):
    """Devices that compute in saturation give a finite norm and tell of the overflow only."""
    with RecordIndex([records]) as index:
        looking = checks.Checks(settings(), index, trainings.cpu())
        values = dict.fromkeys(step_graph.LOSS_PARTS, 1.0)
        values.update(records=[0, 1], figures={"skipped": 1.0, "loss_scale": 2.0})
        assert looking.examine(2, values)["gradient_norm"] == 0.0
        values["figures"]["loss_scale"] = 1.0
        with pytest.raises(PipelineError, match="epoch 1 step 2: gradient_norm is inf; samples data/"):
            looking.examine(2, values)


def test_a_loss_that_is_not_finite_stops_with_step_and_samples(records, tmp_path, small_network):
    folder = tmp_path / "checkpoints"
    with pytest.raises(PipelineError, match=r"epoch 1 step \d+: \w+ is (nan|inf); samples data/scene_\d.jpg .*, data/"):
        train(records, folder, 0, 1, learning_rate=1e30, steps=8)
    assert sorted(os.listdir(str(folder))) == ["state", "training.json"]


def between(known=()):
    """Depth of which `pick` meets no pixel, but for the maps of the numbers `known`."""
    depths = np.zeros((8, 64, 96), np.uint16)
    depths[:, 1::2, 1::2] = 3000
    for number in known:
        depths[number, ::2] = 2000
    return depths


def test_steps_without_a_known_target_stop(tmp_path, small_network, capsys):
    write_holed_records(tmp_path / "x.tfrecords", between())
    folder = tmp_path / "checkpoints"
    message = "epoch 1 step 20: no valid target depth in 20 steps in a row; every .*data.target_downsampling: area"
    with pytest.raises(PipelineError, match=message) as caught:
        train(str(tmp_path / "x.tfrecords"), folder, 0, 2, halving="pick", steps=24)
    assert "\n" not in str(caught.value)
    with pytest.raises(PipelineError, match="epoch 1 step 3: no valid target depth in 3 steps in a row"):
        train(str(tmp_path / "x.tfrecords"), folder, 0, 2, halving="pick")
    assert "2 batches without valid depth" in capsys.readouterr().out
    train(str(tmp_path / "x.tfrecords"), folder, 0, 1, halving="mean")
    assert sum(entry["batches_without_depth"] for entry in history(folder / "epoch1")) == 0


def test_batches_without_a_known_target_are_counted(tmp_path, small_network, capsys):
    write_holed_records(tmp_path / "x.tfrecords", between(known=(0, 1, 2, 3)))
    train(str(tmp_path / "x.tfrecords"), tmp_path / "checkpoints", 0, 1, batch_size=1, steps=8, halving="pick")
    assert sum(entry["batches_without_depth"] for entry in history(tmp_path / "checkpoints" / "epoch1")) == 4
    assert "batches without valid depth" in capsys.readouterr().out


def test_the_run_of_steps_without_a_known_target_outlives_an_interruption(tmp_path, small_network, monkeypatch):
    write_holed_records(tmp_path / "x.tfrecords", between())
    arguments = (str(tmp_path / "x.tfrecords"), tmp_path / "checkpoints", 0, 1)
    with monkeypatch.context() as patch:
        interrupt(patch, after=2)
        with pytest.raises(PowerCut):
            train(*arguments, halving="pick", steps=4, state_seconds=0)
    with pytest.raises(PipelineError, match="epoch 1 step 4: no valid target depth in 4 steps in a row"):
        train(*arguments, halving="pick", steps=4)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(first=1, last=1), "nothing to train"),
        (dict(first=1, last=2), "needs the checkpoint"),
        (dict(first=0, last=1, batch_size=9), r"8 records are fewer .* 9; lower --bs \(train.batch_size\)"),
    ],
)
def test_impossible_segments_are_refused(records, tmp_path, changes, message):
    with pytest.raises(PipelineError, match=message):
        train(records, tmp_path / "checkpoints", **changes)


def test_a_checkpoint_of_another_epoch_is_refused(records, tmp_path, small_network, small_whole):
    with pytest.raises(PipelineError, match="epoch1: is of epoch 1, not 2"):
        train(records, tmp_path / "checkpoints", 2, 3, start=str(small_whole / "epoch1"))


OPTIONS = "--epochs 2 --steps 40 --bs 1"


def command(records, folder, *extra):
    return trainings.command(records, folder, OPTIONS, *extra, first=("--two-layers",))


def run(records, folder):
    """Exit status and output."""
    return trainings.run(command(records, folder), folder.parent)


@pytest.fixture(scope="module")
def undisturbed(records, tmp_path_factory):
    """A run by the program itself in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    status, output = run(records, folder)
    assert status == 0, output
    return folder


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_killed_program_goes_on_where_it_was(records, tmp_path, undisturbed, number, status):
    """Ended by a real signal long before its end."""
    with subprocess.Popen(
        command(records, tmp_path / "killed", "--state_minutes", "0"), stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if "epoch 1/2 step 3/40" in line:
                process.send_signal(number)
                break
        process.stdout.read()
    assert process.returncode == status
    assert not os.path.exists(str(tmp_path / "killed" / "checkpoints" / "epoch2" / "model.json"))
    status, output = run(records, tmp_path / "killed")
    assert status == 0, output
    assert "resuming from step" in output
    assert_same(undisturbed / "checkpoints" / "epoch2", tmp_path / "killed" / "checkpoints" / "epoch2")


def test_two_trainings_of_one_run_exclude_each_other(records, tmp_path):
    with subprocess.Popen(command(records, tmp_path, "--steps", "1000"), stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                if "step 1/1000" in line:
                    break
            status, output = run(records, tmp_path)
        finally:
            process.kill()
            process.stdout.read()
    assert status == 1
    assert "process {} is already training here; wait for it or stop it".format(process.pid) in output
