"""Download a file: several sources in turn, resumed after a break, checked before it takes its name.

    python workflow/scripts/download.py --url https://first/nyu_data.zip --url https://second/nyu_data.zip \\
        --out dataset/nyu_data.zip --sha256 SUM

A file that is there already, put by hand or downloaded before, is checked and kept; nothing is contacted then. Without
--sha256 or --md5 the first checksum seen is noted in checksums.json beside the file, and another one refused later.
"""

import sys

import cli
from densedepth.data import checksums, download


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument(
        "--url", nargs="+", action="append", required=True, help="sources, tried in turn: http(s), file: or a path"
    )
    arguments.add_argument("--out", required=True, help="the file to make")
    sums = arguments.add_mutually_exclusive_group()
    sums.add_argument("--sha256", help="expected SHA-256")
    sums.add_argument("--md5", help="expected MD5")
    arguments.add_argument("--older_md5", nargs="+", default=[], help="MD5 of older releases, accepted with a warning")
    arguments.add_argument("--size", type=cli.number("downloads.*.size"), help="expected size in bytes")
    arguments.add_argument("--cache", help="folder that may have the file under its name; never written to")
    return arguments


def work(args):
    sums = checksums.Sums(args.sha256, args.md5, args.size, args.older_md5)
    download.fetch([url for group in args.url for url in group], args.out, sums, cache=args.cache)


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
