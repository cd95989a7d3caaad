"""Drawing by lot, the same on every machine."""

from typing import Iterable, List, Sequence, TypeVar

import numpy

_T = TypeVar("_T")


class Lots:
    """Draws by lot. Built on uniform doubles alone, whose stream NumPy has promised to keep."""

    def __init__(self, *seed: int) -> None:
        self._generator = numpy.random.RandomState(list(seed))

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` up to `high`."""
        return low + (high - low) * float(self._generator.random_sample())

    def below(self, count: int) -> int:
        """A whole number from 0 to `count` - 1."""
        return int(count * float(self._generator.random_sample()))

    def chance(self, probability: float) -> bool:
        """True with this probability, 0..1."""
        return float(self._generator.random_sample()) < probability

    def pick(self, choices: Sequence[_T]) -> _T:
        """One of `choices`."""
        return choices[self.below(len(choices))]

    def shuffled(self, items: Iterable[_T]) -> List[_T]:
        """The items in another order."""
        items = list(items)
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]
        return items
