"""train.py with DenseNet-121 of one layer in its last block: the same code, quick to start. A program for the tests.

With --forked first, ranks are forked, which spares each of them the loading of TensorFlow. With --two-layers next, the
network is that of `two_layers`. With --frozen after these, batch normalization uses its moving averages in training
too, so that a sample's loss does not depend on which samples share its batch. With --bad-rank K, rank K alone sees
losses that are not finite from step 3 on. With --quick-scale, the loss scale doubles after three good steps. With
--apart, the ranks share no memory, as on several machines.
SIGUSR1 lets it raise an exception wherever it is.
"""

import functools
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workflow", "scripts"))

import forked
import plain_sessions
import train
import two_layers
from densedepth.data import training_input
from densedepth.network import architecture
from densedepth.platforms import launcher, loss_scale, shared_memory


def freeze():
    predict = architecture.predict
    architecture.predict = lambda images, model, training, **rest: predict(images, model, training=False, **rest)


def spoil():
    batches = training_input.batches

    def spoilt(index, order, first_step, *rest):
        data = batches(index, order, first_step, *rest)
        parts = [data.take(2), data.skip(2).map(lambda image, target, record: (image / 0.0, target, record))]
        return parts[0].concatenate(parts[1])

    training_input.batches = spoilt


def blunder(number, frame):
    raise RuntimeError("struck")


def main(words=None):
    words = sys.argv[1:] if words is None else words
    signal.signal(signal.SIGUSR1, blunder)
    plain_sessions.use()
    architecture.BLOCKS["densenet121"] = (0, 0, 0, 1)
    if words[0] == "--forked":
        launcher._Rank = functools.partial(forked.Rank, main)
        words = words[1:]
    if words[0] == "--two-layers":
        two_layers.use()
        words = words[1:]
    if words[0] == "--frozen":
        freeze()
        words = words[1:]
    elif words[0] == "--quick-scale":
        loss_scale.GROWTH_STEPS = 3
        words = words[1:]
    elif words[0] == "--apart":
        shared_memory.create = lambda: None
        words = words[1:]
    elif words[0] == "--bad-rank":
        if os.environ.get("RANK_ID") == words[1]:
            spoil()
        words = words[2:]
    return train.main(words)


if __name__ == "__main__":
    sys.exit(main())
