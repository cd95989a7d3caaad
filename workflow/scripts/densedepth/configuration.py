"""Validation of the configuration: all errors at once, each in one line with the key, the value and what is legal."""

import contextlib
import copy
import difflib
import json
import math
import os
import re
from typing import Any, Callable, Dict, List, Tuple

import jsonschema
import yaml

from . import contradictions, illegal, ranges, run_settings, sweeps
from .errors import PipelineError

# Mappings whose keys are the user's own names: an overlay takes an entry away with null.
_NAMED = ("runs", "sweeps", "downloads", "pretrained", "predictions", "external")

# How the programs call the ways of `data.target_downsampling`.
DOWNSAMPLING = {"pick": "nearest", "mean": "area"}


def read(path: str, loader: Any = None) -> Dict[str, Any]:
    """The settings in the YAML or JSON file `path`, by PyYAML's `loader` or one that takes no key twice.

    Raises PipelineError for a file that contains no mapping, and for a duplicate key.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            content = (
                json.load(stream, object_pairs_hook=_once)
                if str(path).endswith(".json")
                else yaml.load(stream, loader or _Loader)
            )
            _bounded(content)
    except OSError as error:
        raise PipelineError("{}: {}".format(path, error.strerror)) from None
    except RecursionError:
        raise PipelineError("{}: nested too deeply for a configuration".format(path)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise PipelineError("{}: invalid YAML or JSON ({})".format(path, " ".join(str(error).split()))) from None
    if not isinstance(content, dict):
        raise PipelineError("{}: expected a mapping of keys to values".format(path))
    return content


def schema(path: str) -> Dict[str, Any]:
    """The schema in the file `path`, which `problems` and the like take, with what may differ between runs."""
    # A file of the workflow's own needs no careful reader, which takes a tenth of the time of a plan.
    content = read(path, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return sweeps.schema_with_sweeps(run_settings.schema_with_runs(content))


def _once(pairs):
    """The mapping of these keys and values of a JSON file."""
    keys = [key for key, _ in pairs]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ValueError("duplicate key {}; merge its entries".format(twice[0]))
    return dict(pairs)


def _bounded(content):
    """Raises ValueError for a mapping that contains itself, or is multiplied by YAML's aliases beyond all settings."""
    waiting, seen = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > 50 or seen > 1000000:
            raise ValueError("contains itself by an alias, or is far larger or more deeply nested than a configuration")
        below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting.extend((item, depth + 1) for item in below)


