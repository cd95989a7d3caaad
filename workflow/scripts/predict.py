"""Predict the depth of photos: any number, of any size.

    python workflow/scripts/predict.py --model_path results/1p/export/model.pb --input holiday/ 'frames/*.png' x.gif \\
        --out results/predictions/mine

--input takes files, folders and quoted patterns; animated GIF, PNG, WebP and TIFF of several pages give all their
frames. --model_path is a checkpoint folder, a frozen .pb, a SavedModel, an .onnx or an .om file. For each image it
writes, under its name, _depth.npy (float32, metres) and .json (units, source, network); by --write also _depth_mm.png
(16 bits, millimetres), _panel.png (image, colours and scale), _colour.png (colours alone), _points.ply (point cloud),
_mesh.glb (mesh with texture). Files that cannot be used are listed at the end and stop nothing. The same command again
resumes an interrupted prediction. docs/inference.md has the details.
"""

import sys

import cli
from densedepth.errors import PipelineError
from densedepth.imaging import camera, panels
from densedepth.inference import forward, image_files, networks, prediction_files, predictions


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add(
        "--model_path",
        default="./results/1p/export/model.pb",
        help="checkpoint folder, frozen .pb, SavedModel, .onnx or .om",
    )
    add("--input", nargs="+", required=True, metavar="WORD", help="files, folders, quoted patterns")
    add("--out", default="./results/predictions", help="folder of the results")
    batch = cli.number("inference.batch_size")
    add("--bs", type=batch, default=4, help="images in a batch, if the network takes any number")
    kinds = prediction_files.KINDS
    add("--write", nargs="+", default=["npy"], choices=kinds, help="what to write; default: npy")
    cli.add_boolean(arguments, "--flip_average", True, "average with the mirrored image's depth, as evaluations do")
    add(
        "--size",
        type=cli.number("data.height"),
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="input size of a network that takes any",
    )
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
        help="range of the colours in metres, the same for all, as for a video; default: each its own",
    )
    add("--colours", choices=panels.COLOURS, default=panels.COLOURS[0], help="colours of depth")
    add(
        "--maxdepth",
        type=cli.number("centimetres"),
        help="farthest predicted depth, in centimetres; default: that of the training",
    )
    add(
        "--points",
        type=cli.positive_int,
        default=500000,
        help="largest number of points in a cloud; larger ones are thinned to every n-th point",
    )
    return arguments


def work(args):
    intrinsics = None
    if args.intrinsics:
        intrinsics = camera.Intrinsics(*args.intrinsics, source="given by --intrinsics")
        if min(args.intrinsics[:2]) <= 0:
            raise PipelineError(
                "--intrinsics {:g} {:g} {:g} {:g}: must be numbers of pixels, focal lengths above 0".format(
                    *args.intrinsics
                )
            )
    if args.scale and not args.scale[0] < args.scale[1]:
        raise PipelineError("--scale {:g} {:g}: must be metres, 0 <= NEAR < FAR".format(*args.scale))
    paths = image_files.find(args.input, broken_links=True)
    for line in image_files.left_out(args.input):
        print(line, flush=True)
    with networks.load(args.model_path) as network:
        limits, reason = forward.limits(network.describe(), args.maxdepth)
        print("depth is limited to {:g} to {:g} m: {}".format(*limits, reason), flush=True)
        options = predictions.Options(
            batch_size=args.bs,
            kinds=list(dict.fromkeys(args.write)),
            flip_average=args.flip_average,
            size=args.size,
            intrinsics=intrinsics,
            points=args.points,
            limits=limits,
            scale=args.scale,
            colours=args.colours,
        )
        for line in prediction_files.space_lines(paths, options.kinds, args.points, args.out):
            print(line, flush=True)
        summary = predictions.predict(network, paths, args.out, options)
    print("{}: {} images of {} files".format(args.out, len(summary["pictures"]), len(paths)))
    if summary["taken_over"]:
        print(
            "{} of them are from an earlier run with the same options; remove {} to predict all again".format(
                summary["taken_over"], args.out
            )
        )
    if {"ply", "glb"} & set(args.write) and not intrinsics:
        print("point clouds and meshes assume NYU Depth v2's camera; give yours by --intrinsics")
    if summary["failed"]:
        print("{} files could not be used:".format(len(summary["failed"])))
        for entry in summary["failed"]:
            print("  {}".format(entry["reason"]))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
