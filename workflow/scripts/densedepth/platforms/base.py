"""What training asks of the device it runs on."""

import collections

# precision_mode, op_select_implmode, is_loss_scale, hcom_parallel: as in the reference port's command line.
Options = collections.namedtuple("Options", "precision_mode op_select_implmode is_loss_scale hcom_parallel")


class Platform:
    """One process among `size`, with the number `rank`; a platform of one process needs nothing more than this."""

    rank = 0
    size = 1

    def __init__(self, options):
        self.options = options

    def notes(self):
        """Lines for the log: what the options mean here."""
        return []

    def session_config(self):
        """The tf.ConfigProto for the training session."""
        raise NotImplementedError

    def average(self, gradients):
        """The gradients averaged over all ranks, in the same order."""
        return gradients
