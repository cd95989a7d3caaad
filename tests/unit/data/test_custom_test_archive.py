"""The test archive of custom pairs."""

import json
import os
import zipfile

from densedepth.data import (
    custom_test_archive,
)
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import baseline
from refusals import refusal


def test_the_test_archive_declares_holes_and_greatest_depth_and_what_was_left_out(camera, tmp_path, capsys):
    out = str(tmp_path / "test.zip")
    assert "row 4, " in refusal(custom_test_archive.write, camera, out)
    assert not os.path.exists(out)
    assert custom_test_archive.write(camera, out, skip=1) == 2
    with zipfile.ZipFile(out) as archive:
        facts = json.loads(archive.read("pictures.json").decode())
    ((row, image, problem),) = [(fault["row"], fault["rgb"], fault["problem"]) for fault in facts["skipped"]]
    assert (row, image) == (4, str(tmp_path / "3.jpg"))
    assert "row 4, {}: cannot be read".format(image) in problem
    said = capsys.readouterr().out
    assert "left out: {}\n".format(problem) in said
    assert "1 of 3 test pairs are faulty and were left out; pictures.json in {} lists them".format(out) in said
    with open_test_set(out) as test_set:
        assert (test_set.holes, test_set.limits, test_set.crop) == (True, (0.1, 10.0), (0, 31, 0, 63))
        batches = list(test_set.batches(2))
        assert test_set.names == ["1.jpg", "5.jpg"]
        # From where the report has it.
        assert baseline.evaluate(test_set)["test_data"]["skipped"] == facts["skipped"]
    assert [float(depth.max()) for depth in batches[0][1]] == [2.0, 6.0]
    assert (batches[0][1][:, :8] == 0).all()
