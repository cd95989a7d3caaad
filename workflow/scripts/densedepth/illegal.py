"""What stands for a value that is wrong by itself, so that only what reads it waits.

Checks between settings get a configuration in which such values are `Illegal`. A check that uses one ends there, and
what it found before stays.
"""

import contextlib
from typing import Any, Callable, Dict, Iterator, List, NoReturn, Tuple, TypeVar

_T = TypeVar("_T")

# What checks of a configuration yield: path of a key, its value or None, what is wrong with it.
Problem = Tuple[List[Any], Any, str]
Check = Callable[[Dict[str, Any]], Iterator[Problem]]


class Waits(Exception):
    """A check has used a value that is illegal."""


class Illegal:
    """In place of an illegal value, or of one that is missing: whatever is done with it raises `Waits`."""

    def _used(self, *_: Any) -> NoReturn:
        raise Waits

    # Attributes, among them `__class__`, which isinstance asks for.
    __getattribute__ = _used
    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __setitem__ = _used
    __hash__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _used
    __str__ = __repr__ = __format__ = __fspath__ = __int__ = __index__ = __float__ = _used
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _used
    __neg__ = __floordiv__ = __rfloordiv__ = __truediv__ = __rtruediv__ = _used


def put(config: Any, path: List[Any]) -> None:
    """Put an `Illegal` into `config` at `path`, unless there is one above."""
    with contextlib.suppress(Waits):
        for part in path[:-1]:
            config = config[part]
        config[path[-1]] = Illegal()


def readable(found: Iterator[_T]) -> Iterator[_T]:
    """What `found` yields before it uses an illegal value."""
    with contextlib.suppress(Waits):
        yield from found
