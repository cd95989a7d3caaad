"""Patterns for exactly some names."""

import itertools
import re

import pytest
from densedepth.patterns import one_of


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("1p",),
        ("1p", "8p", "published/nyu"),
        ("a.b", "a-b", "a]b", "a", "^", "\\d"),
        ("", "x", "xy"),
        tuple(map(str, range(1, 124))),
        ("5", "10", "11", "20"),
    ],
)
def test_exactly_the_names_match(names):
    others = {a + b for a, b in itertools.product([*names, "", "1", "aXb", "d"], ["", "0", "p", "."])}
    pattern = one_of(names)
    assert {name for name in others | set(names) if re.fullmatch(pattern, name)} == (set(names) or {""})


def test_many_epochs_are_a_short_pattern_without_braces():
    pattern = one_of(map(str, range(1, 1001)))
    assert len(pattern) < 120 and not set(pattern) & set("{}")
