"""A stand-in for CANN's `atc`: the flags, names and failures of the real one as documented; the OM file is the graph.

It refuses what `atc` would refuse and keeps its conventions: `--output` without .om, to which it adds it, files of its
own in the working folder, the shape of the input fixed. What an NPU computes it cannot show.
"""

import json
import os
import re
import sys

FLAGS = {
    *("model", "framework", "output", "soc_version", "input_shape", "input_format"),
    *("out_nodes", "output_type", "precision_mode", "precision_mode_v2", "op_select_implmode", "log"),
    *("insert_op_conf", "dynamic_batch_size"),
}
PRECISION = {"force_fp16", "allow_fp32_to_fp16", "must_keep_origin_dtype", "allow_mix_precision"}
PRECISION_V2 = {"fp16", "origin", "cube_fp16in_fp32out", "mixed_float16", "mixed_bfloat16", "mixed_hif8"}
CHIPS = re.compile(r"Ascend(910(A|B|ProA|ProB|PremiumA|B[1-4]|_93\d\d)|310|310P[1-3]|950\w*)$")
MAGIC = b"STAND-IN OM\n"


def fail(code, words):
    print("ATC run failed, Please check the detail log, Try 'atc --help' for more information")
    print("{}: {}".format(code, words))
    sys.exit(1)


def _scale(path, shape):
    """What the pixels are multiplied by, of a static AIPP whose image has the size of the input."""
    with open(path) as stream:
        text = re.sub("#.*", "", stream.read())
    fields = dict(re.findall(r"(\w+)\s*:\s*(\S+)", text))
    if not re.match(r"\s*aipp_op\s*\{[^{}]*\}\s*$", text) or fields.get("input_format") != "RGB888_U8":
        fail("E10046", "Failed to parse [{}]".format(path))
    if [fields["src_image_size_h"], fields["src_image_size_w"]] != shape.split(",")[1:3]:
        fail("E19021", "The size of the AIPP image is not that of the input")
    scales = {float(fields["var_reci_chn_{}".format(channel)]) for channel in range(3)}
    return scales.pop() if len(scales) == 1 else fail("E10046", "one factor for all channels is what this knows")


def main():
    flags = {}
    for word in sys.argv[1:]:
        name, equals, value = word.partition("=")
        if not equals or name[2:] not in FLAGS:
            fail("E10005", "[{}] is not a valid argument".format(word))
        flags[name[2:]] = value
    for name in ("model", "framework", "output", "soc_version"):
        if name not in flags:
            fail("E10004", "Value for [--{}] is empty".format(name))
    onnx = flags["model"].endswith(".onnx")
    if flags["framework"] != ("5" if onnx else "3") or not os.path.isfile(flags["model"]):
        fail("E10401", "Open file[{}] failed".format(flags["model"]))
    if not CHIPS.match(flags["soc_version"]):
        fail("E10001", "Value [{}] for parameter [--soc_version] is invalid".format(flags["soc_version"]))
    if flags.get("precision_mode", "force_fp16") not in PRECISION:
        fail("E10001", "Value [{}] for parameter [--precision_mode] is invalid".format(flags["precision_mode"]))
    if {"precision_mode", "precision_mode_v2"} <= set(flags):
        fail("E10056", "Cannot config both parameters [--precision_mode] and [--precision_mode_v2] simultaneously")
    if flags.get("precision_mode_v2", "fp16") not in PRECISION_V2:
        fail("E10001", "Value [{}] for parameter [--precision_mode_v2] is invalid".format(flags["precision_mode_v2"]))
    name, _, shape = flags["input_shape"].rpartition(":")
    batches = [int(batch) for batch in flags.get("dynamic_batch_size", "").split(",") if batch]
    if (shape.split(",")[0] == "-1") != bool(batches):
        fail("E10012", "[--input_shape]'s batch must be -1 with [--dynamic_batch_size], and only then")
    header = {
        "input": name if onnx else name + ":0",
        "shape": [int(side) for side in shape.split(",")],
        "output": flags.get("out_nodes", "").strip('"'),
        "batches": batches,
        "scale": _scale(flags["insert_op_conf"], shape) if "insert_op_conf" in flags else None,
    }
    with open(flags["model"], "rb") as stream:
        graph = stream.read()
    with open("fusion_result.json", "w") as stream:
        stream.write("[]")
    with open(flags["output"] + ".om", "wb") as stream:
        stream.write(MAGIC + json.dumps(header).encode() + b"\n" + graph)
    print("ATC start working now, please wait for a moment.\nATC run success, welcome to the next use.")


if __name__ == "__main__":
    main()
