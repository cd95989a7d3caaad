"""Measure the precision and the speed of an inference model on nyu_test.zip.

    python workflow/scripts/infer_from_pb.py --model_path results/1p/export/model.pb --image_path dataset/nyu_test.zip

--model_path is a frozen graph, a SavedModel, a checkpoint, or an .onnx file, which ONNX Runtime runs. Precision by the
same protocol as evaluate.py. Speed: the first batch runs once before, uncounted; nothing else of the program runs
meanwhile; a forward pass of an image or of a mirrored image counts as one image.
"""

import sys

import cli
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import documents, scoring
from densedepth.evaluation.thumbnails import Thumbnails
from densedepth.inference import networks, predictors
from densedepth.progress import Progress


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--bs", type=cli.number("inference.batch_size"), default=1, help="images in a batch")
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help="the inference model")
    arguments.add_argument("--image_path", default="./dataset/nyu_test.zip", help="the archive nyu_test.zip")
    arguments.add_argument("--input_tensor_name", default=predictors.INPUT_TENSOR, help="tensor that takes the images")
    arguments.add_argument("--output_tensor_name", default=predictors.OUTPUT_TENSOR, help="tensor of the inverse depth")
    arguments.add_argument(
        "--minDepth", type=cli.number("centimetres"), help="nearest predicted depth, centimetres; default: 10"
    )
    arguments.add_argument(
        "--maxDepth",
        type=cli.number("centimetres"),
        help="farthest predicted depth, centimetres; default: the archive's, 1000",
    )
    arguments.add_argument("--json", help="file for all figures")
    arguments.add_argument("--thumbnails", help="file for thumbnails of all test images, for the report")
    return arguments


def work(args):
    with open_test_set(args.image_path) as test_set, networks.load(
        args.model_path, args.input_tensor_name, args.output_tensor_name, images=2 * test_set.count
    ) as predictor:
        limits = _limits(args, test_set)
        thumbnails = Thumbnails(test_set) if args.thumbnails else None
        document = scoring.evaluate(
            predictor, test_set, args.bs, limits, Progress(test_set.count, "images"), alone=True, thumbnails=thumbnails
        )
    if thumbnails:
        thumbnails.write(args.thumbnails)
    if args.json:
        files.write_json(args.json, document)
    print("\n".join(documents.lines(document)))
    print(
        "{images_per_second:.2f} images/s, {ms_per_image:.2f} ms an image in batches of {batch_size}; "
        "{flip_averaged_images_per_second:.2f} flip-averaged depth maps/s".format(**document["speed"])
    )
    print(
        "a batch: median {p50:.1f}, p90 {p90:.1f}, p99 {p99:.1f}, most {max:.1f} ms".format(
            **document["speed"]["batch_ms"]
        )
    )


def _limits(args, test_set):
    """Nearest and farthest predicted depth in metres."""
    nearest, farthest = (
        default if flag is None else flag / 100
        for flag, default in zip((args.minDepth, args.maxDepth), test_set.limits)
    )
    if not 0 < nearest < farthest:
        raise PipelineError(
            "--minDepth {:g} --maxDepth {:g}: depths in centimetres, 0 < nearest < farthest".format(
                100 * nearest, 100 * farthest
            )
        )
    return nearest, farthest


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("json", "thumbnails"))


if __name__ == "__main__":
    sys.exit(main())
