"""Images made worse, and what is measured of a network on them."""

import os
import sys

import numpy as np
import pytest
from densedepth.data import test_archive_writer
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import corruption_library, corruptions, robustness, scoring, under_test
from densedepth.imaging import depth
from fake_predictor import FakePredictor

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
LIBRARY = os.environ.get("CORRUPTIONS_PYTHON", os.path.join(ROOT, ".venv/corruptions/bin/python"))
SIZE, CROP, COUNT = (32, 48), (2, 29, 3, 44), 4


def image(index, times=1):
    """A picture with edges, and depth that grows to the right."""
    random = np.random.RandomState(index)
    rows, columns = np.mgrid[0 : SIZE[0] * times, 0 : SIZE[1] * times]
    rgb = np.where((rows // 6 + columns // 7) % 2, 190, 60)[..., np.newaxis] + random.randint(0, 40, (*rows.shape, 3))
    return rgb.astype(np.uint8), (1 + columns / 10 + index).astype(np.float32)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("robust") / "test.zip")
    test_archive_writer.write(path, map(image, range(COUNT)), COUNT, SIZE, CROP)
    return path


def own_network(test_set):
    return under_test.Ours(FakePredictor((16, 24)), test_set)


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_each_severity_is_worse_than_the_one_before(name):
    rgb, truth = image(1, times=4)
    worse = [corruptions.apply(name, severity, rgb, truth, seed=5) for severity in range(1, corruptions.SEVERITIES + 1)]
    assert all(one.dtype == np.uint8 and one.shape == rgb.shape and depth.shape == truth.shape for one, depth in worse)
    again = corruptions.apply(name, 3, rgb, truth, seed=5)
    assert all((one == other).all() for one, other in zip(worse[2], again))
    if corruptions.CORRUPTIONS[name].photometric:
        assert all((depth == truth).all() for _, depth in worse)
        off = [np.abs(one.astype(float) - rgb).mean() for one, _ in worse]
        assert off[0] > 0.5 and off[-1] > off[0]
    else:
        # Less and less of the depth is where it was.
        off = [np.mean(depth == truth) for _, depth in worse]
        assert 1 > off[0] > off[-1]


def test_depth_moves_with_the_image():
    rgb, _ = image(0)
    # The depth of a pixel is what its red says.
    truth = rgb[..., 0] / 25.0
    for name in ("rotation", "focal_length", "crop"):
        moved, depth = corruptions.apply(name, 3, rgb, truth)
        shown = depth > 0
        # Between pixels colours are mixed and depths are not.
        assert np.median(np.abs(moved[..., 0] / 25.0 - depth)[shown]) < 0.6
    turned = corruptions.apply("rotation", 5, rgb, truth)[1]
    assert (turned[0, 0], turned[-1, -1]) == (0, 0) and turned[SIZE[0] // 2, SIZE[1] // 2] > 0
    whole = corruptions.apply("crop", 5, rgb, truth)[1]
    # The lower left quarter.
    assert set(np.unique(whole)) <= set(np.unique(truth[SIZE[0] // 2 :, : SIZE[1] // 2].astype(np.float32)))


def test_figures_of_a_network(archive):
    with open_test_set(archive) as test_set:
        passes = []
        document = robustness.measure(own_network(test_set), test_set, 10, ("jpeg", "rotation"), passes.append)
        expected = scoring.evaluate(FakePredictor((16, 24)), test_set, 1)
        assert robustness.measure(own_network(test_set), test_set, 2, ("jpeg",))["test_data"]["images"] == 2
    assert document["clean"] == pytest.approx(expected["metrics"], rel=1e-6)
    assert passes == list(range(1, 2 * COUNT + 1))
    jpeg = document["corruptions"]["jpeg"]
    assert [one["severity"] for one in jpeg["severities"]] == [1, 2, 3, 4, 5] and jpeg["unit"] == "quality"
    assert set(jpeg["severities"][0]) == {"severity", "amount", *expected["metrics"]}
    assert robustness.lines(document)[0].startswith("clean                        AbsRel")
    curves = document["disagreement"]
    assert [len(curves[name]["parts"]) for name in ("flip", "scale")] == [10, 10]
    # At 1.25 times its size only the middle of an image is seen.
    assert curves["flip"]["pixels"] > curves["scale"]["pixels"] > 0.5 * curves["flip"]["pixels"]
    assert curves["scale"]["parts"][-1]["disagreement"] > 0


@pytest.mark.parametrize("framing", [depth.STRETCHED, depth.Framing(placed=True)])
def test_an_image_at_other_sizes(framing):
    """What is taken out of the network's input at each size is what the image shows there."""
    size, own = (48, 96), (32, 48)
    ramp = np.broadcast_to(np.linspace(0, 250, 96), size)
    rgb = np.repeat(ramp[..., np.newaxis], 3, axis=2).astype(np.uint8)
    for scale in (0.75, 1.25):
        where, part = robustness._scaled(size, own, scale, framing)
        placed = depth.put(rgb[part], where, own)
        assert placed.shape == (*own, 3)
        back = depth.taken_out(placed[::2, ::2, 0], where, own, rgb[part].shape[:2]) * 255
        assert np.abs(back - ramp[part])[:, 6:-6].max() < 5
        assert scale == 1.25 or part == (slice(0, 48), slice(0, 96))
    # Of a stretched one, 1 / 1.25 of either length.
    seen = robustness._scaled(size, own, 1.25, depth.STRETCHED)[1]
    assert [one.stop - one.start for one in seen] == [38, 77]


def test_disagreement_and_error():
    random = np.random.RandomState(0)
    disagreement = random.rand(5000)
    told = robustness.calibration(disagreement, 2 * disagreement)
    assert told["rank_correlation"] == pytest.approx(1) and len(told["parts"]) == robustness.PARTS
    assert [part["error"] for part in told["parts"]] == pytest.approx(
        [2 * part["disagreement"] for part in told["parts"]]
    )
    assert told["parts"][0]["disagreement"] == pytest.approx(0.05, abs=0.01)
    assert abs(robustness.calibration(disagreement, random.rand(5000))["rank_correlation"]) < 0.05
    # Equal values share a rank.
    assert robustness.calibration(np.zeros(8), np.arange(8.0))["rank_correlation"] is None


def test_no_figures_of_a_damaged_archive(archive, tmp_path):
    """Also where the damage lies in no image that is looked at."""
    with open(archive, "rb") as stream:
        data = bytearray(stream.read())
    pixels = image(1)[0].tobytes()
    assert data.count(pixels) == 1
    data[data.index(pixels) + 100] ^= 1
    (tmp_path / "test.zip").write_bytes(data)
    with open_test_set(str(tmp_path / "test.zip")) as test_set, pytest.raises(
        PipelineError, match=r"eigen_test_rgb.npy: damaged \(Bad CRC-32"
    ):
        robustness.measure(own_network(test_set), test_set, 1, ("jpeg",))


def test_an_unknown_corruption_is_one_line(archive):
    with open_test_set(archive) as test_set, pytest.raises(
        PipelineError, match="corruption snow: unknown, legal are ga"
    ):
        robustness.measure(own_network(test_set), test_set, 1, ("snow",))


@pytest.mark.skipif(not os.path.exists(LIBRARY), reason="no .venv/corruptions; make corruptions")
def test_common_corruptions_by_the_package_that_is_kept(archive):
    rgb, _ = image(1, times=2)
    with corruption_library.Library(LIBRARY) as library, open_test_set(archive) as test_set:
        for name in corruption_library.NAMES:
            if name.endswith("glass_blur"):
                # Compiled for some seconds.
                continue
            worse = [library.apply(name, severity, rgb, 5) for severity in (1, 1, 5)]
            assert worse[0].shape == rgb.shape and worse[0].dtype == np.uint8 and (worse[0] == worse[1]).all()
            # The frost of a picture is one of six, drawn.
            off = [np.abs(one.astype(float) - rgb).mean() for one in worse]
            assert off[0] > 0.5 and (off[2] > off[0] or name.endswith("frost")), name
        # The same kind, in two forms: by the package, and here in shares of the image's size.
        names = ("jpeg", "imagenet_c_jpeg_compression")
        found = robustness.measure(own_network(test_set), test_set, 1, names, library=library)
        ours, theirs = ([one["rel_truth"] for one in found["corruptions"][name]["severities"]] for name in names)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        assert found["library"]["package"] == "imagecorruptions-imaug"
        with pytest.raises(PipelineError, match="imagenet_c_nosuch: KeyError"):
            library.apply("imagenet_c_nosuch", 1, rgb)


def test_an_interpreter_without_the_package_is_one_line(archive):
    with pytest.raises(PipelineError, match=r"imagecorruptions|metadata"), corruption_library.Library(sys.executable):
        pass
    with pytest.raises(PipelineError, match=r"cannot be started .*; `make corruptions` makes"):
        corruption_library.Library("/nosuch/python")
    with open_test_set(archive) as test_set, pytest.raises(PipelineError, match=r"fog: needs --library"):
        robustness.measure(own_network(test_set), test_set, 1, ("imagenet_c_fog",))
