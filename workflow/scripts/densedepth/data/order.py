"""Sample order and augmentation as a pure function of the seed and the position.

Training sees a stream of passes over the records, each in an order of its own. Everything here depends on the seed and
the position in that stream alone, not on threads, on the device count or on where a run was cut in segments, and it is
the same under every NumPy and TensorFlow version.
"""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .augmentation import NONE, Augmentation, View

# The list of the original recipe: the identity counts twice, so a swap drawn from it changes colours in 5 of 7 cases.
CHANNEL_ORDERS = np.array([[0, 1, 2], [0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]], dtype=np.int32)


class Sample(NamedTuple):
    """One sample of a batch."""

    # Its number among the records, from 0.
    record: int
    # Whether it is mirrored left to right.
    mirror: bool
    # The row of `CHANNEL_ORDERS` that its colours take.
    channels: int
    # The part of the image that is seen, and in which colours; None for all of it as it is.
    view: Optional[View] = None


def samples(records: int, sets: Sequence[Tuple[int, float]] = ()) -> int:
    """The number of samples in a pass over so many records, or over the `sets` of a mixture (see `Order`)."""
    return sum(_of_set(count, weight) for count, weight in sets) if sets else records


def _of_set(count, weight):
    return max(1, int(count * weight + 0.5))


class Order:
    """The stream of samples of one rank.

    records: number of records; batch_size: samples a step of one rank; rank, world_size: this process among all.
    mirror_probability: share of samples mirrored left to right. swap_probability: share of samples for which an entry
    of `CHANNEL_ORDERS` is drawn (so 5/7 of it see a real change of colours). augmentation: how far the views go. sets:
    of a mixture, (records, weight) of each of the sets that lie one after another in the records: in a pass over the
    mixture each record is seen `weight` times, of a fraction as many records, others in the next pass. parts: equal
    ones of each batch of `batch_size`, which are then the batches.
    """

    def __init__(
        self,
        records: int,
        batch_size: int,
        seed: int,
        mirror_probability: float,
        swap_probability: float,
        rank: int = 0,
        world_size: int = 1,
        augmentation: Augmentation = NONE,
        sets: Sequence[Tuple[int, float]] = (),
        parts: int = 1,
    ) -> None:
        self._records = samples(records, sets)
        self._sets = sets
        self.batch_size = batch_size // parts
        self._parts = parts
        self._seed = seed
        self._mirror_probability = mirror_probability
        self._swap_probability = swap_probability
        self._rank = rank
        self._world_size = world_size
        self._augmentation = augmentation
        self._pass: Optional[int] = None
        self._samples: Any = None

    def batch(self, step: int) -> List[Sample]:
        """The `batch_size` samples of this rank at `step`, counted from 0 over all epochs; of `parts`, at that part.

        All ranks' batches of a step are consecutive in the stream, so the samples of a step depend on the global batch
        size alone.
        """
        step, part = divmod(step, self._parts)
        first = ((step * self._world_size + self._rank) * self._parts + part) * self.batch_size
        return [self._sample(position) for position in range(first, first + self.batch_size)]

    def _sample(self, position):
        number, place = divmod(position, self._records)
        if number != self._pass:
            self._samples = self._draw(number)
            self._pass = number
        records, mirrors, channels, draws = self._samples
        view = None if draws is None else self._augmentation.view(draws[place])
        return Sample(int(records[place]), bool(mirrors[place]), int(channels[place]), view)

    def _draw(self, number):
        """Arrays of the `records` samples of pass `number`: record, whether mirrored, row of CHANNEL_ORDERS, and either
        eight numbers for the view or None."""
        generator = np.random.RandomState([self._seed, number])
        records = generator.permutation(self._records)
        if self._sets:
            records = self._mixed(number)[records]
        mirrors = generator.random_sample(self._records) < self._mirror_probability
        swaps = generator.random_sample(self._records) < self._swap_probability
        channels = generator.randint(0, len(CHANNEL_ORDERS), self._records)
        draws = None if self._augmentation == NONE else generator.random_sample((self._records, 8))
        return records, mirrors, np.where(swaps, channels, 0), draws

    def _mixed(self, number):
        """The records of pass `number` over a mixture, set after set.

        Each set has a stream of its own: passes over its records, of which a pass over the mixture takes the next part.
        """
        found, first = [], 0
        for place, (count, weight) in enumerate(self._sets):
            taken = _of_set(count, weight)
            start, stop = number * taken, (number + 1) * taken
            passes = [
                np.random.RandomState([self._seed, place, own]).permutation(count)
                for own in range(start // count, (stop - 1) // count + 1)
            ]
            begin = start - start // count * count
            found.append(first + np.concatenate(passes)[begin : begin + taken])
            first += count
        return np.concatenate(found)
