"""Several ranks as one training, with real processes, of a network of two layers where the network is not the point."""

import json
import os
import re
import signal
import subprocess

import faults
import numpy as np
import pytest
import trainings
from densedepth import processors
from densedepth.platforms import collective
from densedepth.tf import tf
from scenes import write_holed_records
from trainings import assert_same, history, side

OPTIONS = "--epochs 2 --batch_norm_momentum 0.9"


# What the network is, as the first word for `shallow_train.py`.
SMALL_NETWORK = ("--two-layers",)


def command(records, folder, devices, *extra, first=SMALL_NETWORK):
    return trainings.command(records, folder, OPTIONS, "--devices", str(devices), *extra, first=first)


def run(records, folder, devices, *extra, first=SMALL_NETWORK):
    """Exit status and output."""
    return trainings.run(command(records, folder, devices, *extra, first=first), folder.parent)


def checked(*arguments, **options):
    status, output = run(*arguments, **options)
    assert status == 0, output
    return output


def ended(folder, epoch=2):
    """The checkpoint that a training below `folder` has left."""
    return os.path.join(str(folder), "checkpoints", "epoch{}".format(epoch))


def test_pieces_go_from_the_last_tensor_to_the_first():
    with tf.Graph().as_default():
        tensors = [tf.zeros([n]) for n in (2, 1, 9, 3, 1)]
    assert collective.pieces(tensors, limit=16) == [[4, 3], [2], [1, 0]]
    assert collective.pieces(tensors, limit=4) == [[4], [3], [2], [1], [0]]


# Of each batch, by the number of devices.
PARTS = {2: 2, 4: 2}


