"""Networks that are ready to run, by the kind of their file. What a kind needs is imported when one is asked for."""


def load(path, *tensors):
    """The network for `path`: an .onnx file, a frozen graph (any other file) or a checkpoint (see `checkpoints.find`).

    `tensors` are the names of a frozen graph's input and output where they differ from ours. The interface is that of
    `predictors.Predictor`.
    """
    if path.endswith(".onnx"):
        from . import onnx_predictor

        return onnx_predictor.load(path)
    from . import predictors

    return predictors.load_frozen(path, *tensors) if tensors else predictors.load(path)
