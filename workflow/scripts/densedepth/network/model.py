"""What distinguishes one DenseDepth network from another, as plain data (no TensorFlow needed)."""

import dataclasses
from typing import Any, Dict

from ..errors import PipelineError
from ..metadata import COUNT, DEPTH_RANGE, SHA256, Closed, Null, OneOf

# Dense layers in each of the four dense blocks (Huang et al. 2017, table 1).
BLOCKS = {
    "densenet121": (6, 12, 24, 16),
    "densenet169": (6, 12, 32, 32),
    "densenet201": (6, 12, 48, 32),
}

# Where a x2 bilinear resize reads its source: pixel i of 2n at (i + 0.5) / 2 - 0.5 (Keras' UpSampling2D today), at
# i * (n - 1) / (2n - 1) (the paper's), or at i / 2 (TensorFlow 1's default). ONNX calls them the same.
UPSAMPLINGS = ("half_pixel", "align_corners", "asymmetric")

LEGAL = {
    "encoder": tuple(sorted(BLOCKS)),
    "width": ("half", "full"),
    "upsampling": UPSAMPLINGS,
    "mid_activation": (True, False),
}

# A network's choices in a metadata file; those left out have their defaults.
SCHEMA = Closed({key + "?": OneOf(*values) for key, values in LEGAL.items()})

# The metadata file of a frozen graph, as far as the graph is run by it.
GRAPH_SCHEMA = {
    "sha256": SHA256,
    "model": SCHEMA,
    "folded?": bool,
    "depth_range?": Null(DEPTH_RANGE),
    "source": {"epoch": COUNT, "global_step": COUNT},
}

# What the settings call otherwise.
_SETTINGS = {"width": "decoder"}


@dataclasses.dataclass(frozen=True)
class Model:
    """The choices that fix a network's variables and its arithmetic; the defaults are those of the reference port.

    encoder: densenet121, densenet169 or densenet201.
    width: filters of the decoder's first layer, as many as the encoder's features (`full`) or `half` of them.
    upsampling: sample positions of the x2 bilinear resize, one of `UPSAMPLINGS`.
    mid_activation: leaky ReLU between the two convolutions of each up block.

    The network of the paper (arXiv 1812.11941) has width full, align_corners and no mid_activation. Raises
    PipelineError for any other value.
    """

    encoder: str = "densenet169"
    width: str = "half"
    upsampling: str = "half_pixel"
    mid_activation: bool = True

    def __post_init__(self) -> None:
        for key, legal in LEGAL.items():
            value = getattr(self, key)
            if not any(value is choice or (isinstance(value, str) and value == choice) for choice in legal):
                raise PipelineError(
                    "model: {} is {!r}, legal are {}".format(key, value, ", ".join(str(choice) for choice in legal))
                )

    def settings_unlike(self, other: "Model") -> str:
        """The settings in which this network differs from `other`, with its own values: "model.decoder: full, ..."."""
        keys = [key for key in LEGAL if getattr(self, key) != getattr(other, key)]
        values = (str(getattr(self, key)).lower() for key in keys)
        return ", ".join("model.{}: {}".format(_SETTINGS.get(key, key), value) for key, value in zip(keys, values))

    def as_dict(self) -> Dict[str, Any]:
        """The fields as a plain dict, for JSON; `model_from_dict` reads it back."""
        return dataclasses.asdict(self)


def model_from_dict(fields: Dict[str, Any]) -> Model:
    """The `Model` with the given fields; those left out take their defaults.

    Raises PipelineError for an unknown key or value, naming what is legal.
    """
    unknown = sorted(set(fields) - set(LEGAL))
    if unknown:
        raise PipelineError("model: unknown key {!r}, legal are {}".format(unknown[0], ", ".join(sorted(LEGAL))))
    return Model(**fields)
