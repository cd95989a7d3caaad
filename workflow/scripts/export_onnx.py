"""Write a frozen graph as an ONNX file and say how far ONNX Runtime's depth is from TensorFlow's.

    .venv/tf2/bin/python workflow/scripts/export_onnx.py --model_path results/1p/export/model.pb \\
        --out results/1p/export/model.onnx

Input `input_1:0` and output `conv3/BiasAdd:0` keep names, layout (NHWC) and meaning. Beside the file lies its .json
with shapes, units, checksums and the parity figure. Needs tf2onnx and ONNX Runtime, which `make onnx` installs. In an
environment of your own that has both and a TensorFlow: python workflow/scripts/export_onnx.py --help
"""

import sys

import cli
from densedepth.inference import onnx_export, predictors


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("--model_path", default="./results/1p/export/model.pb", help="the frozen graph")
    arguments.add_argument("--out", default="./results/1p/export/model.onnx", help="the ONNX file")
    arguments.add_argument("--opset", type=cli.number("onnx.opset"), default=13, help="version of the ONNX operators")
    arguments.add_argument("--input_tensor_name", default=predictors.INPUT_TENSOR, help="tensor that takes the images")
    arguments.add_argument("--output_tensor_name", default=predictors.OUTPUT_TENSOR, help="tensor of the inverse depth")
    return arguments


def work(args):
    side = onnx_export.export(args.model_path, args.out, args.opset, args.input_tensor_name, args.output_tensor_name)
    print("{}: opset {}, {} bytes, sha256 {}".format(args.out, side["opset"], side["bytes"], side["sha256"]))
    print(
        "largest difference from {}: {metres:.2e} m of depth, {output:.2e} of the output's largest value".format(
            args.model_path, **side["parity"]
        )
    )


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
