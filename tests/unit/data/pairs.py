"""Pairs of images and depth, and archives of them, for the tests of this folder."""

import io
import json
import zipfile

import numpy as np
from densedepth.data import (
    custom_list,
    custom_pairs,
)
from PIL import Image

SIZE = (32, 64)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(str(path), array)
    else:
        Image.fromarray(array).save(str(path), **options)


def rgb(size=SIZE, seed=0):
    return np.random.RandomState(seed).randint(0, 256, size + (3,)).astype(np.uint8)


def metres(size=SIZE):
    return np.linspace(1, 7, size[0] * size[1]).reshape(size)


def listed(tmp_path, rows, size=SIZE, **options):
    """The list of a csv of `rows`, written as a file; one picture that it may name is there."""
    (tmp_path / "b.PNG").touch()
    (tmp_path / "pairs.csv").write_text("".join(row + "\n" for row in rows))
    facts = dict({"metres_per_unit": 0.001, "max_depth": 10}, **options)
    content = custom_list.listed(size, table=str(tmp_path / "pairs.csv"), **facts)
    (tmp_path / "list.json").write_text(json.dumps(content))
    return str(tmp_path / "list.json")


def read(path):
    with open(path) as stream:
        return json.load(stream)


def one(tmp_path, image, depth, suffixes=(".png", ".png"), size=SIZE, **options):
    """(source, row) of a single pair; a second one is for the test."""
    names = ["a" + suffixes[0], "b" + suffixes[1]]
    for name, array in zip(names, (image, depth)):
        save(tmp_path / name, array)
    path = listed(tmp_path, [",".join(names + ["train"]), "other.png,other.png,test"], size, **options)
    source = custom_pairs.Pictures(path)
    return source, source.rows()[0]


def archive(path, rows, sizes=(SIZE,), change=None):
    """A training archive whose csv has `rows`, and a pair `i` of each of `sizes`; with members changed."""
    members = {"data/nyu2_train.csv": "".join(row + "\n" for row in rows).encode()}
    for number, size in enumerate(sizes):
        for suffix, kind, array in (("jpg", "JPEG", rgb(size)), ("png", "PNG", np.full(size, 51, np.uint8))):
            stream = io.BytesIO()
            Image.fromarray(array).save(stream, kind)
            members["data/a/{}.{}".format(number, suffix)] = stream.getvalue()
    members.update(change or {})
    with zipfile.ZipFile(str(path), "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return str(path)


def row(number):
    return "data/a/{0}.jpg,data/a/{0}.png".format(number)
