"""Records that cannot be trained on end the program with one line, wherever they stand."""

import os
import sys

import pytest
import train
import trainings
from densedepth.data import order, records, training_input
from densedepth.errors import PipelineError
from densedepth.tf import tf
from scenes import write_records

TRAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "shallow_train.py")
OPTIONS = "--epochs 1 --steps auto --bs 2 --size 64 96 --encoder densenet121 --halving mean"


def stored(path):
    with records.RecordIndex([str(path)]) as index:
        return [index.read(number) for number in range(len(index))]


def changed(data, **features):
    """The record with other bytes, or for a number other floats, in these features; None takes one away."""
    record = tf.train.Example.FromString(data)
    for name, value in features.items():
        if name in record.features.feature:
            del record.features.feature[name]
        if isinstance(value, bytes):
            record.features.feature[name].bytes_list.value.append(value)
        elif value is not None:
            # An empty list is one, too.
            record.features.feature[name].float_list.SetInParent()
            record.features.feature[name].float_list.value.extend(value)
    return record.SerializeToString()


@pytest.fixture
def errors(small_network, monkeypatch, capfd, tmp_path, good):
    """A function for records of which the one at `place` is bad: the program's status, and what it says on stderr.

    Run here, since each start of TensorFlow takes longer than all that follows.
    """
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def run(bad, place):
        status = train.main(command(tmp_path, good, bad, place)[3:])
        return status, capfd.readouterr().err

    return run


def command(tmp_path, good, bad, place, *flags):
    path = tmp_path / "x.tfrecords"
    path.write_bytes(b"".join(records.framed(data) for data in good[:place] + [bad] + good[place:]))
    words = [sys.executable, TRAIN, "--two-layers"] + OPTIONS.split() + list(flags)
    return words + ["--train_tfrecords", str(path), "--ckptdir", str(tmp_path / "checkpoints")]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "x.tfrecords"
    write_records(path, 5)
    return stored(path)


def bad_records(good, tmp_path):
    """{kind: (record, what is said of it)}"""
    write_records(tmp_path / "small.tfrecords", 1, (32, 32))
    features = tf.train.Example.FromString(good[0]).features.feature
    jpeg, png = (features[key].bytes_list.value[0] for key in ("data_x", "data_y"))
    return {
        "no Example": (b"\xff" * 40, "not a tf.train.Example"),
        "cut off": (changed(good[0], data_x=jpeg[: len(jpeg) // 2]), "data_x cannot be decoded (image file is trunc"),
        "no picture": (changed(good[0], data_x=b"none"), "data_x cannot be decoded"),
        "no depth": (changed(good[0], data_y=None), "no feature data_y with an image in it"),
        "JPEG as depth": (changed(good[0], data_y=jpeg), "data_y cannot be decoded as PNG"),
        "cut depth": (changed(good[0], data_y=png[: len(png) // 2]), "data_y cannot be decoded as PNG ("),
        "other size": (stored(tmp_path / "small.tfrecords")[0], "of another size or kind of depth"),
        "unit": (changed(good[0], depth_unit=[0.001]), "of another size or kind of depth"),
        "unit 0": (changed(good[0], depth_unit=[0.0]), "depth_unit = 0, metres a value: must be more than 0"),
        "unit NaN": (changed(good[0], depth_unit=[float("nan")]), "depth_unit = nan, metres a value: must be a number"),
        "no unit": (changed(good[0], depth_unit=[]), "depth_unit = nothing, metres a value: must be a number"),
        "text as unit": (changed(good[0], depth_unit=b"1"), "depth_unit = nothing, metres a value: must be a number"),
    }


@pytest.mark.parametrize("kind", ["no Example", "cut off", "JPEG as depth", "other size", "unit 0"])
def test_a_bad_record_after_the_first_is_one_line(errors, good, tmp_path, kind):
    bad, expected = bad_records(good, tmp_path)[kind]
    status, said = errors(bad, 3)
    assert status == 1
    assert len(said.splitlines()) == 1, said
    assert said.startswith("train.py: error: ") and "x.tfrecords record 3" in said and expected in said
    assert "make the records again with dataset_tool_tf.py" in said


@pytest.mark.parametrize("unit, expected", [(-1.0, "-1"), (float("inf"), "inf")])
def test_a_first_record_with_an_impossible_unit_is_one_line(errors, good, unit, expected):
    status, said = errors(changed(good[0], depth_unit=[unit]), 0)
    assert status == 1 and len(said.splitlines()) == 1, said
    assert "x.tfrecords record 0: depth_unit = {}, metres a value: must be".format(expected) in said


def test_a_bad_record_of_one_of_two_ranks_is_told_in_its_words(good, tmp_path):
    words = command(tmp_path, good, b"\xff" * 40, 3, "--devices", "2", "--bs", "1")
    status, said = trainings.run(words, tmp_path)
    assert status != 0
    assert "x.tfrecords record 3: not a tf.train.Example" in said and "Traceback" not in said, said


def test_every_kind_of_bad_record_is_named(good, tmp_path):
    """Without the program, which takes seconds to start."""
    for kind, (bad, expected) in sorted(bad_records(good, tmp_path).items()):
        path = tmp_path / "x.tfrecords"
        path.write_bytes(b"".join(records.framed(data) for data in [good[1], bad]))
        caught = []
        with records.RecordIndex([str(path)]) as index, tf.Graph().as_default(), tf.Session() as session:
            samples = order.Order(2, 2, 0, 0, 0)
            batches = training_input.batches(index, samples, 0, 1, (64, 96), "pick", on_error=caught.append)
            with pytest.raises(tf.errors.OpError):
                session.run(tf.data.make_one_shot_iterator(batches).get_next())
        assert [type(error) for error in caught] == [PipelineError], kind
        assert "x.tfrecords record 1" in str(caught[0]) and expected in str(caught[0]), kind
