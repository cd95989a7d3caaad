"""Make a training archive as large as the true nyu_data.zip, by repeating the pairs of the embedded sample.

    python benchmarks/make_archive.py --source results/sample/nyu_data.zip --out /tmp/large.zip --pairs 50688

Member names, folders (about 180 pairs in each of 284) and csv are laid out as in the true archive. The drawn pictures
compress better than photographs, so their JPEGs are encoded again at `--quality`: 96 makes 50,688 pairs fill some 4 GB,
as the true ones do. Members are deflated, as `zip -r` does, or as they are with --stored, as Python's zipfile does.
"""

import argparse
import io
import os
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth import files
from densedepth.data import train_archive
from PIL import Image

FOLDERS = 284


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--source", required=True, help="archive whose pairs are repeated")
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--pairs", type=int, default=50688)
    arguments.add_argument("--quality", type=int, default=96)
    arguments.add_argument("--stored", action="store_true", help="do not deflate the members")
    args = arguments.parse_args()
    method = zipfile.ZIP_STORED if args.stored else zipfile.ZIP_DEFLATED
    with train_archive.Archive(args.source) as source:
        pairs = [source.pair(row)[:2] for row in source.rows()]
    pairs = [(encoded_again(jpeg, args.quality), png) for jpeg, png in pairs]
    folders = min(FOLDERS, args.pairs)
    rows = []
    with files.atomic_path(args.out) as path, zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        for number in range(args.pairs):
            name = "data/nyu2_train/scene_{:04d}_out/{}".format(number * folders // args.pairs, number)
            for suffix, content in zip((".jpg", ".png"), pairs[number % len(pairs)]):
                archive.writestr(name + suffix, content)
            rows.append("{0}.jpg,{0}.png\n".format(name))
        archive.writestr(train_archive.TRAIN_CSV, "".join(rows))
    print("{}: {} pairs, {:,} bytes".format(args.out, args.pairs, os.path.getsize(args.out)))


def encoded_again(jpeg, quality):
    stream = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).save(stream, "JPEG", quality=quality, subsampling=2)
    return stream.getvalue()


if __name__ == "__main__":
    main()
