"""An OpenVINO network with weights and features in int8, quantized by NNCF after calibration."""

from typing import Any, List, Sequence

import numpy as np

from ..errors import PipelineError
from . import openvino_predictor


def of_layers(names: Sequence[str], layers: Sequence[str]) -> List[str]:
    """Those of the convolutions' `names`, in the order of the graph, that begin with one of `layers`.

    The first convolution is conv1, whatever it is called: tf2onnx gives it a name of its own when it joins its padding
    to it.
    """
    first = names[:1] if "conv1/" in layers else []
    return list(dict.fromkeys([*first, *(name for name in names if name.startswith(tuple(layers)))]))


def write(plain: str, images: np.ndarray, kept: Sequence[str], path: str) -> None:
    """Write the ONNX file `plain` in int8 to the .xml `path`, its .bin beside it.

    images: float32 (n, height, width, 3), RGB in 0..1, for the calibration. kept: the beginnings of the names of the
    convolutions that stay in float. Raises PipelineError where NNCF is not installed.
    """
    openvino = openvino_predictor.runtime_module()
    try:
        import nncf
    except ImportError:
        raise PipelineError(
            "NNCF is not installed here; `make exports` installs it, then use .venv/tf2/bin/python"
        ) from None
    network: Any = openvino.convert_model(plain)
    names = [one.get_friendly_name() for one in network.get_ordered_ops() if one.get_type_name() == "Convolution"]
    quantized = nncf.quantize(
        network,
        nncf.Dataset(list(images), lambda image: image[np.newaxis]),
        # Weights by channel and around zero, features between their own ends.
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=of_layers(names, kept)),
    )
    openvino.save_model(quantized, path, compress_to_fp16=True)
