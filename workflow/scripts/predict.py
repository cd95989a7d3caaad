"""Predict the depth of photos and videos: any number, of any size.

    python workflow/scripts/predict.py --model_path results/1p/export/model.pb --input holiday/ 'frames/*.png' x.gif \\
        --out results/predictions/mine
    python workflow/scripts/predict.py --input clip.mp4 --out depth.mp4 --smooth 0.7

--input takes files, folders and quoted patterns; animated GIF, PNG, WebP and TIFF of several pages give all their
frames. --model_path is a checkpoint folder, a frozen .pb, a SavedModel, an .onnx or an .om file. For each image it
writes, under its name, _depth.npy (float32, metres) and .json (units, source, network); by --write also _depth_mm.png
(16 bits, millimetres), _panel.png (image, colours and scale), _colour.png (colours alone), _points.ply (point cloud),
_mesh.glb (mesh with texture). Of a video it writes _depth.mp4, the colours of depth by one scale, beside the frames
with --write panel; for a single one --out may name that file. Files that cannot be used are listed at the end and stop
nothing. The same command again resumes an interrupted prediction. docs/inference.md has the details.
"""

import os
import sys

import cli
from densedepth import file_names, outputs
from densedepth.errors import PipelineError
from densedepth.imaging import camera, panels
from densedepth.inference import (
    forward,
    image_files,
    networks,
    prediction_files,
    predictions,
    video_files,
    video_predictions,
)


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add(
        "--model_path",
        default="./results/1p/export/model.pb",
        help="checkpoint folder, frozen .pb, SavedModel, .onnx or .om",
    )
    add("--input", nargs="+", required=True, metavar="WORD", help="images, videos, folders, quoted patterns")
    add("--out", default="./results/predictions", help="folder of the results; of one video also a .mp4, .mov or .mkv")
    batch = cli.number("inference.batch_size")
    add("--bs", type=batch, default=4, help="images in a batch, if the network takes any number")
    kinds = prediction_files.KINDS
    add("--write", nargs="+", choices=kinds, help="what to write of each image; default: npy")
    cli.add_boolean(arguments, "--flip_average", True, "average with the mirrored image's depth, as evaluations do")
    cli.add_size(arguments, "input size of a network that takes any")
    add(
        "--intrinsics",
        type=cli.number("predictions.*.intrinsics"),
        nargs=4,
        metavar=("FX", "FY", "CX", "CY"),
        help="of your camera for the point cloud, in pixels of the upright image; default: NYU Depth v2's, scaled",
    )
    add(
        "--scale",
        type=cli.number("predictions.*.scale"),
        nargs=2,
        metavar=("NEAR", "FAR"),
        help="range of the colours in metres, the same for all; default: each image its own, videos the network's",
    )
    words = "weight of the past in a mean over the frames of a video, where the image hardly changes"
    add("--smooth", type=cli.number("predictions.*.smooth"), default=0.0, help=words)
    add("--colours", choices=panels.COLOURS, default=panels.COLOURS[0], help="colours of depth")
    add(
        "--maxdepth",
        type=cli.number("centimetres"),
        help="farthest predicted depth, in centimetres; default: that of the training",
    )
    words = "largest number of points in a cloud; larger ones are thinned to every n-th point"
    add("--points", type=cli.positive_int, default=500000, help=words)
    return arguments


def given_camera(values):
    """The camera of --intrinsics, None without it. Raises PipelineError for focal lengths that none has."""
    if not values:
        return None
    if min(values[:2]) <= 0:
        words = "--intrinsics {:g} {:g} {:g} {:g}: must be numbers of pixels, focal lengths above 0"
        raise PipelineError(words.format(*values))
    return camera.Intrinsics(*values, source="given by --intrinsics")


def one_video(out, paths):
    """Whether `out` names a video, not a folder. Raises PipelineError where it names one that cannot be made."""
    alone = len(paths) == 1 and video_files.is_video(paths[0])
    if os.path.isdir(out) or not (video_files.is_video(out) or (alone and os.path.splitext(out)[1])):
        return False
    video_files.container(out)
    if len(paths) == 1 and not alone:
        words = "{}: its name is not that of a video ({}); convert it, or give a folder as --out"
        raise PipelineError(words.format(paths[0], " ".join(file_names.VIDEOS)))
    if not alone:
        raise PipelineError(
            "--out {}: a video is made of one video; give one --input, or a folder as --out".format(out)
        )
    outputs.check_paths({"--out": out}, paths)
    return True


def not_of_videos(kinds, paths):
    """One line on the files, of those that `kinds` ask for, that are not written of the videos among `paths`."""
    dropped = [kind for kind in kinds if kind not in ("panel", "colour")]
    if not dropped or not any(map(video_files.is_video, paths)):
        return []
    words = "--write {}: of a video not written, only the colours of its depth (docs/inference.md, Videos)"
    return [words.format(" ".join(dropped))]


def passes(paths, flip_average):
    """Images that the network is run on, about; a video has hundreds."""
    return (2 if flip_average else 1) * sum(500 if video_files.is_video(path) else 1 for path in paths)


def work(args):
    intrinsics = given_camera(args.intrinsics)
    if args.scale and not args.scale[0] < args.scale[1]:
        raise PipelineError("--scale {:g} {:g}: must be metres, 0 <= NEAR < FAR".format(*args.scale))
    found = image_files.search(args.input, broken_links=True, videos=True)
    paths = found.paths
    kinds = list(dict.fromkeys(args.write or ["npy"]))
    for line in found.lines + not_of_videos(args.write or [], paths):
        print(line, flush=True)
    to_video = one_video(args.out, paths)
    if not to_video:
        outputs.check_place("--out", args.out)
    with networks.load(args.model_path, images=passes(paths, args.flip_average)) as network:
        limits, reason = forward.limits(network.describe(), args.maxdepth)
        print("depth is limited to {:g} to {:g} m: {}".format(*limits, reason), flush=True)
        options = predictions.Options(
            batch_size=args.bs,
            kinds=kinds,
            flip_average=args.flip_average,
            size=args.size,
            intrinsics=intrinsics,
            points=args.points,
            limits=limits,
            scale=args.scale,
            colours=args.colours,
            smooth=args.smooth,
        )
        if to_video:
            side = os.path.splitext(args.out)[0] + ".json"
            size = forward.input_size(network, options.size)
            video_predictions.write(network, paths[0], args.out, side, options, size)
            return
        pictures = [path for path in paths if not video_files.is_video(path)]
        for line in prediction_files.space_lines(pictures, options.kinds, args.points, args.out):
            print(line, flush=True)
        summary = predictions.predict(network, paths, args.out, options)
    print("{}: {} images of {} files".format(args.out, len(summary["pictures"]), len(paths)))
    if summary["taken_over"]:
        print(
            "{} of them are from an earlier run with the same options; give another --out to predict all again".format(
                summary["taken_over"]
            )
        )
    if {"ply", "glb"} & set(kinds) and not intrinsics:
        print("point clouds and meshes assume NYU Depth v2's camera; give yours by --intrinsics")
    if summary["failed"]:
        failed = len(summary["failed"])
        print("{} of {} files could not be used:".format(failed, failed + len(summary["pictures"])))
        for entry in summary["failed"]:
            print("  {}".format(entry["reason"]))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
