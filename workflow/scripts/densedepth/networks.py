"""Networks that are ready to run, by the kind of their file. What a kind needs is imported when one is asked for."""


def load(path, *tensors):
    """The network for `path`: an .onnx file, a frozen graph (any other file) or a checkpoint (see `checkpoints.find`).

    `tensors` are the names of a frozen graph's input and output where they differ from ours. The interface is that of
    `inference.Predictor`.
    """
    if path.endswith(".onnx"):
        from . import onnx_network

        return onnx_network.load(path)
    from . import inference

    return inference.load_frozen(path, *tensors) if tensors else inference.load(path)
