"""A stand-in for the module `ais_bench`: joins the input files to batches of the model and splits the outputs again.

The outputs are <--output>/<--output_dirname>/<stem of the input>_0.bin.
"""

import argparse
import os

import numpy as np
import om_session


def main():
    parser = argparse.ArgumentParser(prog="ais_bench", allow_abbrev=False)
    for name in ("--model", "--input", "--output"):
        parser.add_argument(name, required=True)
    parser.add_argument("--output_dirname", required=True)
    parser.add_argument("--outfmt", choices=("BIN", "NPY", "TXT"), required=True)
    for name in ("--device", "--loop", "--batchsize"):
        parser.add_argument(name, type=int, default=1)
    args = parser.parse_args()
    session = om_session.Session(args.model)
    folder = os.path.join(args.output, args.output_dirname)
    os.makedirs(folder)
    image = int(np.prod(session.shape[1:]))
    paths = om_session.inputs(args.input)
    files = [om_session.read(path, None).reshape([-1] + session.shape[1:]) for path in paths]
    images = np.concatenate(files)
    assert image * len(images) == sum(one.size for one in files)
    batch = session.shape[0]
    outputs = np.concatenate([session.run(images[i : i + batch]) for i in range(0, len(images), batch)])
    first = 0
    for path, one in zip(paths, files):
        outputs[first : first + len(one)].tofile(os.path.join(folder, om_session.stem(path) + "_0.bin"))
        first += len(one)
    print("[INFO] -----------------Performance Summary------------------")


if __name__ == "__main__":
    main()
