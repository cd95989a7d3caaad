"""The training loss against an independent float64 computation, window by window."""

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.tf import tf
from densedepth.training import loss

TERMS = ("total", "l1", "gradient", "ssim")


def run_loss(prediction, target, holes=False):
    with tf.Graph().as_default(), tf.Session() as session:
        terms = loss.depth_loss(tf.constant(prediction, tf.float32), tf.constant(target, tf.float32), holes)
        return session.run(terms)


def reference_ssim(first, second):
    """SSIM of two (H, W) float64 maps as the mean over windows, each taken with plain weighted sums."""
    rows = np.arange(11) - 5
    weights = np.exp(-(rows[:, None] ** 2 + rows[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * 100) ** 2, (0.03 * 100) ** 2
    values = []
    for top in range(first.shape[0] - 10):
        for left in range(first.shape[1] - 10):
            a = first[top : top + 11, left : left + 11]
            b = second[top : top + 11, left : left + 11]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a = (weights * (a - mean_a) ** 2).sum()
            var_b = (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            values.append(luminance * (2 * covariance + c2) / (var_a + var_b + c2))
    return np.mean(values)


def reference_gradient(prediction, target):
    total = 0.0
    for axis in (1, 2):
        differences = []
        for maps in (prediction, target):
            step = np.diff(maps, axis=axis)
            last = np.zeros_like(np.take(maps, [0], axis=axis))
            differences.append(np.concatenate([step, last], axis=axis))
        total += np.mean(np.abs(differences[0] - differences[1]))
    return total


def reference_loss(prediction, target):
    ssim = [reference_ssim(prediction[i, ..., 0], target[i, ..., 0]) for i in range(len(target))]
    terms = {
        "l1": np.mean(np.abs(prediction - target)),
        "gradient": reference_gradient(prediction, target),
        "ssim": np.mean(np.clip((1 - np.array(ssim)) / 2, 0, 1)),
    }
    terms["total"] = 0.1 * terms["l1"] + terms["gradient"] + terms["ssim"]
    return terms


def maps(seed, shape=(3, 14, 17, 1), low=1.0, high=100.0):
    return np.random.RandomState(seed).uniform(low, high, shape).astype(np.float32).astype(np.float64)


def check(prediction, target, relative=1e-5):
    ours, theirs = run_loss(prediction, target), reference_loss(prediction, target)
    for term in TERMS:
        assert ours[term].shape == () and ours[term].dtype == np.float32
        np.testing.assert_allclose(ours[term], theirs[term], rtol=relative, atol=1e-6, err_msg=term)


def test_equals_reference_on_unrelated_maps():
    check(maps(0), maps(1))


def test_equals_reference_on_similar_maps():
    target = maps(2)
    check(target + maps(3, low=-2, high=2), target)


def test_equals_reference_where_variances_are_small_beside_squares():
    target = maps(4, low=95, high=95.5)
    check(target + maps(5, low=-0.3, high=0.3), target, relative=1e-4)


def test_equals_reference_on_the_smallest_map():
    check(maps(6, (1, 11, 11, 1)), maps(7, (1, 11, 11, 1)))


def test_opposite_structure_is_clipped_per_sample():
    wave = np.where(np.add.outer(np.arange(12), np.arange(12)) % 2, 20.0, -20.0)[None, :, :, None]
    prediction, target = np.concatenate([wave, wave]), np.concatenate([-wave, wave])
    ours = run_loss(prediction, target)
    # One sample near SSIM -1, one at SSIM 1.
    assert 0.45 < ours["ssim"] < 0.5
    check(prediction, target)


def test_identical_maps_have_no_loss():
    target = maps(8)
    for term, value in run_loss(target, target).items():
        assert abs(value) < 1e-6, term


def test_gradient_term_by_hand():
    # One pixel of 12x12 is off by 6: two differences of 6 down, two across, each mean over all 144 places.
    target = np.full((1, 12, 12, 1), 50.0)
    prediction = target.copy()
    prediction[0, 5, 5, 0] += 6
    ours = run_loss(prediction, target)
    np.testing.assert_allclose(ours["gradient"], 24.0 / 144, rtol=1e-6)
    np.testing.assert_allclose(ours["l1"], 6.0 / 144, rtol=1e-6)
    # In the last corner, one difference each way.
    prediction = target.copy()
    prediction[0, 11, 11, 0] += 6
    np.testing.assert_allclose(run_loss(prediction, target)["gradient"], 12.0 / 144, rtol=1e-6)


def test_ssim_equals_tensorflow():
    first, second = maps(9, (2, 40, 50, 1)), maps(10, (2, 40, 50, 1))
    second = 0.7 * first + 0.3 * second
    with tf.Graph().as_default(), tf.Session() as session:
        a, b = tf.constant(first, tf.float32), tf.constant(second, tf.float32)
        ours, theirs = session.run([loss.structural_similarity(a, b), tf.image.ssim(a, b, 100.0)])
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.mark.parametrize("term", TERMS)
def test_gradient_equals_central_differences(term):
    shape = (2, 12, 13, 1)
    target = maps(11, shape)
    prediction = target + maps(12, shape, low=-20, high=20)
    with tf.Graph().as_default(), tf.Session() as session:
        tensor = tf.constant(prediction, tf.float32)
        value = loss.depth_loss(tensor, tf.constant(target, tf.float32))[term]
        ours = session.run(tf.gradients(value, tensor)[0])
    step = 1e-4
    places = np.random.RandomState(13).permutation(prediction.size)[:60]
    for place in places:
        index = np.unravel_index(place, shape)
        values = []
        for sign in (1, -1):
            moved = prediction.copy()
            moved[index] += sign * step
            values.append(reference_loss(moved, target)[term])
        np.testing.assert_allclose(ours[index], (values[0] - values[1]) / (2 * step), rtol=1e-3, atol=1e-7)


def test_graph_is_plain_float32_whatever_the_input():
    with tf.Graph().as_default() as graph, tf.Session() as session:
        half = tf.constant(maps(14), tf.float16)
        terms = loss.depth_loss(half, tf.constant(maps(15), tf.float32))
        assert all(np.isfinite(value) for value in session.run(terms).values())
        kinds = {op.type for op in graph.get_operations()}
        types = {tensor.dtype.base_dtype for op in graph.get_operations() for tensor in op.outputs}
    assert not kinds & {"Assert", "Where", "Shape"}
    assert tf.float64 not in types and tf.string not in types


def test_map_below_the_window_is_refused():
    small = tf.zeros((1, 10, 32, 1))
    with pytest.raises(PipelineError, match=r"10x32.*11x11"):
        loss.depth_loss(small, small)
    with pytest.raises(PipelineError, match="height and width must be static"):
        loss.depth_loss(tf.placeholder(tf.float32, (1, None, None, 1)), tf.placeholder(tf.float32, (1, 16, 16, 1)))


# Holes


def test_without_any_hole_the_masked_loss_is_the_same():
    prediction, target = maps(20), maps(21)
    ours, theirs = run_loss(prediction, target, holes=True), run_loss(prediction, target)
    for term in TERMS:
        np.testing.assert_allclose(ours[term], theirs[term], rtol=1e-5, err_msg=term)


def holed(share, shape=(2, 14, 17, 1)):
    target = maps(22, shape)
    target[np.random.RandomState(23).uniform(size=shape) < share] = 0
    return maps(24, shape), target


def window_similarity(weights, a, b):
    c1, c2 = (0.01 * 100) ** 2, (0.03 * 100) ** 2
    mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
    var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
    covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance * (2 * covariance + c2) / (var_a + var_b + c2)


def reference_masked_loss(prediction, target):
    """The masked terms pixel by pixel and window by window, in float64."""
    known = target > 0
    gradient = 0.0
    for axis, length in ((1, target.shape[1]), (2, target.shape[2])):
        pairs = np.take(known, range(1, length), axis) & np.take(known, range(length - 1), axis)
        differences = np.abs(np.diff(prediction - target, axis=axis))[pairs]
        gradient += (differences.mean() if len(differences) else 0.0) * (length - 1) / length
    rows = np.arange(11) - 5
    gauss = np.exp(-(rows[:, None] ** 2 + rows[None, :] ** 2) / (2 * 1.5**2))
    gauss /= gauss.sum()
    errors = []
    for sample in range(len(target)):
        values, shares = [], []
        for top in range(target.shape[1] - 10):
            for left in range(target.shape[2] - 10):
                window = (sample, slice(top, top + 11), slice(left, left + 11), 0)
                share = (gauss * known[window]).sum()
                if share:
                    weights = gauss * known[window] / share
                    values.append(window_similarity(weights, prediction[window], target[window]))
                    shares.append(share)
        errors.append(np.clip((1 - np.average(values, weights=shares)) / 2, 0, 1))
    terms = {"l1": np.mean(np.abs(prediction - target)[known]), "gradient": gradient, "ssim": np.mean(errors)}
    return dict(terms, total=0.1 * terms["l1"] + gradient + terms["ssim"])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_masked_loss_equals_reference(share):
    prediction, target = holed(share)
    ours, theirs = run_loss(prediction, target, holes=True), reference_masked_loss(prediction, target)
    for term in TERMS:
        np.testing.assert_allclose(ours[term], theirs[term], rtol=1e-4, atol=1e-5, err_msg=term)


def test_nothing_comes_from_the_holes():
    prediction, target = holed(0.5)
    changed = np.where(target > 0, prediction, 50.0)
    with tf.Graph().as_default(), tf.Session() as session:
        given = tf.placeholder(tf.float32, prediction.shape)
        total = loss.depth_loss(given, tf.constant(target, tf.float32), holes=True)["total"]
        slope = tf.gradients(total, given)[0]
        one, slopes = session.run([total, slope], {given: prediction})
        other = session.run(total, {given: changed})
    assert np.isfinite(slopes).all()
    assert (slopes[target == 0] == 0).all() and np.abs(slopes[target > 0]).max() > 0
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_batch_without_any_depth_costs_nothing():
    prediction, target = holed(0.5)
    assert run_loss(prediction, np.zeros_like(target), holes=True) == dict.fromkeys(TERMS, 0)


def expected_silog(prediction, target, known, least=0.5):
    """10 * sqrt(mean(d ** 2) - 0.85 * mean(d) ** 2) over the known pixels of each image, averaged."""
    found = []
    for one, two, valid in zip(prediction, target, known):
        one, two = one[valid].astype(float), two[valid].astype(float)
        # Below the bound the logarithm goes on as its tangent.
        logarithm = np.where(one > least, np.log(np.maximum(one, least)), np.log(least) + (one - least) / least)
        d = logarithm - np.log(two)
        found.append(10 * np.sqrt(np.mean(d**2) - 0.85 * np.mean(d) ** 2))
    return np.mean(found)


def expected_berhu(prediction, target, known):
    found = []
    for one, two, valid in zip(prediction, target, known):
        x = np.abs(one[valid].astype(float) - two[valid])
        c = x.max() / 5
        found.append(np.mean(np.where(x <= c, x, (x**2 + c**2) / (2 * c))))
    return np.mean(found)


@pytest.mark.parametrize("name, expected", [("silog", expected_silog), ("berhu", expected_berhu)])
@pytest.mark.parametrize("holes", [False, True])
def test_a_named_loss_equals_its_formula_and_has_finite_gradients(name, expected, holes):
    random = np.random.RandomState(4)
    target = random.uniform(1, 20, (3, 16, 20, 1)).astype(np.float32)
    known = random.uniform(size=target.shape) < (0.7 if holes else 2)
    known[2] = known[2] & (not holes)
    target = np.where(known, target, 0).astype(np.float32)
    # Some below zero, as the output of a linear layer may be, and one image that is right.
    prediction = (target + random.normal(0, 2, target.shape)).astype(np.float32)
    prediction[1] = target[1]
    with tf.Graph().as_default(), tf.Session() as session:
        given = tf.constant(prediction)
        terms = loss.named(name, given, tf.constant(target), holes)
        found, gradient = session.run([terms, tf.gradients(terms["total"], given)[0]])
        today = session.run(loss.depth_loss(given, tf.constant(target), holes))
    # An image without valid depth, or without an error, adds nothing.
    wrong = [0] if holes else [0, 2]
    value = expected(prediction[wrong], target[wrong], known[wrong]) * len(wrong) / 3
    np.testing.assert_allclose(found["total"], value, rtol=1e-3)
    assert np.isfinite(gradient).all() and (not holes or np.all(gradient[~known] == 0))
    assert {key: found[key] for key in ("l1", "gradient", "ssim")} == {
        key: today[key] for key in ("l1", "gradient", "ssim")
    }


def test_the_default_loss_is_that_of_the_paper_to_the_bit():
    with tf.Graph().as_default() as named:
        loss.named("densedepth", *(tf.placeholder(tf.float32, (2, 16, 16, 1)) for _ in range(2)))
    with tf.Graph().as_default() as plain:
        loss.depth_loss(*(tf.placeholder(tf.float32, (2, 16, 16, 1)) for _ in range(2)))
    assert named.as_graph_def() == plain.as_graph_def()
