"""The DenseDepth network with the half decoder and its loss in plain PyTorch, for comparison.

Layers have the names of the project's variables with `/` as `:`, since a dot or slash has a meaning in module names.
"""

import math

import torch
from torch import nn
from torch.nn import functional

BLOCKS = (6, 12, 32, 32)  # DenseNet-169
GROWTH = 32
EPSILON = 1.001e-5


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict()
        self._conv("conv1/conv", 3, 64, 7, stride=2, bias=False)
        self._norm("conv1/bn", 64)
        channels = 64
        for stage, count in enumerate(BLOCKS, start=2):
            for layer in range(1, count + 1):
                block = "conv{}_block{}".format(stage, layer)
                self._norm(block + "_0_bn", channels)
                self._conv(block + "_1_conv", channels, 4 * GROWTH, 1, bias=False)
                self._norm(block + "_1_bn", 4 * GROWTH)
                self._conv(block + "_2_conv", 4 * GROWTH, GROWTH, 3, bias=False)
                channels += GROWTH
            if stage < 5:
                self._norm("pool{}_bn".format(stage), channels)
                self._conv("pool{}_conv".format(stage), channels, channels // 2, 1, bias=False)
                channels //= 2
        self._norm("bn", channels)
        filters = channels // 2
        self._conv("conv2", channels, filters, 1)
        for level, skip in enumerate((256, 128, 64, 64), start=1):
            self._conv("up{}_convA".format(level), filters + skip, filters // 2, 3)
            filters //= 2
            self._conv("up{}_convB".format(level), filters, filters, 3)
        self._conv("conv3", filters, 1, 3)

    def _conv(self, name, inputs, outputs, size, stride=1, bias=True):
        self.layers[name.replace("/", ":")] = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=bias)

    def _norm(self, name, channels):
        self.layers[name.replace("/", ":")] = nn.BatchNorm2d(channels, eps=EPSILON, momentum=0.01)

    def load(self, values):
        """Take `values`, {variable name: array} of the project's network."""
        kinds = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
        state = {}
        for name, value in values.items():
            layer, _, kind = name.rpartition("/")
            value = torch.from_numpy(value)
            if kind == "kernel":
                kind, value = "weight", value.permute(3, 2, 0, 1)
            state["layers.{}.{}".format(layer.replace("/", ":"), kinds.get(kind, kind))] = value
        missing, unexpected = self.load_state_dict(state, strict=False)
        assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)

    def _apply_layer(self, name, x):
        return self.layers[name.replace("/", ":")](x)

    def _norm_relu(self, name, x):
        return functional.relu(self._apply_layer(name, x), inplace=True)

    def forward(self, images):
        run = self._apply_layer
        x = self._norm_relu("conv1/bn", run("conv1/conv", images))
        skips = [x]
        x = functional.max_pool2d(x, 3, 2, 1)
        skips.append(x)
        for stage, count in enumerate(BLOCKS, start=2):
            for layer in range(1, count + 1):
                block = "conv{}_block{}".format(stage, layer)
                y = run(block + "_1_conv", self._norm_relu(block + "_0_bn", x))
                y = run(block + "_2_conv", self._norm_relu(block + "_1_bn", y))
                x = torch.cat([x, y], 1)
            if stage < 5:
                pool = "pool{}".format(stage)
                x = functional.avg_pool2d(run(pool + "_conv", self._norm_relu(pool + "_bn", x)), 2)
                if stage < 4:
                    skips.append(x)
        x = run("conv2", self._norm_relu("bn", x))
        for level in range(1, 5):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = torch.cat([x, skips[-level]], 1)
            for half in "AB":
                x = functional.leaky_relu(run("up{}_conv{}".format(level, half), x), 0.2, inplace=True)
        return run("conv3", x)


def depth_loss(prediction, target):
    """0.1 * mean absolute error + that of the forward differences + the structural dissimilarity; as the project's."""
    difference = prediction - target
    height, width = difference.shape[2:]
    gradient = (difference[:, :, 1:] - difference[:, :, :-1]).abs().mean() * ((height - 1) / height)
    gradient = gradient + (difference[..., 1:] - difference[..., :-1]).abs().mean() * ((width - 1) / width)
    dissimilarity = ((1 - _similarity(prediction, target)) / 2).clamp(0, 1).mean()
    return 0.1 * difference.abs().mean() + gradient + dissimilarity


def _similarity(first, second, window=11, sigma=1.5):
    weights = torch.tensor([math.exp(-((i - window // 2) ** 2) / (2 * sigma**2)) for i in range(window)])
    weights = (weights / weights.sum()).to(first)
    c1, c2 = (0.01 * 100) ** 2, (0.03 * 100) ** 2
    shift = second.mean((1, 2, 3), keepdim=True)
    first, second = first - shift, second - shift
    means = torch.cat([first, second, first * second, first * first + second * second], 1)
    for shape in ((window, 1), (1, window)):
        means = functional.conv2d(means, weights.reshape(1, 1, *shape).expand(4, 1, *shape), groups=4)
    mean1, mean2, product, squares = means.chunk(4, 1)
    contrast = (2 * (product - mean1 * mean2) + c2) / (squares - mean1 * mean1 - mean2 * mean2 + c2)
    mean1, mean2 = mean1 + shift, mean2 + shift
    return ((2 * mean1 * mean2 + c1) / (mean1 * mean1 + mean2 * mean2 + c1) * contrast).mean((1, 2, 3))
