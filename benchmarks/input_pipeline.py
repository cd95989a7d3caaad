"""Compare the training input with a plain pipeline of the reference port's kind, in one process and on one core.

    taskset -c 0 python benchmarks/input_pipeline.py --records results/data/nyu_train.tfrecords

Both read the same records at 480x640 and make batches of 4. The plain one does what the port's does: read in file order
through a shuffle buffer, decode, scale, clip, invert, resize both bilinearly, mirror and exchange channels under
tf.cond. Rounds alternate, so that other work on the machine falls on both; the figures are images per second of
processor time, all threads counted, and the median of the rounds' ratios. Also the peak memory of each in a process of
its own (`--alone port|ours`).
"""

import argparse
import os
import resource
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth import dataset
from densedepth.order import CHANNEL_ORDERS, Order
from densedepth.records import RecordIndex, expand
from densedepth.tf import tf

BATCH = 4


def port(paths, size):
    """The port's kind of pipeline; its shuffle buffer is that of `--buffer` records."""

    def decode(example):
        features = {"data_x": tf.FixedLenFeature([], tf.string), "data_y": tf.FixedLenFeature([], tf.string)}
        features = tf.parse_single_example(example, features)
        image = tf.cast(tf.image.decode_jpeg(features["data_x"], channels=3), tf.float32) / 255.0
        depth = tf.cast(tf.image.decode_png(features["data_y"], channels=1), tf.float32) / 255.0 * 1000.0
        target = 1000.0 / tf.clip_by_value(depth, 10.0, 1000.0)
        image = tf.image.resize_bilinear(image[tf.newaxis], size)[0]
        target = tf.image.resize_bilinear(target[tf.newaxis], (size[0] // 2, size[1] // 2))[0]
        return augment(image, target)

    def augment(image, target):
        mirror = tf.random_uniform([]) < 0.5
        image = tf.cond(mirror, lambda: tf.image.flip_left_right(image), lambda: image)
        target = tf.cond(mirror, lambda: tf.image.flip_left_right(target), lambda: target)
        row = tf.random_uniform([], 0, len(CHANNEL_ORDERS), tf.int32)
        swap = tf.random_uniform([]) < 0.5
        image = tf.cond(swap, lambda: tf.gather(image, tf.gather(CHANNEL_ORDERS, row), axis=2), lambda: image)
        return image, target

    records = tf.data.TFRecordDataset(paths).shuffle(64).repeat()
    return records.map(decode, num_parallel_calls=1).batch(BATCH, drop_remainder=True).prefetch(2)


def ours(index, size, halving):
    order = Order(len(index), BATCH, 0, 0.5, 0.5)
    return dataset.batches(index, order, 0, 10**9, size, halving)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", nargs="+", required=True)
    arguments.add_argument("--size", type=int, nargs=2, default=[480, 640])
    arguments.add_argument("--halving", default="pick")
    arguments.add_argument("--steps", type=int, default=25, help="batches in a round")
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--alone", choices=["port", "ours"], help="run one of them only")
    args = arguments.parse_args()
    paths = expand(args.records)
    with RecordIndex(paths) as index, tf.Session(config=tf.ConfigProto(inter_op_parallelism_threads=2)) as session:
        elements = {}
        if args.alone != "ours":
            elements["port"] = tf.data.make_one_shot_iterator(port(paths, args.size)).get_next()
        if args.alone != "port":
            elements["ours"] = tf.data.make_one_shot_iterator(ours(index, tuple(args.size), args.halving)).get_next()
        print("TensorFlow {}, {} records".format(tf.__version__, len(index)))
        rates = {name: [] for name in elements}
        for number in range(args.rounds + 1):
            for name, element in elements.items():
                rate, wall = measure(session, element, args.steps)
                if number:
                    rates[name].append(rate)
                    print("{}: {:.1f} images/s of processor time, {:.1f} images/s".format(name, rate, wall))
    for name, found in rates.items():
        print("{}: median {:.1f} images/s per core".format(name, statistics.median(found)))
    if len(rates) == 2:
        ratios = [mine / plain for mine, plain in zip(rates["ours"], rates["port"])]
        print("ratio: {:.2f}".format(statistics.median(ratios)))
    print("peak memory {:.0f} MB".format(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def measure(session, element, steps):
    """Images per second of processor time and of the clock over `steps` batches."""
    cpu, clock = time.process_time(), time.perf_counter()
    for _ in range(steps):
        # The operations, not their values: what training does not copy out is not copied here.
        session.run([tensor.op for tensor in element])
    images = BATCH * steps
    return images / (time.process_time() - cpu), images / (time.perf_counter() - clock)


if __name__ == "__main__":
    main()
