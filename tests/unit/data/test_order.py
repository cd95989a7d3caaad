"""The order of samples depends on the seed and the position alone."""

import numpy as np
from densedepth.data.order import CHANNEL_ORDERS, Order


def stream(order, steps):
    return [sample for step in range(steps) for sample in order.batch(step)]


def test_each_pass_sees_every_record_once_in_another_order():
    order = Order(records=12, batch_size=4, seed=1, mirror_probability=0.5, swap_probability=0.5)
    first, second = (
        [s.record for s in stream(order, 3)],
        [s.record for step in (3, 4, 5) for s in order.batch(step)],
    )
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_a_pass_may_end_within_a_batch():
    order = Order(records=5, batch_size=4, seed=1, mirror_probability=0, swap_probability=0)
    records = [s.record for s in stream(order, 5)]
    assert sorted(records) == sorted(list(range(5)) * 4)
    assert sorted(records[:5]) == list(range(5))


def test_any_step_can_be_asked_for_alone():
    arguments = dict(records=7, batch_size=2, seed=3, mirror_probability=0.5, swap_probability=0.5)
    whole = stream(Order(**arguments), 20)
    for step in (0, 13, 4, 19):
        assert Order(**arguments).batch(step) == whole[2 * step : 2 * step + 2]


def test_seeds_differ():
    orders = [Order(records=50, batch_size=50, seed=s, mirror_probability=0.5, swap_probability=0.5) for s in (0, 1)]
    assert orders[0].batch(0) != orders[1].batch(0)


def test_ranks_share_the_batch_of_one_device():
    common = dict(records=24, seed=5, mirror_probability=0.5, swap_probability=0.5)
    alone = Order(batch_size=8, **common)
    ranks = [Order(batch_size=2, rank=rank, world_size=4, **common) for rank in range(4)]
    for step in range(6):
        assert alone.batch(step) == [sample for rank in ranks for sample in rank.batch(step)]


def test_parts_share_the_batch_of_their_rank():
    common = dict(records=24, seed=5, mirror_probability=0.5, swap_probability=0.5, batch_size=6, world_size=2)
    for rank in range(2):
        whole, parts = Order(rank=rank, **common), Order(rank=rank, parts=3, **common)
        assert parts.batch_size == 2
        for step in range(6):
            found = [sample for part in range(3) for sample in parts.batch(3 * step + part)]
            assert found == whole.batch(step)


def test_shares_of_augmented_samples():
    order = Order(records=20000, batch_size=20000, seed=0, mirror_probability=0.5, swap_probability=0.5)
    samples = order.batch(0)
    assert abs(np.mean([s.mirror for s in samples]) - 0.5) < 0.02
    changed = np.mean([list(CHANNEL_ORDERS[s.channels]) != [0, 1, 2] for s in samples])
    assert abs(changed - 0.5 * 5 / 7) < 0.02


def test_probabilities_of_zero_and_one():
    never = Order(records=9, batch_size=9, seed=0, mirror_probability=0, swap_probability=0).batch(0)
    assert not any(s.mirror or s.channels for s in never)
    assert all(
        s.mirror for s in Order(records=9, batch_size=9, seed=0, mirror_probability=1, swap_probability=0).batch(0)
    )


def test_the_stream_is_the_same_under_every_numpy():
    order = Order(records=6, batch_size=6, seed=42, mirror_probability=0.5, swap_probability=0.5)
    assert [tuple(sample)[:3] for sample in order.batch(0)] == PINNED


PINNED = [(3, True, 0), (5, False, 4), (4, False, 0), (0, True, 1), (1, True, 2), (2, False, 0)]
