"""Metadata files (JSON), validated against a schema: an error is one line with file, key and value.

The module that owns a kind of file declares its schema, as plain data: a dict is an object whose keys must be there
(`"key?"` may be absent; further keys are allowed unless the dict is `Closed`), a list of one schema a list of any
length, a tuple a list of exactly these, a type a value of it, and any of the classes below what its docstring says.
"""

import math
import numbers
import re
from typing import Any, Callable, Optional

from . import files
from .errors import PipelineError

_ADVICE = "make the file again with its program"


class Closed(dict):
    """An object that has no other keys."""


class Map:
    """An object of any keys that match `key`, all of whose values fit `schema`."""

    def __init__(self, schema: Any, key: Optional["Text"] = None) -> None:
        self.schema, self.key = schema, key or Text()


class Null:
    """null, or what fits `schema`."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema


class Number:
    """A finite number from `low` to `high`; with `whole` an integer, a multiple of `step`."""

    def __init__(self, low: float = -math.inf, high: float = math.inf, whole: bool = False, step: int = 1) -> None:
        self.low, self.high, self.whole, self.step = low, high, whole, step

    def fits(self, value: Any) -> bool:
        kind: Any = numbers.Integral if self.whole else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        if self.whole and value % self.step:
            return False
        return math.isfinite(value) and self.low <= value <= self.high

    def __str__(self) -> str:
        words = "a whole number" if self.whole else "a finite number"
        words += " that is a multiple of {}".format(self.step) if self.step > 1 else ""
        words += " from {}".format(self.low) if self.low > -math.inf else ""
        return words + (" to {}".format(self.high) if self.high < math.inf else "")


class Text:
    """Text without NUL that matches `pattern` whole; `words` say what that is."""

    def __init__(self, pattern: str = r"[^\0]*", words: str = "text") -> None:
        self.pattern, self.words = re.compile("(?:{})\\Z".format(pattern), re.DOTALL), words

    def fits(self, value: Any) -> bool:
        return isinstance(value, str) and self.pattern.match(value) is not None

    def __str__(self) -> str:
        return self.words


class OneOf:
    """One of the given values, which are text, numbers or booleans."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def fits(self, value: Any) -> bool:
        return any(type(value) is type(one) and value == one for one in self.values)

    def __str__(self) -> str:
        return "one of " + ", ".join(str(value) for value in self.values)


class Rule:
    """What fits `schema` and for which `holds` is true; `words` say what that is."""

    def __init__(self, schema: Any, holds: Callable[[Any], Any], words: str) -> None:
        self.schema, self.holds, self.words = schema, holds, words


COUNT = Number(0, 2**53, whole=True)
SHA256 = Text("[0-9a-f]{64}", "a SHA-256")
# The name of a file beside the metadata: it leads to no other folder.
NAME = Text(r"(?!\.{1,2}\Z)[^/\0]+", "the name of a file, without a folder")
# (height, width) of a network's input. The bound keeps a number in a file from asking for all memory.
SIDE = Number(32, 32768, whole=True, step=32)
SIZE = Rule((SIDE, SIDE), lambda size: size[0] * size[1] <= 2**25, "height and width of at most 33 megapixels")
# (height, width) of pictures.
_PIXELS = Number(1, 32768, whole=True)
PICTURE_SIZE = Rule((_PIXELS, _PIXELS), SIZE.holds, SIZE.words)
# Nearest and farthest depth in centimetres, at most 10 km.
_CENTIMETRES = Number(0, 1e6)
DEPTH_RANGE = Rule((_CENTIMETRES, _CENTIMETRES), lambda ends: 0 < ends[0] < ends[1], "nearest below farthest, above 0")


def read(path: str, schema: Any, version: Optional[int] = None) -> Any:
    """The value in the JSON file `path`, which fits `schema`; its `format` is `version` where one is given.

    Raises PipelineError, one line with file and key, for a file that is missing, no JSON, or does not fit.
    """
    value = files.read_json(path)
    check(path, value, schema, version)
    return value


def check(source: str, value: Any, schema: Any, version: Optional[int] = None) -> None:
    """Raise PipelineError, led by `source`, unless `value` fits `schema` and has the format `version`."""
    if version is not None and isinstance(value, dict) and value.get("format") != version:
        raise PipelineError("{}: format {} where {} is understood".format(source, shown(value.get("format")), version))
    _check(source, "", value, schema)


def shown(value: Any) -> str:
    """A value of a file in a few words on one line."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list of {}".format(len(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    words = ascii(value)
    return words if len(words) <= 60 else words[:57] + "..."


def _check(source, key, value, schema):
    """Check against a schema of any kind."""
    if isinstance(schema, Null):
        return None if value is None else _check(source, key, value, schema.schema)
    if isinstance(schema, Rule):
        _check(source, key, value, schema.schema)
        return None if schema.holds(value) else _fail(source, key, _shown_list(value), schema.words)
    if isinstance(schema, (dict, Map)):
        if not isinstance(value, dict):
            return _fail(source, key, shown(value), "an object")
        return (_check_map if isinstance(schema, Map) else _check_object)(source, key, value, schema)
    if isinstance(schema, (list, tuple)):
        return _check_list(source, key, value, schema)
    if isinstance(schema, type):
        fits, words = isinstance(value, schema), {bool: "true or false", str: "text"}.get(schema, schema.__name__)
        return None if fits else _fail(source, key, shown(value), words)
    return None if schema.fits(value) else _fail(source, key, shown(value), schema)


def _check_object(source, key, value, schema):
    for name, below in schema.items():
        plain = name.rstrip("?")
        if plain in value:
            _check(source, _joined(key, plain), value[plain], below)
        elif name == plain:
            raise PipelineError("{}: no key {}; {}".format(source, _joined(key, plain), _ADVICE))
    unknown = [name for name in value if name not in schema and name + "?" not in schema]
    if unknown and isinstance(schema, Closed):
        legal = ", ".join(name.rstrip("?") for name in schema)
        raise PipelineError("{}: unknown key {}, legal are {}".format(source, _joined(key, unknown[0]), legal))


def _check_map(source, key, value, schema):
    for name, below in value.items():
        if not schema.key.fits(name):
            _fail(source, key, "an object with the key {}".format(shown(name)), "as key {}".format(schema.key))
        _check(source, _joined(key, name), below, schema.schema)


def _check_list(source, key, value, schema):
    if not isinstance(value, list):
        _fail(source, key, shown(value), "a list")
    if isinstance(schema, tuple) and len(value) != len(schema):
        _fail(source, key, shown(value), "a list of {}".format(len(schema)))
    for number, one in enumerate(value):
        _check(source, "{}[{}]".format(key, number), one, schema[number if isinstance(schema, tuple) else 0])


def _joined(key, name):
    name = name if name.isprintable() and len(name) <= 60 else shown(name)
    return "{}.{}".format(key, name) if key else name


def _shown_list(value):
    return "[{}]".format(", ".join(map(shown, value))) if isinstance(value, list) else shown(value)


def _fail(source, key, found, expected):
    place = "{} is".format(key) if key else "is"
    raise PipelineError("{}: {} {}, expected {}; {}".format(source, place, found, expected, _ADVICE))
