"""What the stand-ins for msame and ais_bench share: the graph inside a stand-in OM file, run through TensorFlow."""

import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "workflow", "scripts"))

from densedepth.tf import tf

MAGIC = b"STAND-IN OM\n"


class Session:
    """shape: of the input, batch first. run: batch in, output out, both float32."""

    def __init__(self, path):
        with open(path, "rb") as stream:
            if stream.readline() != MAGIC:
                sys.exit("[ERROR] load model from file failed, model file is {}".format(path))
            header = json.loads(stream.readline().decode())
            definition = tf.GraphDef()
            definition.ParseFromString(stream.read())
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(definition, name="")
        self._session = tf.Session(graph=graph)
        self._names = header["input"], header["output"]
        self.shape = header["shape"]

    def run(self, images):
        return self._session.run(self._names[1], {self._names[0]: images}).astype("<f4")


def inputs(folder):
    """Paths of the .bin files of a folder in the order of their names."""
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".bin")]


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def read(path, size):
    values = np.fromfile(path, "<f4")
    if size is not None and values.size != size:
        sys.exit("[ERROR] {}: input size is {}, the model's {}".format(path, values.nbytes, 4 * size))
    return values
