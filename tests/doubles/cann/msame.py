"""A stand-in for `msame`: `--model X.om --input <folder> --output <folder> --outfmt BIN`.

The outputs are <folder>/<time>/<stem of the input>_output_0.bin, one for each input file, which is one batch.
"""

import argparse
import os

import numpy as np
import om_session


def main():
    parser = argparse.ArgumentParser(prog="msame", allow_abbrev=False)
    for name in ("--model", "--input", "--output"):
        parser.add_argument(name, required=True)
    parser.add_argument("--outfmt", choices=("BIN", "TXT"), required=True)
    for name in ("--device", "--loop", "--dymBatch"):
        parser.add_argument(name, type=int, default=0)
    args = parser.parse_args()
    session = om_session.Session(args.model)
    folder = os.path.join(args.output, "20260101_000000")
    os.makedirs(folder)
    for path in om_session.inputs(args.input):
        shape = [args.dymBatch or session.shape[0], *session.shape[1:]]
        images = np.fromfile(path, session.type).reshape(shape)
        session.run(session.checked(images)).tofile(os.path.join(folder, om_session.stem(path) + "_output_0.bin"))
    print("Run demo success")


if __name__ == "__main__":
    main()
