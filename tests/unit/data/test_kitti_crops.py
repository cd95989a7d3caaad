"""KITTI's test: the crops of its evaluations at the images' own size, and images that are cut, not resized."""

import json

import numpy as np
import pytest
from densedepth.data import datasets
from densedepth.data.custom_pairs import CROPS, Pictures
from layout_files import encoded, in_folder

# (height, width) of drives of different days.
SIZES = [(375, 1242), (370, 1226), (376, 1241)]


@pytest.fixture(scope="module")
def kitti(tmp_path_factory):
    """A folder of one image of each size in both splits, whose depth tells its row and column."""
    files, rows = {}, []
    for i, (height, width) in enumerate(SIZES):
        stored = (256 + np.arange(height)[:, np.newaxis] * 32 + np.arange(width) % 32).astype(np.uint16)
        rgb = np.zeros((height, width, 3), np.uint8)
        rgb[..., 0] = np.arange(height)[:, np.newaxis] % 256
        rgb[..., 1] = np.arange(width) % 256
        files.update({"p{}.png".format(i): encoded(rgb), "d{}.png".format(i): encoded(stored)})
        files.update({"q{}.png".format(i): encoded(rgb), "e{}.png".format(i): encoded(stored)})
        rows.append("{{}}{0}.png {{}}{0}.png 721.5".format(i))
    files["eigen_train_files_with_gt.txt"] = "\n".join(row.format("p", "d") for row in rows).encode()
    files["eigen_test_files_with_gt.txt"] = "\n".join(row.format("q", "e") for row in rows).encode()
    return in_folder(tmp_path_factory.mktemp("kitti"), files)


def read(kitti, folder, split, **options):
    content = datasets.listed("kitti_eigen", kitti, (352, 1216), 80, **options)
    (folder / "list.json").write_text(json.dumps(content))
    with Pictures(str(folder / "list.json"), split) as source:
        return [source.arrays(row) for row in source.rows()]


@pytest.mark.parametrize("name", CROPS)
def test_the_cut_images_hold_all_pixels_of_a_crop(name, kitti, tmp_path):
    for (height, width), (rgb, depth) in zip(SIZES, read(kitti, tmp_path, "test", test_crop=name)):
        # As the evaluation programs write it, on the whole image.
        shares = CROPS[name]
        mask = np.zeros((height, width), bool)
        mask[int(shares[0] * height) : int(shares[1] * height), int(shares[2] * width) : int(shares[3] * width)] = True
        top, left = height - 352, (width - 1216) // 2
        assert mask.sum() == mask[top:, left : left + 1216].sum() == (depth > 0).sum()
        expected = (256 + np.arange(height)[:, np.newaxis] * 32 + np.arange(width) % 32) / 256 * mask
        assert np.allclose(depth, expected[top:, left : left + 1216])
        assert (rgb[0, :, 0] == top).all() and rgb[0, 0, 1] == left


def test_the_training_sees_all_depth(kitti, tmp_path):
    assert all((depth > 0).all() for _, depth in read(kitti, tmp_path, "train", test_crop="garg"))
