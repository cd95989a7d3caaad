"""What an evaluation writes for TensorBoard: its figures and pictures, once, whatever is repeated."""

import os

import numpy as np
from densedepth.evaluation import events
from densedepth.tf import tf


def document(epoch, delta1):
    block = {"protocol": {}, "metrics": {"delta1": delta1, "rms_pooled": 1.5}, "per_image": []}
    return dict(block, source={"epoch": epoch, "global_step": 60 * epoch})


def read(folder):
    """{(tag, step): value} of all files; a point that is there twice fails."""
    found = {}
    for name in sorted(os.listdir(folder)):
        for event in tf.train.summary_iterator(os.path.join(folder, name)):
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = value
    return found


def test_a_repeated_evaluation_replaces_its_points(tmp_path):
    picture = np.zeros((4, 16, 3), np.uint8)
    for epoch, delta1 in ((1, 0.25), (2, 0.5), (1, 0.75)):
        events.write(str(tmp_path), document(epoch, delta1), [(7, picture)])
    found = read(str(tmp_path))
    assert [found["port/delta1", step].simple_value for step in (60, 120)] == [0.75, 0.5]
    image = found["held_out/image_7: input, ground truth, prediction, error", 120].image
    assert (image.height, image.width) == (4, 16) and image.encoded_image_string.startswith(b"\x89PNG")


def test_a_row_has_input_truth_prediction_and_error():
    rgb = np.full((8, 8, 3), 9, np.uint8)
    truth = np.full((8, 8), 1.0)
    truth[:, 4:], truth[0, 0] = 4.0, 0.0
    depth = np.where(truth > 0, truth, 2.0)
    row = events._row(rgb, truth, depth[1:7], (1, 6, 0, 7))
    assert row.shape == (6, 32, 3) and (row[:, :8] == 9).all()
    assert (row[:, 8:16] == row[:, 16:24]).all() and row[0, 8, 0] == 0 and row[0, 15, 0] == 255
    assert (row[:, 24:] == 255).all()
    # An unknown truth has a colour of its own, in the truth and in the error.
    row = events._row(rgb, truth, depth, (0, 7, 0, 7))
    assert (row[0, 8] == row[0, 24]).all() and row[0, 8, 2] == 200
