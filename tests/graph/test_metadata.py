"""Metadata files that are damaged, or made to do harm: one line names file and key."""

import copy
import json
import math
import shutil
import tracemalloc
import zipfile

import pytest
import tiny
from densedepth import files, metadata
from densedepth.data import custom_pairs, records, transfer
from densedepth.data import test_archive as testset
from densedepth.errors import PipelineError
from densedepth.evaluation import gallery
from densedepth.inference import ascend_om, exported, prediction_files, predictors
from densedepth.network import checkpoints, importer, model, weights

pytestmark = pytest.mark.usefixtures("shallow")

SUM = "0" * 64
NETWORK = model.Model().as_dict()
GRAPH = {
    "format": 1,
    "sha256": SUM,
    "model": NETWORK,
    "folded": True,
    "depth_range": [10, 1000],
    "source": {"epoch": 3, "global_step": 12},
    "input": {"name": "input_1:0", "shape": [None, 480, 640, 3]},
    "output": {"name": "conv3/BiasAdd:0", "shape": [None, 240, 320, 1]},
}
# Kind -> (a file as our programs write it, schema).
KINDS = {
    "checkpoint": (
        {
            "format": 1,
            "model": NETWORK,
            "size": [480, 640],
            "epoch": 3,
            "global_step": 12,
            "files": {"model.ckpt.index": SUM},
            "training": {"depth_range": [10, 1000]},
        },
        checkpoints.SCHEMA,
    ),
    "graph": (GRAPH, model.GRAPH_SCHEMA),
    "exported graph": (GRAPH, ascend_om.GRAPH),
    "records": ({"format": 1, "shards": ["x-00000-of-00001.tfrecords"]}, records.SCHEMA),
    "pictures": (
        {
            "format": 1,
            "size": [480, 640],
            "max_depth_m": 10,
            "rows": [{"row": 1, "rgb": "a.png", "depth": "b.png", "split": "train"}],
        },
        custom_pairs.SCHEMA,
    ),
    "weights": ({"format": 1, "encoder": "densenet169", "source": {"path": "a.h5", "sha256": SUM}}, weights.SCHEMA),
    "batches": ({"format": 1, "batches": 2, "batch_size": 1, "images": 2, "size": [480, 640]}, ascend_om._BATCHES),
    "ONNX file": (
        {"sha256": SUM, "source": {"epoch": 3, "global_step": 12, "model": NETWORK, "depth_range": [10, 1000]}},
        exported.SIDE,
    ),
    "prediction": (
        {"source": {"path": "a.png", "frame": 3, "sha256": SUM}, "network": {}, "depth": {}, "files": {}},
        prediction_files.SIDE,
    ),
    "pictures of a test archive": (
        {
            "max_depth_m": 10,
            "holes": True,
            "rgb": ["a.png"],
            "skipped": [{"row": 2, "rgb": "b.png", "problem": "damaged"}],
        },
        testset.SCHEMA,
    ),
    "download": (
        {"url": "https://example.org/a.zip", "etag": '"1"', "modified": "Thu, 01 Jan 2026", "total": 12},
        transfer.NOTE,
    ),
    "evaluation": ({"per_image": [{"index": 0, "rms": 0.5}]}, gallery.RANKED),
}
NESTED = json.loads("[" * 200 + "]" * 200)
GONE = object()


def places(schema, value, before=()):
    """Paths of all values that the schema says something of."""
    schema = getattr(schema, "schema", schema) if isinstance(schema, (metadata.Null, metadata.Rule)) else schema
    if before:
        yield before, schema
    if isinstance(schema, dict):
        for name, below in schema.items():
            if name.rstrip("?") in value:
                yield from places(below, value[name.rstrip("?")], before + (name.rstrip("?"),))
    elif isinstance(schema, (list, tuple)):
        for number, one in enumerate(value):
            yield from places(schema[min(number, len(schema) - 1)], one, before + (number,))


def changed(value, place, new):
    value = copy.deepcopy(value)
    owner = value
    for step in place[:-1]:
        owner = owner[step]
    if new is GONE:
        del owner[place[-1]]
    else:
        owner[place[-1]] = new
    return value


