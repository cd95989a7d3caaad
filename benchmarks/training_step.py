"""Time and memory of a training step: this project's, the same network in tf.keras, the same in PyTorch, in one run.

    .venv/tf1/bin/python benchmarks/training_step.py --bs 1 --json step.json
    .venv/tf2/bin/python benchmarks/training_step.py --sides ours torch --torch_python .venv/bench/bin/python

A step is forward pass, loss, backward pass and Adam of DenseNet-169 with the half decoder in float32. Every side is a
process of its own; they make their steps in turn, a few in each round, so that what else the machine does meets all
alike. All start from the same weights and see the same batch; their first losses must agree.

ours            the package's own training graph with its session settings
keras           tf.keras layers, loss of tf.image.ssim and tf.image.image_gradients, Adam: on 1.15 in a session with
                tf.train.AdamOptimizer, on 2.x in a tf.function with keras.optimizers.Adam
keras_our_loss  the same with this project's loss
torch           PyTorch, channels last, fused Adam
torch_compiled  the same through torch.compile
ours_bfloat16   ours with `precision_mode: mixed_bfloat16`
torch_bfloat16  PyTorch under torch.autocast with bfloat16

The figures are ratios of seconds a step, ours by another's, median over the rounds with lowest and highest; the same
of processor seconds, which suffer less where the machine does other work as well; and the peak of resident memory of
each process.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time

import numpy as np

from frame import FOLDER, SCRIPTS, Worker, answer, figure

SIDES = ("ours", "keras", "keras_our_loss", "torch", "torch_compiled", "ours_bfloat16", "torch_bfloat16")
# What is compared, where both sides ran.
PAIRS = [("ours", side) for side in SIDES[1:]] + [("ours_bfloat16", "torch_bfloat16")]
RATE = 1e-4
FLOAT32 = "must_keep_origin_dtype"

# Rows of the table: whose seconds by whose, and what is wanted of time and of memory.
ROWS = (
    ("by those of tf.keras", "ours", "keras", 0.5, None),
    ("by those of PyTorch", "ours", "torch", 0.6, 0.75),
    ("by those of torch.compile", "ours", "torch_compiled", 0.6, 0.75),
    ("in bfloat16 by those in float32", "ours_bfloat16", "ours", None, None),
    ("by those of PyTorch, both in bfloat16", "ours_bfloat16", "torch_bfloat16", None, None),
)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=["ours", "keras"])
    parser.add_argument("--bs", type=int, default=1)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="of each side in a round, after one that does not count")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--torch_python", default=os.path.join(FOLDER, "..", ".venv", "bench", "bin", "python"))
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--weights", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    if args.worker:
        return work(args)
    sides = sorted(set(args.sides) | {"ours"}, key=SIDES.index)
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "weights.npz")
        workers = {}
        try:
            for side in sides:
                # One after the other: the first writes the weights, and none is disturbed while it plans its memory.
                workers[side] = start(side, args, weights)
                print("{:15s} first loss {:.5f}".format(side, workers[side].facts["loss"]), flush=True)
            check(workers)
            seconds = {side: [] for side in sides}
            processor = {side: [] for side in sides}
            for number in range(args.rounds):
                for side in sides if number % 2 else reversed(sides):
                    found = workers[side].ask(args.steps)
                    seconds[side].append(statistics.median(found["seconds"]))
                    processor[side].append(statistics.median(found["processor"]))
                print("  ".join("{} {:.3f} s".format(s, seconds[s][-1]) for s in sides), flush=True)
            peaks = {side: workers[side].ask(0) for side in sides}
        finally:
            for worker in workers.values():
                worker.end()
    report(args, workers, seconds, processor, peaks)


def check(workers):
    losses = {side: worker.facts["loss"] for side, worker in workers.items()}
    if max(losses.values()) - min(losses.values()) > 1e-3 * abs(losses["ours"]):
        raise SystemExit("the sides do not compute the same: first losses {}".format(losses))


def report(args, workers, seconds, processor, peaks):
    found = {
        "batch_size": args.bs,
        "size": list(args.size),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {side: worker.facts["version"] for side, worker in workers.items()},
        "seconds": seconds,
        "processor_seconds": processor,
        "peak_mb": peaks,
        "ratios": {},
    }
    for side in seconds:
        line = "{:15s} {:.3f} s a step, {:.3f} s of processor time, peak {:.0f} MB"
        medians = (statistics.median(figures[side]) for figures in (seconds, processor))
        print(line.format(side, *medians, peaks[side]))
    for own, other in PAIRS:
        if {own, other} <= set(seconds):
            ratio = {
                "seconds": spread(seconds[own], seconds[other]),
                "processor_seconds": spread(processor[own], processor[other]),
                "memory": peaks[own] / peaks[other],
            }
            found["ratios"][other if own == "ours" else "{}/{}".format(own, other)] = ratio
            line = "{} / {}: time {:.2f} ({:.2f} to {:.2f}), processor time {:.2f} ({:.2f} to {:.2f}), memory {:.2f}"
            print(line.format(own, other, *ratio["seconds"], *ratio["processor_seconds"], ratio["memory"]))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(found, stream, indent=1, sort_keys=True)
            stream.write("\n")


def spread(own, other):
    """Median, lowest and highest ratio of the rounds."""
    ratios = [a / b for a, b in zip(own, other)]
    return statistics.median(ratios), min(ratios), max(ratios)


def start(side, args, weights):
    """The `Worker` of a side; it tells seconds and processor seconds of each of so many steps, for none the peak of
    resident memory in MB."""
    command = [args.torch_python if side.startswith("torch") else sys.executable, os.path.abspath(__file__)]
    command += ["--worker", side, "--weights", weights, "--bs", str(args.bs), "--warmup", str(args.warmup)]
    return Worker([*command, "--size", str(args.size[0]), str(args.size[1])])


def work(args):
    make = {"ours": ours, "torch": torch_step}.get(args.worker.partition("_")[0], keras)
    step, version = make(args, *batch_of(args.bs, args.size))
    first, *_ = [float(step()) for _ in range(args.warmup)]
    answer({"loss": first, "version": version})
    for line in sys.stdin:
        steps = int(line)
        if not steps:
            answer(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0)
            continue
        step()
        found = {"seconds": [], "processor": []}
        for _ in range(steps):
            before = time.perf_counter(), time.process_time()
            step()
            found["seconds"].append(time.perf_counter() - before[0])
            found["processor"].append(time.process_time() - before[1])
        answer(found)


def batch_of(count, size):
    """Drawn images and targets."""
    height, width = size
    stream = np.random.RandomState(0)
    images = stream.uniform(0, 1, (count, height, width, 3)).astype(np.float32)
    targets = stream.uniform(1, 100, (count, height // 2, width // 2, 1)).astype(np.float32)
    return images, targets


def ours(args, images, targets):
    mode = "mixed_bfloat16" if args.worker == "ours_bfloat16" else FLOAT32
    session, fetches, version = our_session(args, images, targets, mode=mode)
    return lambda: session.run(fetches)[0], version


def our_session(args, images, targets, one_at_a_time=False, mode=FLOAT32):
    """(session, what a step of it fetches, the loss first, and TensorFlow's version).

    one_at_a_time: no two operations at once; each has all threads.
    """
    sys.path.insert(0, SCRIPTS)
    from densedepth import platforms
    from densedepth.network import architecture
    from densedepth.network.model import Model
    from densedepth.platforms.base import Options
    from densedepth.tf import tf
    from densedepth.training import loss, optimizers

    platform = platforms.create("cpu_gpu", Options(mode, "high_precision", False, False))
    platform.start()
    feeds = [tf.placeholder(tf.float32, array.shape) for array in (images, targets)]
    held = [tf.Variable(feed, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES]) for feed in feeds]
    with platform.network_scope():
        output = architecture.predict(held[0], Model(), training=True, lean=platform.lean)
    with platform.loss_scope(), tf.name_scope("loss"):
        losses = loss.depth_loss(output, held[1])
    train, norm = optimizers.training_step(losses["total"], tf.constant(RATE), platform)
    config = platform.session_config()
    config.inter_op_parallelism_threads = int(one_at_a_time)
    session = tf.Session(platform.session_target(), config=config)
    session.run(tf.global_variables_initializer())
    session.run(tf.local_variables_initializer(), dict(zip(feeds, (images, targets))))
    moving = [v for v in tf.global_variables() if "/moving_" in v.op.name]
    values = architecture.initial_values(tf.trainable_variables() + moving, 0)
    if args.weights and mode == FLOAT32:
        np.savez(args.weights, **values)
    from densedepth.network import weights

    weights.assign(session, values)
    fetches = [losses["total"], losses, norm, platform.prepare(session, train)]
    session.graph.finalize()
    return session, fetches, "TensorFlow " + tf.VERSION


def keras(args, images, targets):
    """The network with tf.keras; on 1.15 in a session, on 2.x in a tf.function."""
    depth_loss = plain_loss
    if args.worker == "keras_our_loss":
        sys.path.insert(0, SCRIPTS)
        from densedepth.training import loss

        def depth_loss(prediction, target):
            return loss.depth_loss(prediction, target)["total"]

    import tensorflow as tf

    make = keras_session if tf.__version__.startswith("1.") else keras_function
    return make(args, images, targets, depth_loss), "tf.keras of TensorFlow " + tf.__version__


def keras_session(args, images, targets, depth_loss):
    import tensorflow.compat.v1 as tf

    tf.keras.backend.set_learning_phase(1)
    model = keras_model(args.size)
    feeds = [tf.placeholder(tf.float32, array.shape) for array in (images, targets)]
    held = [tf.Variable(feed, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES]) for feed in feeds]
    loss = depth_loss(model(held[0]), held[1])
    train = tf.train.AdamOptimizer(RATE, epsilon=1e-7).minimize(loss, var_list=model.trainable_weights)
    train = tf.group(train, *model.get_updates_for(held[0]))
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    session.run(tf.local_variables_initializer(), dict(zip(feeds, (images, targets))))
    found = list(pairs(model, args.weights))
    session.run([v.initializer for v, _ in found], {v.initializer.inputs[1]: value for v, value in found})
    return lambda: session.run([loss, train])[0]


def keras_function(args, images, targets, depth_loss):
    import tensorflow as tf

    # This project's loss comes with version 2 behaviour switched off.
    tf.compat.v1.enable_v2_behavior()
    model = keras_model(args.size)
    optimizer = tf.keras.optimizers.Adam(RATE, epsilon=1e-7)
    for variable, value in pairs(model, args.weights):
        variable.assign(value)
    images, targets = tf.constant(images), tf.constant(targets)

    @tf.function
    def step(images, targets):
        with tf.GradientTape() as tape:
            loss = depth_loss(model(images, training=True), targets)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return lambda: step(images, targets).numpy()


def keras_model(size):
    import tensorflow as tf

    layers = tf.keras.layers
    base = tf.keras.applications.DenseNet169(include_top=False, weights=None, input_shape=tuple(size) + (3,))
    named = {layer.name.replace("/", "_"): layer.output for layer in base.layers}
    x, filters = named["relu"], 832
    x = layers.Conv2D(filters, 1, padding="same", name="conv2")(x)
    for level, skip in enumerate(("pool3_pool", "pool2_pool", "pool1", "conv1_relu"), start=1):
        up = "up{}".format(level)
        filters //= 2
        x = layers.UpSampling2D((2, 2), interpolation="bilinear", name=up + "_upsampling2d")(x)
        x = layers.Concatenate(name=up + "_concat")([x, named[skip]])
        for half in "AB":
            x = layers.Conv2D(filters, 3, padding="same", name=up + "_conv" + half)(x)
            x = layers.LeakyReLU(0.2)(x)
    return tf.keras.Model(base.input, layers.Conv2D(1, 3, padding="same", name="conv3")(x))


def pairs(model, path):
    """(variable, value) for all weights of the model, by layer and kind."""
    values = {name.replace("/", "_"): value for name, value in np.load(path).items()}
    for layer in model.layers:
        for weight in layer.weights:
            kind = weight.name.split("/")[-1].split(":")[0]
            yield weight, values["{}_{}".format(layer.name, kind).replace("/", "_")]


def plain_loss(prediction, target):
    """The recipe's loss out of TensorFlow's own functions."""
    import tensorflow as tf

    (down, across), (true_down, true_across) = (tf.image.image_gradients(maps) for maps in (prediction, target))
    edges = tf.reduce_mean(tf.abs(down - true_down) + tf.abs(across - true_across))
    dissimilarity = tf.clip_by_value((1.0 - tf.image.ssim(target, prediction, 100.0)) * 0.5, 0.0, 1.0)
    return 0.1 * tf.reduce_mean(tf.abs(prediction - target)) + edges + tf.reduce_mean(dissimilarity)


def torch_step(args, images, targets):
    import torch

    import torch_network

    torch.manual_seed(0)
    model = torch_network.Network()
    model.load(dict(np.load(args.weights)))
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters(), RATE, eps=1e-7, fused=True)
    images, targets = (torch.from_numpy(array).permute(0, 3, 1, 2) for array in (images, targets))

    bfloat16 = args.worker == "torch_bfloat16"

    def compute(images, targets):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            depth = model(images)
        return torch_network.depth_loss(depth.float(), targets)

    if args.worker == "torch_compiled":
        compute = torch.compile(compute)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = compute(images, targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, "PyTorch " + torch.__version__


def sides(runtime):
    """What a training step is compared with, in groups that 24 GB of memory hold at once."""
    if runtime == "tf1":
        return [["ours", "keras"]]
    sys.path.insert(0, SCRIPTS)
    from densedepth import processors

    others = ["torch_compiled"] if shutil.which("g++") else []
    if processors.has_bfloat16():
        others += ["ours_bfloat16", "torch_bfloat16"]
    return [["ours", "keras", "torch"]] + [["ours", *others]] * bool(others)


def figures(runtime, batch, seconds, peaks):
    """Rows for the table, of those sides that ran."""
    found = []
    for name, own, other, time_target, memory_target in ROWS:
        if {own, other} <= set(seconds):
            ratios = [one / two for one, two in zip(seconds[own], seconds[other])]
            what = "training step 480x640, batch {}: seconds {}".format(batch, name)
            found.append(figure(what, runtime, ratios, time_target, least=False))
            what = "the same: peak memory {}".format(name.replace("those", "that"))
            found.append(figure(what, runtime, peaks[own] / peaks[other], memory_target, least=False))
    return found


if __name__ == "__main__":
    main()
