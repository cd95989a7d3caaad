"""The session of a rank: its threads."""

import pytest
from densedepth.platforms import collective, ranks
from densedepth.tf import tf


class OnePeer:
    addresses = ("localhost:0",)

    def __init__(self, *_):
        pass


# Of a process with one thread, two operations at a time would share a core; but what another machine sends is to be
# taken while the backward pass goes on, for which that thread has no time.
@pytest.mark.parametrize("memory, threads, operations", [(7, 1, 1), (7, 4, 4), (None, 1, 2), (None, 4, 4)], ids=str)
def test_operations_at_a_time(monkeypatch, memory, threads, operations):
    monkeypatch.setattr(collective, "Peers", OnePeer)
    group = collective.Group(ranks.Ranks(0, 1, None, None, memory, threads, 60, True), tf.ConfigProto(), "")
    assert group.config.intra_op_parallelism_threads == threads
    assert group.config.inter_op_parallelism_threads == operations
