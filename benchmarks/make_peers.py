"""Write networks of others for the same task as ONNX files, with random weights, and count what they compute.

    .venv/agree/bin/python benchmarks/make_peers.py --out /tmp/peers

Ultralytics' YOLO26-depth in its five sizes and Depth Anything V2 Small, built by `ultralytics` and `transformers` from
their own descriptions; nothing is downloaded. What they have learnt changes no time. peers.json names them in order:
parameters and floating-point operations of an image, counted by PyTorch alike for all (a multiplication and an
addition are two), also of DenseDepth in plain PyTorch, whose file is not written here.
"""

import argparse
import json
import os
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

SIZE = (480, 640)
# Depth Anything's patches have 14 pixels: the size nearest to the others'.
PATCHED = (476, 644)
OPSET = 17


class DepthAnything(torch.nn.Module):
    """Depth Anything V2 Small of `transformers`, from image to depth alone."""

    def __init__(self):
        from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

        super().__init__()
        encoder = Dinov2Config(
            hidden_size=384,
            num_attention_heads=6,
            num_hidden_layers=12,
            image_size=518,
            patch_size=14,
            out_features=["stage3", "stage6", "stage9", "stage12"],
            reshape_hidden_states=False,
        )
        sizes = {"reassemble_hidden_size": 384, "neck_hidden_sizes": [48, 96, 192, 384], "fusion_hidden_size": 64}
        self.network = DepthAnythingForDepthEstimation(DepthAnythingConfig(backbone_config=encoder, **sizes))

    def forward(self, images):
        return self.network(images).predicted_depth


def yolo(size):
    from ultralytics.nn.tasks import DepthModel

    network = DepthModel("yolo26{}-depth.yaml".format(size), ch=3, verbose=False)
    network.model[-1].export = True
    # As for its own export: normalisation is part of the convolutions.
    return network.eval().fuse(verbose=False)


def densedepth():
    from torch_network import Network

    return Network()


def networks():
    """(name, network maker, size of its image, whether its file is written) of each."""
    yield "DenseDepth", densedepth, SIZE, False
    for size in "nsmlx":
        yield "YOLO26{}-depth".format(size), lambda size=size: yolo(size), SIZE, True
    yield "Depth Anything V2 Small", DepthAnything, PATCHED, True


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", required=True)
    args = arguments.parse_args()
    os.makedirs(args.out, exist_ok=True)
    found = []
    for name, make, size, written in networks():
        torch.manual_seed(0)
        network = make().eval()
        images = torch.rand(1, 3, *size)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(images)
        facts = {"name": name, "size": list(size), "flop": counter.get_total_flops()}
        facts["parameters"] = sum(each.numel() for each in network.parameters())
        if written:
            facts["file"] = name.lower().replace(" ", "_") + ".onnx"
            path = os.path.join(args.out, facts["file"])
            torch.onnx.export(network, (images,), path, input_names=["image"], opset_version=OPSET, dynamo=False)
        print("{name}: {parameters:,} parameters, {flop:,} FLOP at {size}".format(**facts), flush=True)
        found.append(facts)
    with open(os.path.join(args.out, "peers.json"), "w") as stream:
        json.dump(found, stream, indent=1)


if __name__ == "__main__":
    sys.exit(main())
