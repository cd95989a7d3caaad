"""How stored maps and images are matched: by name, by number, and what is said of those that are not."""

import numpy as np
import pytest
from densedepth.errors import PipelineError
from map_files import COUNT, encoded, folder, predicted, scored, write


def test_names_are_matched_before_the_order(tmp_path):
    names = ["kitchen/{}.jpg".format(chr(ord("a") + COUNT - index)) for index in range(COUNT)]
    path = write(str(tmp_path / "named.zip"), names)
    place = folder(tmp_path / "maps", "npy", "{}")
    for index in range(COUNT):
        (tmp_path / "maps" / "{}.npy".format(index)).rename(
            tmp_path / "maps" / names[index].split("/")[1].replace("jpg", "npy")
        )
    document = scored(place, path)
    assert document["source"]["matched_by"] == "name"
    np.testing.assert_allclose([i["rel_truth"] for i in document["per_image"]], 0.02 * np.arange(COUNT), atol=3e-4)
    doubled = tmp_path / "maps" / "more" / names[5].split("/")[1].replace("jpg", "npy")
    doubled.parent.mkdir()
    doubled.write_bytes(encoded(predicted(5), "npy"))
    with pytest.raises(PipelineError, match="has 2 maps named g; keep one"):
        scored(place, path)
    doubled.unlink()
    (tmp_path / "maps" / names[3].split("/")[1].replace("jpg", "npy")).unlink()
    with pytest.raises(PipelineError, match=r"has no map for 1 of 11 images, the first is i\.jpg"):
        scored(place, path)


def test_a_number_that_is_doubled_or_lacking_is_named(tmp_path, archive):
    place = folder(tmp_path / "maps", "npy", "{}")
    (tmp_path / "maps" / "5.npy").rename(tmp_path / "maps" / "04.npy")
    with pytest.raises(PipelineError, match=r"(0?4\.npy) and (0?4\.npy) are both number 4; keep one"):
        scored(place, archive)
    (tmp_path / "maps" / "04.npy").unlink()
    with pytest.raises(PipelineError, match=r"has 10 depth maps, .* predict each image once \(there is no number 5\)"):
        scored(place, archive)


def test_maps_of_another_kind_that_were_not_read_are_named(tmp_path, archive):
    place = folder(tmp_path / "maps", "npy")
    for index in range(5):
        (tmp_path / "maps" / "frame{}.npy".format(index)).unlink()
        (tmp_path / "maps" / "frame{}.png".format(index)).write_bytes(encoded(predicted(index), "png"))
    words = r"has 6 depth maps, .* has 11 images.*; its 5 \.png files were not read, since maps are of one kind"
    with pytest.raises(PipelineError, match=words):
        scored(place, archive)
    with pytest.raises(PipelineError, match=r"predict each image once$"):
        scored(folder(tmp_path / "more", "npy", maps=[predicted(0)] * (COUNT + 1)), archive)
    (tmp_path / "more" / "frame0.png").write_bytes(encoded(predicted(0), "png"))
    with pytest.raises(PipelineError, match=r"predict each image once$"):
        scored(str(tmp_path / "more"), archive)
    named = write(str(tmp_path / "named.zip"), ["frame{}.jpg".format(index) for index in range(COUNT)])
    with pytest.raises(PipelineError, match=r"the first is frame0\.jpg; its 5 \.png files were not read"):
        scored(place, named)
