"""What training asks of the device it runs on."""

import collections
import contextlib

# precision_mode, op_select_implmode, is_loss_scale, hcom_parallel: as in the reference port's command line.
# ranks: this process among those that train together, with `rank` and `size`; None for one that trains alone.
# extra: more options of the platform as {name: text}.
Options = collections.namedtuple("Options", "precision_mode op_select_implmode is_loss_scale hcom_parallel ranks extra")
Options.__new__.__defaults__ = (None, {})


class Platform:
    """One process among `size`, with the number `rank`; a platform of one process needs nothing more than this."""

    rank = 0
    size = 1
    # Training steps that one session.run does.
    steps_per_run = 1

    def __init__(self, options):
        self.options = options

    def notes(self):
        """Lines for the log: what the options mean here."""
        return []

    def start(self):
        """Validate the options and join the process group; called before the graph is built."""

    def session_target(self):
        """What the session connects to: "" for this process, or a grpc address."""
        return ""

    def session_config(self):
        """The tf.ConfigProto for the training session."""
        raise NotImplementedError

    def loss_scope(self):
        """The context manager in which the loss is built."""
        return contextlib.nullcontext()

    def wrap_optimizer(self, optimizer):
        """`optimizer`, or what stands for it: compute_gradients gives gradients averaged over all ranks."""
        return optimizer

    def prepare(self, session, train_op):
        """The operation to run for `train_op`; called before the graph is finalized."""
        return train_op

    def broadcast(self, variables):
        """The operation that gives all ranks rank 0's values, or None; run once after restoring, by every rank."""
        return None

    def total(self, vector):
        """The float32 `vector` of a few elements, summed over all ranks; evaluated in every step."""
        return vector

    def figures(self):
        """{name: scalar tensor} to fetch in each step on every rank; called after the gradients are applied."""
        return {}

    def close(self):
        """Leave the process group."""
