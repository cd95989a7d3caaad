"""Speed of reading pairs from HDF5 files and tar archives, beside h5py and tarfile alone, in one run.

    python benchmarks/pair_reading.py --source results/sample/nyu_data.zip --pairs 200

Writes pairs of the embedded sample, with the noise of a sensor, as FastDepth's files of NYU Depth v2 (HDF5, packed by
gzip, or not packed with --plain), into a folder and into a tar file, and reads them from both in alternating rounds:
with h5py (and tarfile) alone, up to an image and an array, and as lists of pairs are read, with all checks. `pair` is
the whole conversion of a pair to what a record holds. Processor time, so that other work on the machine does not count.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time

import h5py
import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth.data import datasets, train_archive
from densedepth.data.custom_pairs import Pictures


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--source", required=True, help="archive whose pairs are taken")
    arguments.add_argument("--pairs", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--plain", action="store_true", help="do not pack the arrays")
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    found = {"pairs": args.pairs, "folder": [], "tar": []}
    with tempfile.TemporaryDirectory() as folder:
        written(folder, args.source, args.pairs, None if args.plain else "gzip")
        for _ in range(args.rounds):
            for kind, alone in (("folder", folder_alone), ("tar", tar_alone)):
                lists = listed(os.path.join(folder, kind))
                seconds = {"alone": timed(lambda alone=alone: alone(folder))}
                for name, read in (("read", lambda source, row: source.arrays(row)), ("pair", Pictures.pair)):
                    seconds[name] = timed(lambda read=read, path=lists: every(path, read))
                found[kind].append(seconds)
    for kind in ("folder", "tar"):
        rounds = found[kind]
        ratio = statistics.median(one["alone"] / one["read"] for one in rounds)
        each = 1000 * statistics.median(one["pair"] for one in rounds) / args.pairs
        found["{}_to_alone".format(kind)] = [one["alone"] / one["read"] for one in rounds]
        print("{}: {:.2f} x the speed of h5py alone; a pair for the records takes {:.1f} ms".format(kind, ratio, each))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(found, stream, indent=2, sort_keys=True)


def written(folder, source_path, count, packing):
    """The files: `folder`/folder/{train,val}/scene/*.h5, and the same in `folder`/tar/{train,val}.tar."""
    random = np.random.RandomState(0)
    with train_archive.Archive(source_path) as source:
        pairs = [source.arrays(row) for row in source.rows()[:8]]
    data = []
    for rgb, depth in pairs:
        noisy = np.clip(rgb + random.normal(0, 3, rgb.shape), 0, 255).astype(np.uint8)
        metres = np.maximum(depth + random.normal(0, 0.005, depth.shape), 0.1).round(3).astype(np.float32)
        data.append(packed(packing, rgb=noisy.transpose(2, 0, 1), depth=metres))
    os.makedirs(os.path.join(folder, "tar"))
    for split, number in (("train", count), ("val", 2)):
        scene = os.path.join(folder, "folder", split, "scene")
        os.makedirs(scene)
        with tarfile.open(os.path.join(folder, "tar", split + ".tar"), "w") as archive:
            for place in range(number):
                path = os.path.join(scene, "{:05d}.h5".format(place))
                with open(path, "wb") as stream:
                    stream.write(data[place % len(data)])
                archive.add(path, "scene/{:05d}.h5".format(place))


def packed(packing, **arrays):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression=packing)
    return stream.getvalue()


def listed(path):
    """The list of the pairs at `path`."""
    with contextlib.redirect_stdout(io.StringIO()):
        content = datasets.listed("nyu", path, (480, 640), 10)
    with open(path + ".json", "w") as stream:
        json.dump(content, stream)
    return path + ".json"


def every(path, read):
    with Pictures(path) as source:
        for row in source.rows():
            read(source, row)


def folder_alone(folder):
    for place, _, names in os.walk(os.path.join(folder, "folder", "train")):
        for name in names:
            with h5py.File(os.path.join(place, name), "r") as file:
                arrays(file)


def tar_alone(folder):
    with tarfile.open(os.path.join(folder, "tar", "train.tar")) as archive:
        for entry in archive:
            with h5py.File(io.BytesIO(archive.extractfile(entry).read()), "r") as file:
                arrays(file)


def arrays(file):
    return Image.fromarray(np.ascontiguousarray(file["rgb"][()].transpose(1, 2, 0))), file["depth"][()]


def timed(work):
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
