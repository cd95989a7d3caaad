"""What a report was made of: settings, versions, checksums, pairs left out."""

import report as program
from result_files import digest, rows_of


def test_settings_versions_and_checksums_are_there(sample):
    text = sample.make()
    assert ["`train.size`", "`[96, 128]`"] in rows_of(text, "Settings")
    assert ["`runs.1p.devices`", "`1`"] in rows_of(text, "Settings")
    assert ["1p", "`learning_rate`", "`0.0001`"] in rows_of(text, "Settings")
    assert ["tf1", "3.7.16", "1.15.0", "1.21.6", "x86_64"] in rows_of(text, "Versions")
    assert "training of 1p (3 epochs), evaluation of 1p (3 epochs)" in text
    sums = rows_of(text, "Inputs and checkpoints")
    shard = "nyu_train-00001-of-00002.tfrecords"
    assert ["`{}`".format(shard), "120 records", "`{}`".format(digest(shard))] in sums
    of_members = "`{}` (of names, sizes and CRC-32 of its members)".format(digest("zip"))
    assert ["`results/sample/nyu_data.zip`", "123,456,789 bytes", of_members] in sums
    assert "before the first step: 1p random." in text
    weights = ["1p", "2", "120", "`model.ckpt.data-00000-of-00001`", "`{}`".format(digest("1p 2"))]
    assert weights in sums


def test_faulty_pairs_that_were_left_out_are_listed(sample):
    assert "faulty" not in sample.make()
    fault = {"row": 8, "rgb": "data/t/7.jpg", "problem": "nyu_data.zip: row 8, data/t/7.jpg: not an image"}
    sample.edit(sample.data, lambda side: side.update(skipped=[fault]))
    text = sample.make()
    assert "1 faulty training pair was left out" in text and "faulty test" not in text
    assert ["8", "`data/t/7.jpg`", fault["problem"]] in rows_of(text, "Inputs and checkpoints")


def test_faulty_test_pairs_that_were_left_out_are_listed(sample):
    faults = [{"row": row, "rgb": "t/{}.png".format(row), "problem": "not an image"} for row in (3, 5)]
    sample.edit(sample.baseline, lambda document: document["test_data"].update(skipped=faults))
    text = sample.make()
    assert "2 faulty test pairs were left out" in text and "faulty training" not in text
    assert ["5", "`t/5.png`", "not an image"] in rows_of(text, "Inputs and checkpoints")


def test_weights_of_the_encoder_are_listed(sample):
    source = {"path": "dataset/densenet169.h5", "sha256": digest("h5")}
    path = sample.write("results/weights/densenet169/weights.json", {"format": 1, "source": source})
    folder = "results/weights/densenet169"
    sample.edit(sample.flags["checkpoint"][0], lambda side: side.update(weights=folder))
    assert program.main(sample.command() + ["--weights", path]) == 0
    with open(sample.out, encoding="utf-8") as stream:
        text = stream.read()
    expected = ["`dataset/densenet169.h5`", "-", "`{}`".format(digest("h5"))]
    assert expected in rows_of(text, "Inputs and checkpoints")
    assert "before the first step: 1p from `results/weights/densenet169`." in text
