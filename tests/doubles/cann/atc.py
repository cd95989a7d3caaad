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
    *("out_nodes", "output_type", "precision_mode", "op_select_implmode", "log"),
}
PRECISION = {"force_fp16", "allow_fp32_to_fp16", "must_keep_origin_dtype", "allow_mix_precision"}
CHIPS = re.compile(r"Ascend(910(A|B|ProA|ProB|PremiumA|B[1-4])|310|310P[1-3])$")
MAGIC = b"STAND-IN OM\n"


def fail(code, words):
    print("ATC run failed, Please check the detail log, Try 'atc --help' for more information")
    print("{}: {}".format(code, words))
    sys.exit(1)


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
    if flags["framework"] != "3" or not os.path.isfile(flags["model"]):
        fail("E10401", "Open file[{}] failed".format(flags["model"]))
    if not CHIPS.match(flags["soc_version"]):
        fail("E10001", "Value [{}] for parameter [--soc_version] is invalid".format(flags["soc_version"]))
    if flags.get("precision_mode", "force_fp16") not in PRECISION:
        fail("E10001", "Value [{}] for parameter [--precision_mode] is invalid".format(flags["precision_mode"]))
    name, _, shape = flags["input_shape"].rpartition(":")
    header = {
        "input": name + ":0",
        "shape": [int(side) for side in shape.split(",")],
        "output": flags.get("out_nodes", "").strip('"'),
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