def bad_values():
    return [GONE, {"a": 1}, NESTED, "\0/..", math.nan, math.inf, -1, 10**500, 1.5e300, [], True, None]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_whatever_is_wrong_is_one_line_with_file_and_key(tmp_path, kind):
    good, schema = KINDS[kind]
    path = str(tmp_path / "side.json")
    files.write_json(path, good)
    assert metadata.read(path, schema) == good
    tracemalloc.start()
    refused = 0
    for place, _ in places(schema, good):
        for new in bad_values():
            with open(path, "w") as stream:
                stream.write(json.dumps(changed(good, place, new)))
            try:
                metadata.read(path, schema)
            except PipelineError as error:
                refused += 1
                words = str(error)
                assert words.startswith(path + ": ") and "\n" not in words and len(words) < len(path) + 300
                assert any(str(step) in words for step in place)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > 6 * len(list(places(schema, good))) and peak < 8 << 20


@pytest.mark.parametrize(
    "text, words",
    [
        ("[]", "is a list of 0, expected an object"),
        ("null", "is null, expected an object"),
        ("[" * 100000 + "]" * 100000, "nested"),
        ('{"size": ' + "9" * 500 + "}", "size is a number beyond 64 bits"),
        ('{"a": {"b": NaN}}', "a.b is nan; a number must be finite"),
        ('{"a": [1e999]}', "a[0] is inf; a number must be finite"),
        ("{", "not a JSON file"),
        ("\udcff", "not a JSON file"),
    ],
)
def test_a_file_that_is_no_object_of_sound_values(tmp_path, text, words):
    path = tmp_path / "side.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PipelineError) as caught:
        metadata.read(str(path), {"shards": [str]})
    assert str(caught.value).startswith(str(path)) and words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "key, value",
    [
        ("size", [10**9, 10**9]),
        ("size", [33, 64]),
        ("training", {"depth_range": [1000, 10]}),
        ("model", {"encoder": "vgg"}),
        ("model", {"encoder": "densenet121", "depth": 3}),
        ("files", {"../outside": SUM}),
    ],
)
def test_a_checkpoint_with_impossible_facts_is_refused_and_frozen_to_nothing(checkpoint, tmp_path, key, value):
    import ckpt2pb

    folder = tmp_path / "epoch3"
    shutil.copytree(checkpoint.folder, str(folder))
    files.write_json(str(folder / "model.json"), dict(checkpoint.side, **{key: value}))
    with pytest.raises(PipelineError, match=r"model.json: .*{}".format(key)):
        predictors.load(str(folder))
    assert ckpt2pb.main(["--ckptdir", str(folder), "--pbdir", str(tmp_path / "out"), "--pb_name", "model"]) == 1
    assert not (tmp_path / "out" / "model.pb").exists()


@pytest.mark.parametrize(
    "text, words",
    [
        (b"\xff\xfe", "checkpoint: damaged; name the prefix"),
        (b"{{{{", "checkpoint: damaged; name the prefix"),
        (
            b'model_checkpoint_path: "ckpt\\000-1"',
            "checkpoint: model_checkpoint_path is .*, expected the name of a file",
        ),
        (b'model_checkpoint_path: "a/.."', "checkpoint: model_checkpoint_path is '..', expected the name of a file"),
        (b'all_model_checkpoint_paths: "a"', "checkpoint: damaged; name the prefix"),
        (b'model_checkpoint_path: "gone"', "the file `checkpoint` names .*gone, which is not there"),
    ],
)
def test_the_list_of_checkpoints_in_a_folder(tmp_path, text, words):
    (tmp_path / "checkpoint").write_bytes(text)
    with pytest.raises(PipelineError, match=words) as caught:
        importer.read(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"max_depth_m": 1e300}, "max_depth_m is 1e[+]300, expected a finite number from 0.001 to 1000"),
        ({"max_depth_m": "10"}, "max_depth_m is '10'"),
        ({"holes": 1}, "holes is 1, expected true or false"),
        ({"rgb": [1, 2]}, r"rgb\[0\] is 1, expected text"),
        ({"rgb": ["a.png"]}, "rgb does not name 2 files"),
        ({"skipped": ["a"]}, r"skipped\[0\] is 'a', expected an object"),
    ],
)
def test_pictures_of_a_test_archive_that_do_not_fit(tmp_path, change, words):
    path = str(tmp_path / "nyu_test.zip")
    tiny.write_test_set(path, count=2)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("pictures.json", json.dumps(dict({"max_depth_m": 10, "holes": True}, **change)))
    with pytest.raises(PipelineError, match="nyu_test.zip: pictures.json: " + words) as caught:
        testset.open_test_set(path)
    assert "\n" not in str(caught.value)