class _Loader(yaml.SafeLoader):
    """YAML without duplicate keys in a mapping: the first, with all below it, would be ignored."""

    def construct_mapping(self, node, deep=False):
        lines: Dict[Any, int] = {}
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)
            if name in lines and key.value != "<<":
                raise PipelineError(
                    "{}: duplicate key {}, in line {} and in line {}; merge its entries".format(
                        self.name, key.value, lines[name], key.start_mark.line + 1
                    )
                )
            lines[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def merge(base: Dict[str, Any], overlay: Dict[str, Any]) -> Dict[str, Any]:
    """`base` with the keys of `overlay` laid over it, mappings key by key, everything else as a whole."""
    merged = dict(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def completed(config: Dict[str, Any], schema: Dict[str, Any]) -> Dict[str, Any]:
    """`config` without entries set to null, with home folders for `~`, and `default` of `schema` for missing keys.

    Only keys that older copies of config/config.yaml lack have a default: a copy goes on to work.
    """
    return with_home(run_settings.with_defaults(without_nulls(config), schema), schema)


def without_nulls(config: Dict[str, Any]) -> Dict[str, Any]:
    """`config` without the entries of `runs` and the like that an overlay has set to null."""
    kept = dict(config)
    for key in _NAMED:
        if isinstance(config.get(key), dict):
            kept[key] = {name: value for name, value in config[key].items() if value is not None}
    return kept


def with_home(value: Any, schema: Dict[str, Any]) -> Any:
    """`value` with the home folder in place of a leading `~` in the settings that `schema` marks as `path: true`."""
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        # A whole network may be given by its file alone.
        other = other if isinstance(other, dict) else {}
        return {key: with_home(item, known.get(key, other)) for key, item in value.items()}
    if isinstance(value, list):
        return [with_home(item, schema.get("items", {})) for item in value]
    return os.path.expanduser(value) if schema.get("path") and isinstance(value, str) else value


def typed(value: Any, schema: Dict[str, Any]) -> Any:
    """`value` of Snakemake's --config with the numbers and truth values that `schema` wants in place of words.

    Snakemake reads everything inside a mapping or a list of the command line as text. What cannot be read as the type
    that is wanted stays as it is, for `problems` to refuse.
    """
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        other = other if isinstance(other, dict) else {}
        return {key: typed(item, known.get(key, other)) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, schema.get("items", {})) for item in value]
    kinds = schema.get("type", [])
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if isinstance(value, str) and kind in _READERS:
            with contextlib.suppress(ValueError, KeyError):
                return _READERS[kind](value)
    return value


_READERS: Dict[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "boolean": lambda word: {"true": True, "false": False}[word.lower()],
}


def problems(config: Dict[str, Any], schema: Dict[str, Any]) -> List[str]:
    """Lines such as `config: train.batch_size = 0: must be at least 1`; none for a config that can be used.

    `schema` is a JSON schema, draft 2020-12; a key `legal` beside a `pattern` says in words what the pattern allows.
    """
    return checked(config, schema)[0]


def checked(config: Dict[str, Any], schema: Dict[str, Any]) -> Tuple[List[str], Dict[str, Any]]:
    """(`problems`, what of `config` can be used).

    That has the runs of all sweeps, and in place of what is wrong by itself an `illegal.Illegal`.
    """
    validator = _validator()(schema)
    errors = sorted(validator.iter_errors(config), key=lambda error: [str(part) for part in error.absolute_path])
    found = [line for error in errors for line in _lines(error)]
    if errors:
        config = copy.deepcopy(config)
    for error in errors:
        for path in _illegal(error):
            illegal.put(config, path)
    more, config = _contradictions(config)
    return found + more, config


def _illegal(error):
    """The paths of what cannot be used."""
    path = list(error.absolute_path)
    if error.validator == "required":
        return [path + [key] for key in error.validator_value if key not in error.instance]
    if error.validator == "additionalProperties":
        # An unknown key may be meant for the one that it resembles.
        known = error.schema.get("properties", {})
        near = [difflib.get_close_matches(key, known, 1) for key in map(str, error.instance) if key not in known]
        return [path + [name] for names in near for name in names]
    return [path + [error.instance]] if "propertyNames" in error.absolute_schema_path else [path]


def _validator():
    """Draft 2020-12 with the numbers of the programs: 4.0 is no whole number, infinity and nan are no numbers."""
    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            ),
        }
    )
    return jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern}, type_checker=checker)


def _pattern(validator, pattern, value, schema):
    # At the end of a pattern, `$` is the end of the text in JSON Schema; in Python it would let a newline pass.
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield jsonschema.ValidationError("{!r} does not match {!r}".format(value, pattern))


def _lines(error):
    """The lines for one error of the schema."""
    path = list(error.absolute_path)
    keyword, limit = error.validator, error.validator_value
    if keyword == "additionalProperties":
        known, common = error.schema.get("properties", {}), error.schema.get("common", ())
        keys = [key for key in sorted(map(str, error.instance)) if key not in known]
        return [_unknown(path + [key], key, known, common) for key in keys]
    if keyword == "required":
        # One error a missing key, which only its message names.
        return ["{}: missing".format(_name(path + [key])) for key in limit if repr(key) in error.message]
    if "propertyNames" in error.absolute_schema_path:
        return ["{}: not a legal name; {}".format(_name(path + [error.instance]), _names_allowed(error))]
    return ["{} = {}: {}".format(_name(path), _show(error.instance), _legal(error, keyword, limit))]


