"""Whether convolutions that a graph gets are to make all of their multiplications; see `network.winograd`."""

import contextlib
from typing import Iterator

from .tf import tf

# A collection of the graph, filled within `every`.
_EVERY = "densedepth_every_multiplication"


@contextlib.contextmanager
def every() -> Iterator[None]:
    """Within it they are: where products have too few digits for differences of them, or time to compile is not worth
    it."""
    marks = tf.get_collection_ref(_EVERY)
    marks.append(True)
    try:
        yield
    finally:
        marks.pop()


def are_all_wanted() -> bool:
    """Whether the default graph is within `every`."""
    return bool(tf.get_collection(_EVERY))
