"""Small test archives and checkpoints for the tests of evaluation, freezing and inference."""

import io
import zipfile

import numpy as np
from densedepth.network import architecture, checkpoints
from densedepth.network.model import Model
from densedepth.tf import tf

MODEL = Model(encoder="densenet121")


def write_test_set(path, count=5, size=(64, 96), crop=(4, 59, 3, 88), seed=0, depth=None):
    """An archive as nyu_test.zip of random pictures and smooth depth (or `depth`); the crop is not symmetric.

    Returns its arrays.
    """
    random = np.random.RandomState(seed)
    coarse = random.uniform(0, 255, (count, size[0] // 8, size[1] // 8, 3))
    rgb = coarse.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)
    if depth is None:
        depth = random.uniform(0.8, 6, (count, 1, 1)) + np.linspace(0, 2, size[1]) + np.linspace(1, 0, size[0])[:, None]
    arrays = {"rgb": rgb, "depth": depth.astype(np.float32), "crop": np.array(crop)}
    with zipfile.ZipFile(str(path), "w") as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.save(stream, array)
            archive.writestr("eigen_test_{}.npy".format(name), stream.getvalue())
    return arrays


def write_checkpoint(folder, size=(32, 64), seed=0, bias=3.0):
    """A checkpoint of the real network with random weights whose output lies around `bias` (1000 / cm)."""
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder(size), MODEL)
        variables = tf.global_variables()
        values = architecture.initial_values(variables, seed)
        values["conv3/kernel"] *= 20
        values["conv3/bias"] += bias
        # Statistics as after training: neither zero nor one.
        random = np.random.RandomState(seed)
        for name in sorted(values):
            if name.endswith("/moving_mean"):
                values[name] = random.normal(0, 0.1, values[name].shape)
            if name.endswith("/moving_variance"):
                values[name] = random.uniform(0.5, 1.5, values[name].shape)
        with tf.Session() as session:
            fed = {v.initializer.inputs[1]: values[v.op.name] for v in variables}
            session.run([v.initializer for v in variables], fed)
            side = {"epoch": 3, "global_step": 12, "model": MODEL.as_dict(), "size": list(size)}
            return checkpoints.write(str(folder), session, side)