def _unknown(path, key, known, common):
    section, dot, rest = key.partition(".")
    if dot and section in known:
        return "{}: no dots in keys; write {}: {{{}: ...}}".format(_name(path), section, rest)
    if key in common:
        return "{}: is common to all runs; legal here: {}".format(_name(path), ", ".join(sorted(known)))
    inner = sorted(name for name in known if name.startswith(key + "."))
    if inner:
        return "{}: is a section; name its settings as {}".format(_name(path), ", ".join(inner[:3]) + ", ...")
    near = difflib.get_close_matches(key, known, 1)
    advice = "did you mean {}?".format(near[0]) if near else "legal here: {}".format(", ".join(sorted(known)))
    return "{}: unknown key; {}".format(_name(path), advice)


def _names_allowed(error):
    if error.validator == "not" or error.validator == "enum":
        return "the pipeline uses this name itself"
    return error.schema.get("legal", "must match {}".format(error.schema.get("pattern")))


def _legal(error, keyword, limit):
    """What the value must be, in words."""
    phrases = {
        "enum": lambda: "must be one of {}".format(", ".join(str(value) for value in limit)),
        "uniqueItems": lambda: "must not contain duplicates",
        "minItems": lambda: "must have at least {} item{}".format(limit, "s" if limit > 1 else ""),
        "maxItems": lambda: "must have at most {} items".format(limit),
        "minLength": lambda: "must not be empty",
        "minProperties": lambda: "must have at least {} entry".format(limit),
        "pattern": lambda: "must be {}".format(error.schema.get("legal", "of the form {}".format(limit))),
        "type": lambda: "must be {}{}".format(_types(limit), _hint(error.instance, limit)),
    }
    if keyword in ranges.PHRASES:
        return ranges.PHRASES[keyword].format(limit)
    return phrases[keyword]() if keyword in phrases else error.message


_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
}


def _types(limit):
    names = [limit] if isinstance(limit, str) else limit
    return " or ".join(_TYPES[name] for name in names)


def _hint(value, expected):
    if expected == "number" and isinstance(value, str) and re.match(r"\d+e[-+]?\d+$", value, re.IGNORECASE):
        mantissa, _, exponent = value.lower().partition("e")
        return "; YAML reads {} as text, write {}.0e{}".format(value, mantissa, exponent)
    return ""


def _name(path):
    """`config: train.keep_epochs[2]` for the keys and indices in `path`."""
    words = ["[{}]".format(part) if isinstance(part, int) else ".{}".format(part) for part in path]
    return "config: {}".format("".join(words).lstrip(".") or "top level")


def _show(value):
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _contradictions(config):
    """(problems between keys, `config` with the runs of all sweeps)."""
    found: List[str] = []
    places: List[Tuple[List[Any], Any, str]] = []
    origins: Dict[str, str] = {}
    expanded = dict(config, sweeps=illegal.Illegal())
    with contextlib.suppress(illegal.Waits):
        places += sweeps.contradictions(config)
        if not places:
            origins, expanded = sweeps.origins(config), sweeps.expanded(config)
    told = set()
    for path, value, words in [*places, *contradictions.between(expanded)]:
        sweep = origins.get(path[1]) if path[0] == "runs" else None
        # What is wrong with all runs of a sweep is told once.
        if sweep is None or (sweep, *path[2:], words) not in told:
            # The value itself may be illegal.
            with contextlib.suppress(illegal.Waits):
                shown = "" if value is None else " = " + _show(value)
                found.append("{}{}: {}".format(_place(path, sweep), shown, words))
        told.add((sweep, *path[2:], words))
    return found, expanded


def _place(path, sweep):
    """`_name` of what the user gave: of a run that a sweep made, the sweep."""
    if sweep is None:
        return _name(path)
    run = "{}, its run {}".format(_name(["sweeps", sweep]), path[1])
    return ", ".join([run, _name(path[2:])[len("config: ") :]]) if path[2:] else run
