"""KITTI is scored at the images' own sizes, by Garg's and Eigen's crops, as its evaluation programs do it."""

import json
import zipfile

import numpy as np
import pytest
from densedepth.data import custom_test_archive, datasets
from densedepth.data.custom_pairs import Pictures
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import baseline, protocols, scoring
from densedepth.evaluation.thumbnails import Thumbnails
from layout_files import encoded, in_folder

# (height, width) of drives of different days.
SIZES = [(375, 1242), (370, 1226), (376, 1241), (375, 1242)]
# As the evaluation programs of BTS, AdaBins and Monodepth2 write them: rows, columns, each from and up to.
CROPS = {
    "garg": (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    "eigen": (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}
NETWORK = (352, 1216)


class Network:
    """Predicts 10 / green, where green tells the depth of the image; so what it sees of an image comes back."""

    batch = None

    def __init__(self, size):
        self.size = size

    def run(self, images):
        green = images.reshape(len(images), self.size[0] // 2, 2, self.size[1] // 2, 2, 3)[..., 1].mean(axis=(2, 4))
        return (10 / (0.001 + 85 * green))[..., np.newaxis].astype(np.float32)

    def describe(self):
        return {"kind": "checkpoint", "path": "fake", "epoch": 1, "global_step": 2}


def green_of(size, number):
    """Smooth, so that resizing keeps it: 20 to 235."""
    height, width = size
    v, u = np.arange(height)[:, np.newaxis] / height, np.arange(width) / width
    return np.rint(20 + 100 * v + 110 * u + 2 * number).astype(np.uint8)


def truth_of(size, number):
    """Sparse depth in metres, in steps of 1 / 256, beyond 80 m in places; unlike what is predicted."""
    depth = np.rint(256 * (1 + green_of(size, number) / 3.0 * np.linspace(0.6, 1.4, size[1]))) / 256
    return np.where(np.random.RandomState(number).uniform(size=size) < 0.05, depth, 0)


@pytest.fixture(scope="module")
def kitti(tmp_path_factory):
    """A folder of one image of each size in both splits."""
    files, rows = {}, {"train": [], "test": []}
    for number, size in enumerate(SIZES):
        rgb = np.zeros((*size, 3), np.uint8)
        rgb[..., 1] = green_of(size, number)
        stored = np.rint(truth_of(size, number) * 256).astype(np.uint16)
        for split in rows:
            names = "{}{}.png".format(split, number), "{}{}_depth.png".format(split, number)
            files.update(zip(names, (encoded(rgb), encoded(stored))))
            rows[split].append("{} {} 721.5".format(*names))
    for split, lines in rows.items():
        files["eigen_{}_files_with_gt.txt".format(split)] = "\n".join(lines).encode()
    return in_folder(tmp_path_factory.mktemp("kitti"), files)


def listed(kitti, folder, size=NETWORK, test_size="own"):
    content = datasets.listed("kitti_eigen", kitti, size, 85, test_size=test_size)
    (folder / "list.json").write_text(json.dumps(content))
    return str(folder / "list.json")


def archive(kitti, folder, **options):
    custom_test_archive.write(listed(kitti, folder, **options), str(folder / "test.zip"))
    return str(folder / "test.zip")


@pytest.fixture(scope="module")
def own(kitti, tmp_path_factory):
    """The test archive at the images' own sizes, of a network that sees them cut."""
    return archive(kitti, tmp_path_factory.mktemp("own"))


def expected(name, predicted):
    """{metric: mean over images}, plainly, of {index: predicted depth of the whole image}."""
    top, bottom, left, right = CROPS[name]
    found = {"delta1": [], "rel_truth": [], "rms_image": []}
    for number, size in enumerate(SIZES):
        truth, counts = truth_of(size, number), np.zeros(size, bool)
        counts[int(top * size[0]) : int(bottom * size[0]), int(left * size[1]) : int(right * size[1])] = True
        counts &= (truth > 1e-3) & (truth < 80)
        g, p = truth[counts], np.clip(predicted[number][counts], 1e-3, 80)
        found["delta1"].append((np.maximum(g / p, p / g) < 1.25).mean())
        found["rel_truth"].append((np.abs(g - p) / g).mean())
        found["rms_image"].append(np.sqrt(np.square(g - p).mean()))
    return {key: np.mean(values) for key, values in found.items()}


def test_the_archive_holds_whole_images_and_ground_truth_unchanged(own):
    with open_test_set(own) as test_set:
        found = {name: pair for *pair, (name,) in test_set.batches(1)}
        # Side by side where they are equal, so that networks get whole batches.
        assert test_set.groups(2) == [[0], [1, 2], [3]]
        assert test_set.names == ["test1.png", "test0.png", "test3.png", "test2.png"]
    for index, number in enumerate((1, 0, 3, 2)):
        rgb, truth = found[index]
        assert rgb.shape[1:3] == SIZES[number] and (rgb[0, ..., 1] == green_of(SIZES[number], number)).all()
        assert (truth[0] == np.where(truth_of(SIZES[number], number) < 85, truth_of(SIZES[number], number), 0)).all()


# Cut at the bottom in the middle, as BTS does; the whole image at another size.
@pytest.mark.parametrize("size", [NETWORK, (96, 320)], ids=["cut", "whole"])
def test_the_figures_are_those_of_whole_images(size, own):
    with open_test_set(own) as test_set:
        made = Thumbnails(test_set)
        document = scoring.evaluate(Network(size), test_set, 2, names=("port", "garg", "eigen"), thumbnails=made)
    predicted = [0.01 + green_of(one, number) / 3.0 for number, one in enumerate(SIZES)]
    for name in CROPS:
        block = document["protocols"][name]
        assert block["metrics"] == pytest.approx(dict(block["metrics"], **expected(name, predicted)), rel=2e-3)
        assert 0.3 < block["metrics"]["delta1"] < 0.99
        assert block["protocol"]["depth_limits_m"] == block["protocol"]["truth_m"] == [1e-3, 80]
    assert [image["index"] for image in document["per_image"]] == [0, 1, 2, 3]
    # All of the ground truth below the greatest depth of the data set.
    truths = [truth_of(SIZES[number], number) for number in (1, 0, 3, 2)]
    counts = [np.count_nonzero((truth > 0) & (truth < 85)) for truth in truths]
    assert [image["pixels"] for image in document["per_image"]] == counts


def test_others_that_read_the_archive_take_images_of_several_sizes(own):
    with open_test_set(own) as test_set:
        assert baseline.evaluate(test_set)["metrics"]["rms_pooled"] > 5
        with pytest.raises(PipelineError, match="protocol bts is for images of 480x640, these have 376x1242"):
            protocols.fitted(protocols.named(["bts"])[0], test_set)


def test_without_its_size_an_image_has_that_of_the_network(kitti, tmp_path):
    path = archive(kitti, tmp_path, test_size="network")
    with open_test_set(path) as test_set:
        ((_, depth, _),) = test_set.batches(4)
        with pytest.raises(PipelineError, match=r"garg is for images at their own size, .*; set data.test_size: own"):
            protocols.fitted(protocols.named(["garg"])[0], test_set)
    for number, (height, width) in enumerate(SIZES):
        top, left = height - 352, (width - 1216) // 2
        whole = truth_of((height, width), number)
        part = np.where(whole < 85, whole, 0)[top : top + 352, left : left + 1216]
        assert (depth[number] == part).all()
        # No pixel of either crop is cut off.
        for crop in CROPS.values():
            rows, columns = (int(crop[0] * height), int(crop[1] * height)), (int(crop[2] * width), int(crop[3] * width))
            assert top <= rows[0] and rows[1] <= height and left <= columns[0] and columns[1] <= left + 1216


def test_the_training_sees_all_depth_at_the_size_of_the_network(kitti, tmp_path):
    with Pictures(listed(kitti, tmp_path), "train") as source:
        assert {source.arrays(row)[1].shape for row in source.rows()} == {NETWORK}


@pytest.mark.parametrize("sizes", [[[376, 1242]] * 3, [[376, 1242]] * 3 + [[377, 1242]], [[376, 1242]] * 4 + [[1, 1]]])
def test_sizes_that_are_not_those_of_the_arrays_are_refused(own, tmp_path, sizes):
    with zipfile.ZipFile(own) as whole, zipfile.ZipFile(str(tmp_path / "odd.zip"), "w") as odd:
        for name in whole.namelist():
            data = whole.read(name)
            facts = dict(json.loads(data.decode()), sizes=sizes) if name == "pictures.json" else None
            odd.writestr(name, json.dumps(facts) if facts else data)
    with pytest.raises(PipelineError, match="sizes are not those of 4 images of up to 376x1242; write the test set"):
        open_test_set(str(tmp_path / "odd.zip"))
