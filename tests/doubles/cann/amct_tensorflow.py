"""A stand-in for `amct_tensorflow calibration`: its flags as documented; it leaves the graph that it was given."""

import os
import shutil
import sys

import numpy as np

REQUIRED = {"model", "save_path", "outputs", "input_shape", "data_dir", "data_types"}


def main():
    if sys.argv[1:2] != ["calibration"]:
        sys.exit("amct_tensorflow: error: argument: invalid choice")
    flags = dict(word[2:].split("=", 1) for word in sys.argv[2:])
    if not set(flags) >= REQUIRED or not set(flags) <= REQUIRED | {"batch_num", "calibration_config"}:
        sys.exit("amct_tensorflow: error: {}".format(sorted(set(flags) ^ REQUIRED)))
    shape = [int(side) for side in flags["input_shape"].rpartition(":")[2].split(",")]
    names = sorted(name for name in os.listdir(flags["data_dir"]) if name.endswith(".bin"))
    for name in names[: int(flags.get("batch_num", 1))]:
        values = np.fromfile(os.path.join(flags["data_dir"], name), flags["data_types"])
        assert values.size == np.prod(shape) and values.min() >= 0 and values.max() <= 1
    shutil.copy(flags["model"], flags["save_path"] + "_quantized.pb")
    with open(flags["save_path"] + "_quant.json", "w") as stream:
        stream.write("{}")
    print("[AMCT]:[INFO]: calibration done")


if __name__ == "__main__":
    main()
