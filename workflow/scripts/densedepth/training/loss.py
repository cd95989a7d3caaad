"""The training losses, of which a setting names one; that of arXiv 1812.11941, `densedepth`, is the default.

    total = 0.1 * l1 + gradient + ssim        absolute error, error of the gradients, structural similarity

Prediction and target are inverse depths, 1000 / centimetres, in 1..100 for 10 m .. 0.1 m.
"""

from typing import Dict

import numpy as np

from ..errors import PipelineError
from ..tf import tf

L1_WEIGHT = 0.1

# Their names in the settings.
LOSSES = ("densedepth", "silog", "berhu")

# SILog: how much of the mean error of the logarithm is forgiven, and its factor, both as in arXiv 1907.10326.
_FORGIVEN = 0.85
_SILOG_WEIGHT = 10.0
# BerHu: where the square begins, as a share of the largest error, as in arXiv 1606.00373.
_SQUARE_FROM = 0.2

# Structural similarity (Wang et al. 2004): window, stability constants, and the range of values, 1000 cm / 10 cm.
_WINDOW = 11
_SIGMA = 1.5
_K1 = 0.01
_K2 = 0.03
_RANGE = 100.0


def named(
    name: str, prediction: tf.Tensor, target: tf.Tensor, holes: bool = False, farthest: float = 1000.0
) -> Dict[str, tf.Tensor]:
    """The terms as `depth_loss`, with the loss `name` of `LOSSES` as `total`: each is there to compare the others by.

    silog: 10 * sqrt(mean(d ** 2) - 0.85 * mean(d) ** 2), d the difference of the logarithms (Eigen et al., arXiv
    1406.2283, as weighted by Lee et al., arXiv 1907.10326). Depth and its inverse have the same. berhu: the mean of |x|
    up to c and (x ** 2 + c ** 2) / (2 * c) beyond, c a fifth of the largest |x| (Laina et al., arXiv 1606.00373), of
    inverse depths. Both are taken over the valid pixels of each image, and averaged over the images, so that no device
    count changes them. farthest: depth in centimetres beyond which there is no target.
    """
    terms = depth_loss(prediction, target, holes)
    if name == "densedepth":
        return terms
    prediction = tf.cast(prediction, tf.float32)
    target = tf.cast(target, tf.float32)
    known = tf.cast(target > 0.0, tf.float32) if holes else tf.ones_like(target)
    if name == "silog":
        return dict(terms, total=_silog(prediction, target, known, 500.0 / farthest))
    return dict(terms, total=_berhu((prediction - target) * known, known))


def _image_mean(values, known):
    """The mean of `values` over the known pixels of each image; 0 where there is none."""
    axes = [1, 2, 3]
    return tf.reduce_sum(values * known, axes) / tf.maximum(tf.reduce_sum(known, axes), 1.0)


def _silog(prediction, target, known, least):
    # The network's output may be negative. Below half of the smallest target the logarithm goes on as its tangent.
    logarithm = tf.log(tf.maximum(prediction, least)) + tf.minimum(prediction - least, 0.0) / least
    error = (logarithm - tf.log(tf.maximum(target, least))) * known
    mean = _image_mean(error, known)
    # The root has no gradient at 0.
    spread = tf.maximum(_image_mean(error * error, known) - _FORGIVEN * mean * mean, 1e-8)
    return _SILOG_WEIGHT * tf.reduce_mean(tf.sqrt(spread))


def _berhu(difference, known):
    size = tf.abs(difference)
    bound = tf.stop_gradient(_SQUARE_FROM * tf.reduce_max(size, [1, 2, 3], keepdims=True))
    bound = tf.maximum(bound, 1e-6)
    square = (size * size + bound * bound) / (2.0 * bound)
    return tf.reduce_mean(_image_mean(tf.where(size <= bound, size, square), known))


def depth_loss(prediction: tf.Tensor, target: tf.Tensor, holes: bool = False) -> Dict[str, tf.Tensor]:
    """The loss and its terms as a dict of float32 scalars: `total`, `l1`, `gradient`, `ssim`.

    prediction, target: (N, H, W, 1) inverse depths in 1..100. `l1` is the mean absolute difference; `gradient` the mean
    absolute difference of the forward differences down plus that across, where the last row or column has difference 0
    and counts in the mean; `ssim` the batch mean of clip((1 - SSIM) / 2, 0, 1), SSIM being each sample's mean over the
    map of all complete 11x11 Gaussian windows.

    With `holes`, a target of 0 marks invalid depth, and such pixels are left out: `l1` is the mean over the valid
    pixels of the batch, `gradient` over the pairs of neighbours that are both valid, and the means within a window of
    `ssim` are those of its valid pixels, each window weighted by the valid share of its weight. Where all depth is
    valid, the loss is the same up to rounding.

    Raises PipelineError when height or width is not static, or below 11 pixels.
    """
    _check_size(prediction)
    prediction = tf.cast(prediction, tf.float32)
    target = tf.cast(target, tf.float32)
    if holes:
        return _masked_loss(prediction, target)
    difference = prediction - target
    l1 = tf.reduce_mean(tf.abs(difference))
    gradient = _gradient_error(difference)
    ssim = tf.reduce_mean(tf.clip_by_value((1.0 - structural_similarity(prediction, target)) * 0.5, 0.0, 1.0))
    return _terms(l1, gradient, ssim)