@pytest.mark.parametrize(
    "network, counts", [((), (1, 2)), (SMALL_NETWORK, (1, 4, 8))], ids=["densenet-1-2", "two-layers-1-4-8"]
)
def test_a_global_batch_gives_the_same_losses_on_1_2_4_and_8_devices(records, tmp_path, network, counts):
    """With batch statistics out of play, which are those of each device."""
    for devices in counts:
        # The last --epochs counts.
        batch = ["--steps", "3", "--steps_per_device", "true", "--bs", str(8 // devices), "--epochs", "1"]
        # What looks at all gradients does so after their exchange, of all parts of a batch.
        batch += ["--clip_norm", "2", "--weight_decay", "0.1", "--accumulate", str(PARTS.get(devices, 1))]
        checked(records, tmp_path / str(devices), devices, *batch, first=[*network, "--frozen"])
    expected = history(ended(tmp_path / "1", epoch=1))
    assert [entry["global_step"] for entry in expected] == [1, 2, 3]
    for devices in counts[1:]:
        found = history(ended(tmp_path / str(devices), epoch=1))
        for name in ("loss", "l1", "gradient", "ssim", "gradient_norm"):
            np.testing.assert_allclose([e[name] for e in found], [e[name] for e in expected], rtol=2e-3, err_msg=name)
        performance = side(ended(tmp_path / str(devices), epoch=1))["performance"]
        assert (performance["world_size"], performance["batch_size"]) == (devices, 8 // devices)


@pytest.mark.skipif(
    tf.VERSION.startswith("1.") or not processors.has_bfloat16(), reason="needs current TensorFlow and bfloat16"
)
def test_two_ranks_train_in_bfloat16(records, tmp_path):
    losses = []
    for mode in ("must_keep_origin_dtype", "mixed_bfloat16"):
        words = ["--steps", "2", "--bs", "1", "--epochs", "1", "--precision_mode", mode]
        checked(records, tmp_path / mode, 2, *words)
        losses.append([entry["loss"] for entry in history(ended(tmp_path / mode, epoch=1))])
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)


# As many steps as a signal needs to come before the last one, each of a few milliseconds.
SMALL = ("--steps", "80", "--bs", "1", "--ema_decay", "0.9")


@pytest.fixture(scope="module")
def undisturbed(records, tmp_path_factory):
    """Two devices for two epochs in one go; the folder and the log."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, checked(records, folder, 2, *SMALL)


def test_devices_share_the_steps(undisturbed):
    folder, log = undisturbed
    assert "80 steps per epoch on one device are 40 on 2 devices: the same number of samples" in log
    assert side(ended(folder))["global_step"] == 80
    assert side(ended(folder))["training"]["steps"] == 40
    performance = side(ended(folder))["performance"]
    assert performance["timed_steps"] == 77
    np.testing.assert_allclose(performance["images_per_second"], 2000 / performance["step_ms"])


def test_ranks_that_share_no_memory_take_the_same_steps(records, tmp_path, undisturbed):
    checked(records, tmp_path, 2, *SMALL, first=[*SMALL_NETWORK, "--apart"])
    assert_same(ended(undisturbed[0]), ended(tmp_path), 1e-6)


def test_the_speed_is_measured_over_all_steps_of_each_device(records, tmp_path):
    figures = tmp_path / "performance.json"
    checked(records, tmp_path, 2, "--steps", "6", "--bs", "1", "--epochs", "1", "--performance", str(figures))
    performance = json.loads(figures.read_text())["performance"]
    assert (performance["warmup_steps"], performance["timed_steps"], performance["world_size"]) == (3, 3, 2)


def test_rank_0_alone_writes(undisturbed):
    folder, log = undisturbed
    assert sorted(os.listdir(str(folder))) == ["checkpoints", "ranks", "tensorboard"]
    assert len(os.listdir(str(folder / "tensorboard"))) == 1
    assert os.listdir(str(folder / "checkpoints" / "state")) == ["lock"]
    assert log.count("epoch 2/2 step 40/40") == 1
    assert not re.search(r"^\[1\]", log, re.MULTILINE)


def disturb(records, folder, act, *extra, first=("--forked", *SMALL_NETWORK)):
    """Start two devices, call `act(process, {rank: pid})` after the first step; returns status, output and errors."""
    words = command(records, folder, 2, *(SMALL + ("--state_minutes", "0") + extra), first=first)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if "epoch 1/2 step 1/" in line:
                act(process, ranks_of(process.pid))
                break
        output, errors = process.communicate()
    return process.returncode, output, errors


def ranks_of(launcher):
    with open("/proc/{0}/task/{0}/children".format(launcher)) as stream:
        pids = [int(word) for word in stream.read().split()]
    # They start in this order.
    return dict(enumerate(sorted(pids)))


def gone(pid):
    return not os.path.exists("/proc/{}".format(pid))


def forked(pid):
    """Whether the process runs what its parent does; PF_FORKNOEXEC of the kernel."""
    with open("/proc/{}/stat".format(pid)) as stream:
        return bool(int(stream.read().rpartition(")")[2].split()[6]) & 0x40)


def test_a_terminated_training_goes_on_and_equals_an_undisturbed_one(records, tmp_path, undisturbed):
    # Here with ranks that are processes by their command.
    status, _, errors = disturb(records, tmp_path, lambda process, ranks: process.terminate(), first=SMALL_NETWORK)
    assert status == 143, errors
    assert errors == "densedepth: interrupted by SIGTERM; the state is saved\n"
    log = checked(records, tmp_path, 2, *SMALL)
    assert "resuming from step" in log
    assert_same(ended(undisturbed[0]), ended(tmp_path), 1e-4)
    assert sum(entry["steps"] for entry in history(ended(tmp_path))) == 80


def test_a_signal_to_one_rank_ends_all_at_the_same_step(records, tmp_path):
    status, _, errors = disturb(
        records, tmp_path, lambda process, ranks: os.kill(ranks[1], signal.SIGTERM), "--steps", "1000"
    )
    assert status == 143, errors
    assert errors == "densedepth: interrupted by SIGTERM; the state is saved\n"


def test_a_killed_rank_is_named_and_ends_all(records, tmp_path):
    pids, kinds = {}, []

    def kill(process, ranks):
        pids.update(ranks)
        kinds.append(forked(ranks[1]))
        os.kill(ranks[1], signal.SIGKILL)

    status, _, errors = disturb(records, tmp_path, kill, "--steps", "1000")
    assert status == 1
    assert errors.splitlines()[-1].startswith(
        "shallow_train.py: error: rank 1 was ended by SIGKILL; all ranks have ended"
    )
    # Or these tests would take several times as long, and nothing would tell.
    assert kinds == [True]
    assert all(gone(pid) for pid in pids.values())


def test_blows_at_random_moments_change_no_weight(records, tmp_path):
    undisturbed = str(tmp_path / "undisturbed")
    lifetime = faults.undisturbed(records, undisturbed, 2)
    for ended in faults.survive(records, str(tmp_path / "struck"), 2, 2, os.getpid(), lifetime):
        assert faults.difference(undisturbed, ended) < 1e-4


def test_a_stopped_rank_ends_all(records, tmp_path):
    pids = {}

    def stop(process, ranks):
        pids.update(ranks)
        os.kill(ranks[1], signal.SIGSTOP)

    status, _, errors = disturb(records, tmp_path, stop, "--steps", "1000", "--rank_timeout", "5")
    assert status == 1
    assert "error: rank 1 sent no heartbeat for 5 s; all ranks have ended" in errors
    assert all(gone(pid) for pid in pids.values())


def test_what_is_not_finite_on_one_rank_stops_all_with_all_samples(records, tmp_path):
    status, output = run(records, tmp_path, 2, "--steps", "8", "--bs", "2", first=[*SMALL_NETWORK, "--bad-rank", "1"])
    assert status == 1
    # oneDNN's pooling takes the largest of NaN and a number to be the number: then the gradient tells first.
    found = r"epoch 1 step 3: (loss|gradient_norm) is (nan|inf); samples (data/scene_\d.jpg [^,]*(, |\. )){4}"
    assert re.search(found, output)
    assert not os.path.exists(str(tmp_path / "checkpoints" / "epoch1"))


@pytest.mark.parametrize("known", [(), range(8)])
def test_batches_without_a_known_target_are_counted_over_all_ranks(tmp_path, known):
    depths = np.zeros((8, 64, 96), np.uint16)
    depths[:, 1::2, 1::2] = 3000
    # Each rank has one sample in each of the four steps; four of all eight are known.
    depths[list(known)[:4], ::2] = 2000
    write_holed_records(tmp_path / "x.tfrecords", depths)
    options = ["--steps", "8", "--bs", "1", "--epochs", "1", "--halving", "pick"]
    status, output = run(str(tmp_path / "x.tfrecords"), tmp_path, 2, *options)
    if known:
        assert status == 0, output
        assert sum(entry["batches_without_depth"] for entry in history(ended(tmp_path, epoch=1))) == 4
    else:
        assert status == 1
        assert "epoch 1 step 4: no valid target depth in 4 steps in a row; every second pixel is taken" in output


def test_ranks_that_nobody_numbered_are_refused(records, tmp_path):
    status, output = run(records, tmp_path, 1, "--is_distributed", "true")
    assert status == 1
    assert "--is_distributed true: neither RANK_ID and RANK_SIZE nor SLURM_PROCID and SLURM_NTASKS" in output
