"""The command line of CANN's `atc`, by its documentation of CANN 8 and 9: from a frozen graph or ONNX, AIPP, batches.

Nothing here has been run by the real atc.
"""

import os
import re
from typing import Any, Dict, List, Sequence

from ..errors import PipelineError

# Words of --precision_mode, and of --precision_mode_v2, which is recommended since CANN 8; atc takes one of the two.
PRECISION = ("force_fp16", "allow_fp32_to_fp16", "allow_mix_precision", "must_keep_origin_dtype")
PRECISION_V2 = ("fp16", "origin", "cube_fp16in_fp32out", "mixed_float16", "mixed_bfloat16", "mixed_hif8")
# The highest opset of ONNX that atc reads.
OPSET = 17
MOST_BATCHES = 100

_FIRST = re.compile(r"Ascend(910(A|B|ProA|ProB|PremiumA)?|310.*)$")
_FORMATS = {"mixed_bfloat16": lambda soc: not _FIRST.match(soc), "mixed_hif8": lambda soc: soc.startswith("Ascend950")}

AIPP = """\
# Input: uint8, NHWC, RGB; the network gets RGB in 0..1: (value - min_chn) * var_reci_chn.
aipp_op {{
    aipp_mode: static
    related_input_rank: 0
    input_format: RGB888_U8
    src_image_size_h: {height}
    src_image_size_w: {width}
    csc_switch: false
    rbuv_swap_switch: false
    min_chn_0: 0.0
    min_chn_1: 0.0
    min_chn_2: 0.0
    var_reci_chn_0: {scale}
    var_reci_chn_1: {scale}
    var_reci_chn_2: {scale}
}}
"""


def aipp(height: int, width: int) -> str:
    """The configuration of AIPP that takes uint8 images of this size and divides by 255 inside."""
    return AIPP.format(height=height, width=width, scale="{:.17f}".format(1 / 255))


def check(path: str, side: Dict[str, Any], soc: str, precision: str, uint8: bool, batches: Sequence[int]) -> None:
    """Raises PipelineError for what atc or the chip `soc` would not take of the network `path` with `side`."""
    if precision not in PRECISION + PRECISION_V2:
        raise PipelineError(
            "precision_mode = {!r}: must be one of {}".format(precision, ", ".join(PRECISION + PRECISION_V2))
        )
    if precision in _FORMATS and not _FORMATS[precision](soc):
        raise PipelineError("precision_mode = {}: {} does not compute in this format".format(precision, soc))
    if is_onnx(path):
        if side.get("opset", OPSET) > OPSET:
            raise PipelineError(
                "{}: opset {}, atc reads ONNX up to {}; export it again with --opset {}".format(
                    path, side["opset"], OPSET, OPSET
                )
            )
        if uint8:
            raise PipelineError("{}: AIPP wants ONNX in NCHW, this is NHWC; convert the frozen graph".format(path))
    if batches:
        if side["input"]["shape"][0] is not None:
            raise PipelineError("{}: made for batches of {} alone".format(path, side["input"]["shape"][0]))
        if not 2 <= len(set(batches)) <= MOST_BATCHES or len(set(batches)) != len(batches):
            raise PipelineError("batches {}: 2 to {} different numbers".format(list(batches), MOST_BATCHES))
    if side.get("quantized") and precision in ("must_keep_origin_dtype", "origin"):
        raise PipelineError(
            "precision_mode = {}: leaves no int8 of {}; take force_fp16 or fp16".format(precision, path)
        )


def is_onnx(path: str) -> bool:
    return path.endswith(".onnx")


def flags(
    path: str,
    side: Dict[str, Any],
    shape: List[int],
    soc: str,
    precision: str,
    aipp_path: str,
    batches: Sequence[int],
) -> List[str]:
    """The flags of atc but --output; `shape`: of the input, batch first. `aipp_path`: "" without AIPP."""
    name = side["input"]["name"].split(":")[0] if not is_onnx(path) else side["input"]["name"]
    given = [-1 if batches else shape[0], *shape[1:]]
    words = [
        "--model={}".format(os.path.abspath(path)),
        "--framework={}".format(5 if is_onnx(path) else 3),
        "--input_shape={}:{}".format(name, ",".join(map(str, given))),
        "--input_format={}".format("ND" if is_onnx(path) else "NHWC"),
        "--output_type=FP32",
        "--precision_mode{}={}".format("_v2" if precision in PRECISION_V2 else "", precision),
        "--soc_version={}".format(soc),
        "--log=error",
    ]
    if not is_onnx(path):
        words.insert(4, "--out_nodes={}".format(side["output"]["name"]))
    if batches:
        words.append("--dynamic_batch_size={}".format(",".join(str(batch) for batch in sorted(batches))))
    if aipp_path:
        words.append("--insert_op_conf={}".format(aipp_path))
    return words
