"""What the stand-ins for msame and ais_bench share: the graph inside a stand-in OM file, run through TensorFlow.

With the port of a `Server` in OM_SERVER that process runs it, which spares the tools the loading of TensorFlow.
"""

import json
import os
import sys
import threading
from multiprocessing import connection

import numpy as np

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "workflow", "scripts")
MAGIC = b"STAND-IN OM\n"
SERVER = os.environ.get("OM_SERVER")


class Session:
    """shape: of the input, batch first, -1 with `batches`. run: batch in, output out; `type` in, float32 out."""

    def __init__(self, path, server=SERVER):
        with open(path, "rb") as stream:
            if stream.readline() != MAGIC:
                sys.exit("[ERROR] load model from file failed, model file is {}".format(path))
            header = json.loads(stream.readline().decode())
            graph = stream.read()
        self.shape, self.batches = header["shape"], header["batches"]
        self.type = "<f4" if header["scale"] is None else "u1"
        run = _remote(path, int(server)) if server else _local(graph, header["input"], header["output"])
        scale = header["scale"]
        # The server divides itself.
        self.run = run if server or scale is None else lambda images: run(images.astype("f4") * np.float32(scale))

    def checked(self, images):
        """`images`, or the end of the program where the model does not take them."""
        if images.dtype != self.type or list(images.shape[1:]) != self.shape[1:]:
            sys.exit(
                "[ERROR] input of {} {}, the model's is {} {}".format(images.dtype, images.shape, self.type, self.shape)
            )
        if images.shape[0] not in (self.batches or [self.shape[0]]):
            sys.exit("[ERROR] batch {}, the model takes {}".format(images.shape[0], self.batches or self.shape[0]))
        return images


def _local(data, source, target):
    sys.path.insert(0, SCRIPTS)
    from densedepth.tf import tf

    definition = tf.GraphDef()
    definition.ParseFromString(data)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    session = tf.Session(graph=graph)
    return lambda images: session.run(target, {source: images}).astype("<f4")


def _remote(path, port):
    server = connection.Client(("127.0.0.1", port))
    server.send(path)

    def run(images):
        server.send(images)
        return server.recv()

    return run


class Server:
    """Runs the OM files of all who connect to `port`, one after the other."""

    def __init__(self):
        self._listener = connection.Listener(("127.0.0.1", 0))
        self.port = self._listener.address[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            with self._listener.accept() as client:
                try:
                    session = Session(client.recv(), server=None)
                    while True:
                        client.send(session.run(client.recv()))
                except EOFError:
                    pass


def inputs(folder):
    """Paths of the .bin files of a folder in the order of their names."""
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".bin")]


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]
