"""Compare the training input with a plain pipeline of the reference port's kind, on one core.

    taskset -c 0 python benchmarks/input_pipeline.py --records results/data/nyu_train.tfrecords

Both read the same records at 480x640 and make batches of 4. The plain one does what the port's does: read in file order
through a shuffle buffer, decode, scale, clip, invert, resize both bilinearly, exchange channels and mirror under
tf.cond. --unfiltered names records of the same pairs with `data.depth_png: unfiltered`, which both read, too. Each has
a process of its own; their rounds alternate, so that other work on the machine falls on all. The figures are images per
second of processor time, all threads counted, from a full queue to a full queue; ratios are by the plain one with the
given records, the medians of those of the rounds. The decoders alone, of TensorFlow and of Pillow, say how much of it
could be saved at all. --json takes all figures.
"""

import argparse
import io
import json
import os
import platform
import resource
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth.data import training_input, unfiltered_png
from densedepth.data.order import CHANNEL_ORDERS, Order
from densedepth.data.records import RecordIndex, expand
from densedepth.tf import tf
from PIL import Image

from frame import Worker, answer

BATCH = 4
PIPELINES = ("port", "ours")
# Behind the name of a pipeline that reads the other records.
UNFILTERED = "_unfiltered"


def port(paths, size):
    """The port's kind of pipeline, operation by operation, but for the shuffle buffer, which would hold all records."""

    def decode(example):
        features = {"data_x": tf.FixedLenFeature([], tf.string), "data_y": tf.FixedLenFeature([], tf.string)}
        features = tf.parse_single_example(example, features)
        image = tf.image.decode_jpeg(features["data_x"], channels=3)
        image = tf.clip_by_value(tf.cast(image, tf.float32) / 255, 0, 1)
        depth = tf.image.decode_png(features["data_y"], channels=1)
        target = 1000 / tf.clip_by_value(tf.cast(depth, tf.float32) / 255 * 1000, 10, 1000)
        image = tf.image.resize_bilinear(image[tf.newaxis], size)[0]
        target = tf.image.resize_bilinear(target[tf.newaxis], (size[0] // 2, size[1] // 2))[0]
        return image, target

    def swapped(image):
        order = tf.constant(CHANNEL_ORDERS)[tf.random_uniform([], 0, len(CHANNEL_ORDERS), tf.int32)]
        planes = tf.gather(tf.split(image, 3, -1), order)
        return tf.reshape(tf.concat(tf.split(planes, 3, 0), -1), tuple(size) + (3,))

    def mirrored(image, target):
        return tf.image.flip_left_right(image), tf.image.flip_left_right(target)

    def augment(image, target):
        image = tf.cond(tf.random_uniform([]) < 0.5, lambda: swapped(image), lambda: image)
        return tf.cond(tf.random_uniform([]) < 0.5, lambda: mirrored(image, target), lambda: (image, target))

    records = tf.data.TFRecordDataset(paths).shuffle(64).repeat()
    return records.map(decode, num_parallel_calls=2).map(augment).batch(BATCH, drop_remainder=True).prefetch(2)


def ours(index, size, halving):
    order = Order(len(index), BATCH, 0, 0.5, 0.5)
    return training_input.batches(index, order, 0, 10**9, size, halving)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", nargs="+", required=True)
    arguments.add_argument(
        "--unfiltered", nargs="+", default=[], help="records of the same pairs, depth without filters"
    )
    arguments.add_argument("--size", type=int, nargs=2, default=[480, 640])
    arguments.add_argument("--halving", default="pick")
    arguments.add_argument("--steps", type=int, default=25, help="batches in a round")
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--alone", choices=PIPELINES, help="run one of them only")
    arguments.add_argument("--json", help="file for the figures")
    # What the processes are started with: a round for each number on the standard input.
    arguments.add_argument("--served", help=argparse.SUPPRESS)
    args = arguments.parse_args()
    if args.served:
        return serve(args)
    names = [args.alone] if args.alone else list(PIPELINES)
    names += [name + UNFILTERED for name in names] if args.unfiltered else []
    rounds = {name: [] for name in names}
    command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--served"]
    workers = {name: Worker([*command, name], quiet=True) for name in names}
    for number in range(args.rounds):
        for name, worker in workers.items():
            rounds[name].append(worker.ask(number))
            text = "{}: {per_core:.1f} images/s per core, {per_second:.1f} images/s"
            print(text.format(name, **rounds[name][-1]), flush=True)
    for worker in workers.values():
        worker.end()
    write(args, rounds)
    return 0


def write(args, rounds):
    figures = {
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        "size": args.size,
        "halving": args.halving,
        "rounds": rounds,
        "decoders_per_core": decoders(args.records),
        "bytes": {name: size(paths) for name, paths in (("given", args.records), ("unfiltered", args.unfiltered))},
        "ratios": {},
    }
    for name, found in rounds.items():
        figures[name] = {
            "images_per_core_second": statistics.median(one["per_core"] for one in found),
            "peak_mb": max(one["peak_mb"] for one in found),
        }
        print(
            "{}: median {images_per_core_second:.1f} images/s per core, peak memory {peak_mb:.0f} MB".format(
                name, **figures[name]
            )
        )
        if "port" in rounds and name != "port":
            ratios = [one["per_core"] / port["per_core"] for one, port in zip(found, rounds["port"])]
            figures["ratios"][name] = ratios
            print("{}: {:.2f} times the port's".format(name, statistics.median(ratios)))
    print("decoding alone: " + ", ".join("{} {:.0f}/s".format(*pair) for pair in figures["decoders_per_core"].items()))
    print("bytes a pair: " + ", ".join("{} {:,.0f}".format(*pair) for pair in figures["bytes"].items()))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(figures, stream, indent=2, sort_keys=True)


def size(records):
    """Bytes of a pair in the records, in the mean; 0 where there are none."""
    paths = expand(records)
    with RecordIndex(paths) as index:
        return sum(map(os.path.getsize, paths)) / max(1, len(index))


def serve(args):
    name, other, _ = args.served.partition(UNFILTERED)
    paths = expand(args.unfiltered if other else args.records)
    with RecordIndex(paths) as index, tf.Session(config=tf.ConfigProto(inter_op_parallelism_threads=2)) as session:
        dataset = port(paths, args.size) if name == "port" else ours(index, tuple(args.size), args.halving)
        element = tf.data.make_one_shot_iterator(dataset).get_next()
        # The first round warms up.
        answer(measure(session, element, args.steps))
        for _ in sys.stdin:
            answer(measure(session, element, args.steps))
    return 0


def measure(session, element, steps):
    """Images per second of processor time and of the clock over `steps` batches, and the peak memory so far."""
    # The operations, not their values: what training does not copy out is not copied here.
    operations = [tensor.op for tensor in element]
    session.run(operations)
    cpu, clock = settled(), time.perf_counter()
    for _ in range(steps):
        session.run(operations)
    seconds = time.perf_counter() - clock
    return {
        "per_core": BATCH * steps / (settled() - cpu),
        "per_second": BATCH * steps / seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def settled():
    """The processor time of this process once its threads have filled their queues."""
    before = time.process_time()
    while True:
        time.sleep(0.2)
        now = time.process_time()
        if now - before < 0.005:
            return now
        before = now


def decoders(records, count=48):
    """{decoder: images per second of processor time} of the JPEGs and PNGs of the first `count` records."""
    with RecordIndex(expand(records)) as index:
        features = [tf.train.Example.FromString(index.read(i)).features.feature for i in range(min(count, len(index)))]
    pictures = {key: [f[key].bytes_list.value[0] for f in features] for key in ("data_x", "data_y")}
    data = tf.placeholder(tf.string, [])
    decode = {
        "data_x": tf.image.decode_jpeg(data, channels=3).op,
        "data_y": tf.image.decode_png(data, channels=1).op,
    }
    found = {}
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with tf.Session(config=config) as session:
        for key, kind in (("data_x", "JPEG"), ("data_y", "PNG")):
            found["TensorFlow " + kind] = per_core(session.make_callable(decode[key], [data]), pictures[key])
            found["Pillow " + kind] = per_core(lambda one: Image.open(io.BytesIO(one)).load(), pictures[key])
    depths = [unfiltered_png.recoded(one) for one in pictures["data_y"]]
    sizes = [Image.open(io.BytesIO(one)).size[::-1] for one in depths[:1]]
    found["Pillow unfiltered PNG"] = per_core(lambda one: Image.open(io.BytesIO(one)).load(), depths)
    found["ours unfiltered PNG"] = per_core(lambda one: unfiltered_png.decoded(one, sizes[0]), depths)
    return found


def per_core(decode, pictures):
    """Pictures per second of processor time, the best of five passes."""
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        for picture in pictures:
            decode(picture)
        seconds.append(time.process_time() - begin)
    return len(pictures) / min(seconds)


if __name__ == "__main__":
    sys.exit(main())
