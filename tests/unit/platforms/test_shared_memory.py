"""Means over ranks through memory that they share, with the ranks' areas of one process."""

import os

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.platforms import shared_memory

SHAPES = [[(3, 5), ()], [(2, 2, 7), (100,)]]


@pytest.fixture
def memory():
    descriptor = shared_memory.create()
    yield descriptor
    os.close(descriptor)


def exchanged(memory, drawn, shapes=SHAPES):
    """For each rank the means of the tensors `drawn` [rank][piece][tensor], by its piece and tensor."""
    size = len(drawn)
    areas = [shared_memory.areas(memory, rank, size, shapes) for rank in range(size)]
    for piece in range(len(shapes)):
        for rank in range(size):
            areas[rank][piece].put(*drawn[rank][piece])
        for rank in reversed(range(size)):
            areas[rank][piece].average(np.zeros(1))
    return [[area.take(np.zeros(1)) for area in own] for own in areas]


def draw(size, shapes=SHAPES, seed=0):
    random = np.random.RandomState(seed)
    return [[[np.float32(random.normal(size=one)) for one in piece] for piece in shapes] for _ in range(size)]


@pytest.mark.parametrize("size", [2, 3, 8])
def test_all_ranks_take_the_same_means(memory, size):
    drawn = draw(size)
    found = exchanged(memory, drawn)
    for piece, shapes in enumerate(SHAPES):
        for place, shape in enumerate(shapes):
            values = [found[rank][piece][place] for rank in range(size)]
            expected = np.mean([drawn[rank][piece][place] for rank in range(size)], axis=0)
            assert values[0].shape == shape
            np.testing.assert_allclose(values[0], expected, atol=1e-6)
            assert all(np.array_equal(values[0], other) for other in values)


def test_what_is_taken_stays_when_the_next_step_is_written(memory):
    (own,), (other,) = shared_memory.areas(memory, 0, 2, [[(4,)]]), shared_memory.areas(memory, 1, 2, [[(4,)]])
    steps = []
    for value in (1, 2):
        for area in (own, other):
            area.put(np.full(4, value, np.float32))
        for area in (own, other):
            area.average(np.zeros(1))
        steps.append(own.take(np.zeros(1))[0])
    assert steps[0].tolist() == [1] * 4 and steps[1].tolist() == [2] * 4


def test_tensorflow_takes_the_means_as_they_are(memory):
    found = exchanged(memory, draw(2, [[(3, 5), (2,), (7,)]]), [[(3, 5), (2,), (7,)]])
    # An array that begins elsewhere is copied.
    assert [mean.ctypes.data % 64 for mean in found[0][0]] == [0, 0, 0]


@pytest.mark.filterwarnings("error")
def test_what_is_not_finite_is_so_on_all(memory):
    one, other = np.array([np.inf, 1, 3e38], np.float32), np.array([-np.inf, np.nan, 3e38], np.float32)
    for means in exchanged(memory, [[[one]], [[other]]], [[(3,)]]):
        assert not np.isfinite(means[0][0]).any()


def test_memory_that_is_not_there_is_a_line():
    words = r"1 MB that the 2 ranks share for their gradients: \w.*; .* fewer devices \(runs\.<run>\.devices\)$"
    with pytest.raises(PipelineError, match=words):
        shared_memory.areas(os.open(os.devnull, os.O_RDONLY), 0, 2, [[(100000,)]])
