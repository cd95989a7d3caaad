"""DenseDepth (arXiv 1812.11941) in PyTorch. Needs PyTorch only; copy this file where you need it.

    import densedepth_torch

    network = densedepth_torch.load("model.safetensors")
    metres = network.metres(images)         # images: float32 (n, 3, height, width), RGB in 0..1 -> (n, height, width)

Height and width are multiples of 32. `network(images)` is the output itself, (n, 1, height / 2, width / 2), which is
1000 / depth in centimetres. The file is written by export_torch.py, the weights have the names of the original authors'
PyTorch network, and this is an `nn.Module` as any other: to train it further, call `network.train()`.
"""

import json
import os
import re
import struct
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = {
    "densenet121": (6, 12, 24, 16),
    "densenet169": (6, 12, 32, 32),
    "densenet201": (6, 12, 48, 32),
}
GROWTH = 32


def load(path: str) -> "DenseDepth":
    """The network in the safetensors file `path`, ready to run on the processor; `.to("cuda")` moves it."""
    with open(path, "rb") as stream:
        length = struct.unpack("<Q", stream.read(8))[0]
        if length > os.path.getsize(path):
            raise ValueError("{}: not a safetensors file".format(path))
        header = json.loads(stream.read(length))
        data = bytearray(stream.read())
    told = json.loads(header.pop("__metadata__", {}).get("densedepth", "null"))
    if not told:
        raise ValueError("{}: tells no network; expected a file of export_torch.py".format(path))
    state = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        if entry["dtype"] != "F32":
            raise ValueError("{}: {} is {}, expected F32".format(path, name, entry["dtype"]))
        state[name] = torch.frombuffer(data, dtype=torch.float32, count=(end - first) // 4, offset=first)
        state[name] = state[name].reshape(entry["shape"])
    found = re.findall(r"denseblock(\d)\.denselayer\d+\.conv1\.weight", " ".join(state))
    network = DenseDepth(
        depth_range=told["depth_range"], blocks=[found.count(block) for block in "1234"], **told["model"]
    )
    missing, unexpected = network.load_state_dict(state, strict=False)
    # A file has no counts of batches, which nothing but a training without momentum reads.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError("{}: does not fit the network, as {}".format(path, (missing + unexpected)[0]))
    return network.eval()


class DenseDepth(nn.Module):
    """The network with random weights.

    encoder: densenet121, densenet169 or densenet201; width: `half` or `full` decoder; upsampling: `half_pixel`,
    `align_corners` or `asymmetric`; mid_activation: leaky ReLU between the convolutions of an up block; depth_range:
    nearest and farthest depth of the training in centimetres; blocks: dense layers of each block, if not the encoder's.
    """

    def __init__(
        self,
        encoder: str = "densenet169",
        width: str = "half",
        upsampling: str = "half_pixel",
        mid_activation: bool = True,
        depth_range: Optional[Tuple[float, float]] = None,
        blocks: Optional[Sequence[int]] = None,
    ) -> None:
        super().__init__()
        self.nearest, self.farthest = (end / 100 for end in depth_range or (10, 1000))
        features = _Features(blocks or BLOCKS[encoder])
        self.encoder = nn.Module()
        self.encoder.original_model = nn.Module()
        self.encoder.original_model.features = features
        self.decoder = _Decoder(features.channels, features.skips[1:], width, upsampling, mid_activation)

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(*self.encoder.original_model.features(images))

    @torch.no_grad()
    def metres(self, images: Tensor, flip_average: bool = True) -> Tensor:
        """Depth in metres for each pixel, (n, height, width); by default averaged with that of the mirrored images."""
        maps = self._clipped(images)
        if flip_average:
            maps = (maps + self._clipped(images.flip(3)).flip(3)) / 2
        return functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)[:, 0]

    def _clipped(self, images):
        # Adding zero makes 0.0 of -0.0, which would count as negative, that is near.
        return (10 / (self(images) + 0.0)).clamp(self.nearest, self.farthest)


class _DenseLayer(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, 4 * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * GROWTH)
        self.conv2 = nn.Conv2d(4 * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv1(functional.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(functional.relu(self.norm2(y)))], 1)


class _Transition(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, x):
        # Averaging before a 1x1 convolution gives the same as after it, with a quarter of the work.
        return self.conv(functional.avg_pool2d(functional.relu(self.norm(x)), 2))


class _Features(nn.Module):
    """The encoder: torchvision's DenseNet up to its last normalisation, with the maps that the decoder reads."""

    def __init__(self, blocks):
        super().__init__()
        self.conv0 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.norm0 = nn.BatchNorm2d(64)
        channels = 64
        # Channels of the maps that the decoder reads, the smallest map first.
        self.skips = [64, 64]
        for number, layers in enumerate(blocks, 1):
            block = nn.Sequential()
            for layer in range(1, layers + 1):
                block.add_module("denselayer{}".format(layer), _DenseLayer(channels))
                channels += GROWTH
            self.add_module("denseblock{}".format(number), block)
            if number < len(blocks):
                self.add_module("transition{}".format(number), _Transition(channels))
                channels //= 2
                self.skips.insert(0, channels)
        self.norm5 = nn.BatchNorm2d(channels)
        self.channels = channels

    def forward(self, images):
        first = functional.relu(self.norm0(self.conv0(images)))
        pooled = functional.max_pool2d(first, 3, 2, 1)
        second = self.transition1(self.denseblock1(pooled))
        third = self.transition2(self.denseblock2(second))
        x = self.denseblock4(self.transition3(self.denseblock3(third)))
        return functional.relu(self.norm5(x)), third, second, pooled, first


class _Up(nn.Module):
    def __init__(self, inputs, outputs, upsampling, mid_activation):
        super().__init__()
        self.convA = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.convB = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.upsampling, self.mid_activation = upsampling, mid_activation

    def forward(self, x, skip):
        x = self.convA(torch.cat([_twice(x, self.upsampling), skip], 1))
        if self.mid_activation:
            x = functional.leaky_relu(x, 0.2)
        return functional.leaky_relu(self.convB(x), 0.2)


def _twice(x, upsampling):
    """`x` at twice its size, bilinearly."""
    if upsampling != "asymmetric":
        corners = upsampling == "align_corners"
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=corners)
    # Pixel i of the result is at i / 2: the pixels themselves, and the means of neighbours between them.
    for axis in (2, 3):
        last = x.narrow(axis, x.shape[axis] - 1, 1)
        after = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), last], axis)
        x = torch.stack([x, (x + after) / 2], axis + 1).flatten(axis, axis + 1)
    return x


class _Decoder(nn.Module):
    def __init__(self, channels, skips, width, upsampling, mid_activation):
        super().__init__()
        filters = channels // (2 if width == "half" else 1)
        self.conv2 = nn.Conv2d(channels, filters, 1)
        for level, skip in enumerate(skips, 1):
            up = _Up(filters + skip, filters // 2, upsampling, mid_activation)
            self.add_module("up{}".format(level), up)
            filters //= 2
        self.conv3 = nn.Conv2d(filters, 1, 3, padding=1)

    def forward(self, features, third, second, pooled, first):
        x = self.up1(self.conv2(features), third)
        x = self.up4(self.up3(self.up2(x, second), pooled), first)
        return self.conv3(x)
