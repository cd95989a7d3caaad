"""Parts of a 3x3 convolution with half of the multiplications, for filters that do not change."""

import infer_from_pb
import measure_robustness
import numpy as np
import predict
import pytest
from densedepth.inference import networks
from densedepth.network import winograd
from densedepth.tf import tf

pytestmark = pytest.mark.skipif(not winograd.has_xla(), reason="this TensorFlow has no XLA for processors")
ONE = [1, 1, 1, 1]


@pytest.mark.parametrize("height, width", [(1, 1), (3, 5), (4, 2), (13, 6), (16, 3)])
def test_parts_make_the_convolution_and_what_follows(height, width):
    random = np.random.RandomState(height)
    kernel = random.normal(0, 0.3, (3, 3, 5, 4)).astype(np.float32)
    x, other = (random.normal(0, 1, (2, height, width, depth)).astype(np.float32) for depth in (5, 4))
    with tf.Graph().as_default(), tf.Session() as session:
        # As in frozen graphs, the number of images is not known.
        maps, added = (tf.placeholder(tf.float32, (None,) + array.shape[1:]) for array in (x, other))
        wanted = tf.nn.leaky_relu(tf.nn.conv2d(maps, kernel, ONE, "SAME") + added, 0.2)
        found = winograd.fixed_conv2d(
            maps,
            winograd.fixed_filters(kernel),
            lambda x, part: tf.nn.conv2d(x, part, ONE, "SAME"),
            lambda y, z: tf.nn.leaky_relu(y + z, 0.2),
            [added],
        )
        assert found.shape.as_list() == [None, height, width, 4]
        found, wanted = session.run([found, wanted], {maps: x, added: other})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def test_filters_are_rounded_once():
    kernel = np.random.RandomState(0).normal(0, 1, (3, 3, 2, 4)).astype(np.float32)
    parts = winograd.fixed_filters(kernel)
    assert [part.shape for part in parts] == [(1, 3, 2, 4)] * 6 and {part.dtype for part in parts} == {np.dtype("f4")}
    exact = np.einsum("pr,rkcf->pkcf", winograd._FILTERS, kernel.astype(np.float64))
    np.testing.assert_allclose(np.concatenate(parts), exact, rtol=1e-7)


class Loaded(Exception):
    pass


@pytest.mark.parametrize(
    "program, flags, images",
    [
        # Five images and their mirrored ones; three, as they are and in five severities of two corruptions.
        (infer_from_pb, ["--image_path"], 10),
        (measure_robustness, ["--images", "3", "--corruptions", "contrast", "gaussian_noise", "--test_data"], 33),
        # All twelve corruptions, and the library's fifteen.
        (measure_robustness, ["--images", "3", "--library", "python", "--test_data"], 3 * (1 + 5 * 27)),
    ],
)
def test_programs_say_how_many_images_they_have(test_archive, monkeypatch, program, flags, images):
    def load(*names, **said):
        assert said == {"images": images}
        raise Loaded

    monkeypatch.setattr(networks, "load", load)
    with pytest.raises(Loaded):
        program.main([*flags, test_archive])


def test_predictions_say_how_many_images_they_have(tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "c.mp4"):
        (tmp_path / name).write_bytes(b"x")
    said = []

    def load(*names, images):
        said.append(images)
        raise Loaded

    monkeypatch.setattr(networks, "load", load)
    for flags in ([], ["--flip_average", "false"]):
        with pytest.raises(Loaded):
            predict.main(["--input", str(tmp_path), "--out", str(tmp_path / "out"), *flags])
    # Two photos and a video, and their mirrored images.
    assert said == [1004, 502]
