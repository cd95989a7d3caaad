"""Parquet files of the hub as forms of NYU, and what is said where their library is not."""

import importlib.util
import io
import json

import layouts
import numpy as np
import pytest
from densedepth.data import datasets, trees
from densedepth.data.custom_pairs import Pictures
from densedepth.errors import PipelineError
from layout_files import encoded, jpeg, sixteen_bits
from PIL import Image
from refusals import refusal

HERE = importlib.util.find_spec("pyarrow") is not None
needs = pytest.mark.skipif(not HERE, reason="pyarrow is not installed (make formats)")


def tif(depth):
    stream = io.BytesIO()
    Image.fromarray(depth.astype(np.float32)).save(stream, "TIFF")
    return stream.getvalue()


def written(path, images, depths, column="depth_map"):
    """Groups of two rows; images as the hub has them, bytes beside a path."""
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"image": [{"bytes": data, "path": None} for data in images], column: depths, "label": [1] * len(images)}
    pyarrow.parquet.write_table(pyarrow.table(columns), str(path), row_group_size=2)


def hub(folder, depth_of, column="depth_map"):
    """The folder of a set of two files to train on and one to test."""
    pairs = layouts.scenes()
    parts = {"data/train-00000-of-00002": pairs["train"][:3], "data/train-00001-of-00002": pairs["train"][3:]}
    parts["data/validation-00000-of-00001"] = pairs["test"]
    for name, part in parts.items():
        written(folder / (name + ".parquet"), [jpeg(rgb) for rgb, _ in part], [depth_of(d) for _, d in part], column)
    return str(folder)


def listed(folder, place):
    content = datasets.listed("nyu", folder, layouts.SIZE, 10)
    (place / "list.json").write_text(json.dumps(content))
    return str(place / "list.json")


@needs
@pytest.mark.parametrize(
    "depth_of, column, step, unit",
    [
        (lambda depth: {"bytes": tif(depth), "path": "a.tif"}, "depth_map", 1e-5, "metres"),
        (lambda depth: depth.tolist(), "depth", 1e-5, "metres"),
        (lambda depth: depth[np.newaxis].tolist(), "depth", 1e-5, "metres"),
        (sixteen_bits, "depth", 0.0005, "1000 = 1 m"),
    ],
    ids=["tif", "lists", "lists of one channel", "png"],
)
def test_the_pairs_of_parquet_files(depth_of, column, step, unit, tmp_path, capsys):
    found = listed(hub(tmp_path, depth_of, column), tmp_path)
    said = capsys.readouterr().out
    assert "in parquet files: 6 pairs (4 to train, 2 to test), unit: {}, invalid = 0".format(unit) in said
    for split, expected in layouts.scenes().items():
        with Pictures(found, split) as source:
            read = [source.arrays(row) for row in source.rows()]
            assert source.pair(source.rows()[0])[0] == jpeg(expected[0][0])
            assert source.state(source.rows())
        assert len(read) == len(expected)
        for (rgb, depth), (true_rgb, true_depth) in zip(read, expected):
            assert np.abs(depth - true_depth).max() <= step + 1e-5
            assert np.abs(rgb.astype(int) - true_rgb).mean() < 5


@needs
def test_depth_of_other_bits_is_refused_by_its_row(tmp_path):
    found = listed(hub(tmp_path, lambda depth: encoded(np.full(depth.shape, 7, np.uint8))), tmp_path)
    with Pictures(found, "test") as source:
        words = refusal(source.arrays, source.rows()[0])
    assert "row 1, data/validation-00000-of-00001/depth_map/000000.png: expected depth of 16 bits, got 8" in words


@needs
@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda data: data[: len(data) // 2], "not a readable parquet file, or a truncated one"),
        (lambda data: b"<!DOCTYPE html><html>", "is a web page, expected a parquet file"),
        (lambda data: b"", "not a readable parquet file"),
    ],
    ids=["cut", "web page", "empty"],
)
def test_a_damaged_file_is_told(damage, words, tmp_path):
    folder = hub(tmp_path, sixteen_bits)
    path = tmp_path / "data/train-00001-of-00002.parquet"
    path.write_bytes(damage(path.read_bytes()))
    told = refusal(datasets.listed, "nyu", folder, layouts.SIZE, 10)
    assert words in told and str(path) in told


@needs
def test_a_row_without_depth_is_told(tmp_path):
    hub(tmp_path, sixteen_bits)
    depths = [sixteen_bits(layouts.scenes()["test"][0][1]), None]
    images = [jpeg(rgb) for rgb, _ in layouts.scenes()["test"]]
    written(tmp_path / "data/validation-00000-of-00001.parquet", images, depths)
    with Pictures(listed(str(tmp_path), tmp_path), "test") as source:
        source.arrays(source.rows()[0])
        assert "row 2: " in refusal(source.arrays, source.rows()[1])


@needs
def test_what_is_no_image_is_not_recognised(tmp_path):
    hub(tmp_path, lambda depth: [[1.0], [1.0, 2.0]])
    assert "not recognised as nyu" in refusal(datasets.listed, "nyu", str(tmp_path), layouts.SIZE, 10)


@pytest.mark.skipif(HERE, reason="pyarrow is installed")
def test_where_its_library_is_missing_the_command_is_named(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    for path in (tmp_path, tmp_path / "train.parquet"):
        with pytest.raises(PipelineError, match=r"train\.parquet: reading parquet needs pyarrow, .* `make formats`"):
            trees.open_tree(str(path))
