"""A stand-in for the Ascend bridge: true module paths, names and signatures; CPU operations in place of the device's.

Only the tests put it on the path. `calls` records what was called, in order, as (name, {argument: value}).
"""

calls = []


def record(name, **arguments):
    calls.append((name, arguments))


def called(name):
    """The arguments of each call of `name`."""
    return [arguments for call, arguments in calls if call == name]
