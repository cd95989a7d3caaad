"""Measure how a network's figures fall when its images are made worse, on images of nyu_test.zip.

    python workflow/scripts/measure_robustness.py --model_path results/1p/export/model.pb \\
        --test_data dataset/nyu_test.zip --json robustness.json

Noise, blur, brightness, contrast, JPEG, pixels, rotation, focal length and crop, in five severities each (see
docs/metrics.md), and with --library the 15 common corruptions of ImageNet-C by the package imagecorruptions, which
`make corruptions` installs; and whether pixels in which the network disagrees with itself, on the mirrored image or on
the image at another size, are those where it errs. --network is one of another program in an ONNX file, with the flags
of score.py for what it takes and puts out.
"""

import contextlib
import sys

import cli
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import (
    alignment,
    corruption_library,
    corruptions,
    external_network,
    predicted,
    robustness,
    under_test,
)
from densedepth.inference import networks
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help="the inference model")
    arguments.add_argument("--network", help="an ONNX file of another program instead, run by ONNX Runtime")
    arguments.add_argument("--test_data", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--images", type=cli.positive_int, default=32, help="at most so many images, evenly chosen")
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument(
        "--corruptions",
        nargs="+",
        default=[],
        choices=[*corruptions.CORRUPTIONS, *corruption_library.NAMES],
        help="some of them; default: all",
    )
    words = "the interpreter of the environment with imagecorruptions"
    # The workflow's `:q` makes nothing of an empty text.
    arguments.add_argument("--library", nargs="?", const="", default="", help=words)
    cli.add_predicted(arguments, external_network, alignment, required=False)
    return arguments


def wanted(args):
    """Names of the corruptions to measure."""
    return args.corruptions or [*corruptions.CORRUPTIONS, *(corruption_library.NAMES if args.library else ())]


def passes(args, test_set):
    """Images that the network is run on, about: each as it is and in five severities of each corruption."""
    return min(args.images, test_set.count) * (1 + 5 * len(wanted(args)))


@contextlib.contextmanager
def _network(args, test_set):
    if not args.network:
        with networks.load(args.model_path, images=passes(args, test_set)) as predictor:
            yield under_test.Ours(predictor, test_set)
        return
    if not args.unit:
        raise PipelineError("--network: needs --unit, what its values are")
    preprocessing = cli.fields(external_network.Preprocessing, args)
    what = args.unit, args.alignment, args.output
    with external_network.NetworkMaps(args.network, preprocessing, *what) as maps:
        predicted.check_unit(maps, test_set, args.trust_unit)
        yield under_test.Theirs(maps, test_set)


def work(args):
    with open_test_set(args.test_data) as test_set, _network(args, test_set) as network:
        with corruption_library.Library(args.library) if args.library else contextlib.nullcontext() as library:
            names = wanted(args)
            report = Progress(min(args.images, test_set.count) * len(names), "corrupted images")
            document = robustness.measure(network, test_set, args.images, names, report, library)
    if args.json:
        files.write_json(args.json, document)
    print("\n".join(robustness.lines(document)))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("json",))


if __name__ == "__main__":
    sys.exit(main())