def _terms(l1, gradient, ssim):
    return {"total": L1_WEIGHT * l1 + gradient + ssim, "l1": l1, "gradient": gradient, "ssim": ssim}


def _masked_loss(prediction, target):
    known = tf.cast(target > 0.0, tf.float32)
    difference = (prediction - target) * known
    l1 = _known_mean(tf.abs(difference), known)
    height, width = difference.shape.as_list()[1:3]
    down = _known_mean(tf.abs(difference[:, 1:] - difference[:, :-1]), known[:, 1:] * known[:, :-1])
    across = _known_mean(tf.abs(difference[:, :, 1:] - difference[:, :, :-1]), known[:, :, 1:] * known[:, :, :-1])
    gradient = down * ((height - 1.0) / height) + across * ((width - 1.0) / width)
    ssim = tf.reduce_mean(tf.clip_by_value((1.0 - _masked_similarity(prediction, target, known)) * 0.5, 0.0, 1.0))
    return _terms(l1, gradient, ssim)


def _known_mean(values, known):
    """The mean of `values` where `known` is 1; 0 where it is so nowhere."""
    return tf.reduce_sum(values * known) / tf.maximum(tf.reduce_sum(known), 1.0)


def _masked_similarity(prediction, target, known):
    """`structural_similarity` over the known pixels; 1 for a sample without any."""
    axes = [1, 2, 3]
    count = tf.maximum(tf.reduce_sum(known, axes, keepdims=True), 1.0)
    shift = tf.stop_gradient(tf.reduce_sum(target * known, axes, keepdims=True) / count)
    first, second = (prediction - shift) * known, (target - shift) * known
    sums = [known, first, second, first * second, first * first + second * second]
    share, *sums = tf.split(_window_means(tf.concat(sums, axis=3)), 5, axis=3)
    # The corner of a window weighs 1e-6 of it; what lies below is rounding.
    full = tf.maximum(share, 1e-7)
    similarity = _similarity([total / full for total in sums], shift)
    missing = tf.reduce_sum((1.0 - similarity) * share, axes)
    return 1.0 - missing / tf.maximum(tf.reduce_sum(share, axes), 1e-7)


def _similarity(means, shift):
    """Structural similarity of each window, of the means of both maps less `shift`, their product and their squares."""
    c1 = (_K1 * _RANGE) ** 2
    c2 = (_K2 * _RANGE) ** 2
    mean1, mean2, mean_product, mean_squares = means
    product = mean1 * mean2
    squares = mean1 * mean1 + mean2 * mean2
    contrast = (2.0 * (mean_product - product) + c2) / (mean_squares - squares + c2)
    mean1 += shift
    mean2 += shift
    luminance = (2.0 * mean1 * mean2 + c1) / (mean1 * mean1 + mean2 * mean2 + c1)
    return luminance * contrast


def _gradient_error(difference):
    # Differences are linear: the difference of the gradients is the gradient of the difference.
    height, width = difference.shape.as_list()[1:3]
    down = tf.abs(difference[:, 1:] - difference[:, :-1])
    across = tf.abs(difference[:, :, 1:] - difference[:, :, :-1])
    # The last row and column are zero, so their place in the mean is a factor.
    return tf.reduce_mean(down) * ((height - 1.0) / height) + tf.reduce_mean(across) * ((width - 1.0) / width)


def structural_similarity(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Mean structural similarity of each pair of samples, (N,), for maps (N, H, W, 1) of range 100.

    The figures are those of `tf.image.ssim(first, second, 100)`. That function leaves Assert nodes and shapes unknown
    until run time in the graph, which accelerators that compile whole graphs cannot take.
    """
    _check_size(first)
    # Means of squares around 1e4 minus squares of means lose the small variances in float32. Moving both maps by the
    # same constant leaves variances and covariance as they are and takes most of that loss away.
    shift = tf.stop_gradient(tf.reduce_mean(second, axis=[1, 2, 3], keepdims=True))
    first -= shift
    second -= shift
    # One convolution for the four windowed means.
    means = _window_means(tf.concat([first, second, first * second, first * first + second * second], axis=3))
    return tf.reduce_mean(_similarity(tf.split(means, 4, axis=3), shift), axis=[1, 2, 3])


def _window_means(maps):
    """Gaussian-weighted means of each channel over all complete windows: (N, H - 10, W - 10, C)."""
    distance = np.arange(_WINDOW) - (_WINDOW - 1) / 2.0
    weights = np.exp(-(distance**2) / (2.0 * _SIGMA**2))
    weights = (weights / weights.sum()).astype(np.float32)
    channels = maps.shape.as_list()[3]
    # The Gaussian separates: 11 products down and 11 across instead of 121.
    for shape in ((_WINDOW, 1, 1, 1), (1, _WINDOW, 1, 1)):
        window = tf.constant(np.tile(weights.reshape(shape), (1, 1, channels, 1)))
        maps = tf.nn.depthwise_conv2d(maps, window, [1, 1, 1, 1], "VALID")
    return maps


def _check_size(maps):
    height, width = maps.shape.as_list()[1:3]
    if height is None or width is None:
        raise PipelineError("loss: the maps' height and width must be static")
    if min(height, width) < _WINDOW:
        raise PipelineError(
            "loss: maps of {}x{} are smaller than the {}x{} window of the structural similarity; "
            "train on images of at least 32x32".format(height, width, _WINDOW, _WINDOW)
        )
