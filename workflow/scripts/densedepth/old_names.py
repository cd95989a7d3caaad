"""Settings under the names that they had in earlier versions: accepted, with one warning."""

from typing import Any, Dict, List, Tuple

from .configuration import DOWNSAMPLING, merge

# Names of earlier versions and those of now, with the values that are called otherwise.
_RENAMED: Tuple[Tuple[str, str, Dict[str, str]], ...] = (
    ("published", "pretrained", {}),
    ("data.pictures.hole", "data.custom.invalid", {}),
    ("data.pictures", "data.custom", {}),
    ("data.halving", "data.target_downsampling", DOWNSAMPLING),
    ("train.swap_probability", "train.channel_shuffle_probability", {}),
)


def renamed(config: Dict[str, Any]) -> Tuple[Dict[str, Any], str]:
    """(`config` with keys of earlier versions under their new names, a warning that names both; empty for none).

    Also those of a run, and of the base and the grid of a sweep. A value under an old name is laid over that under the
    new one, which may be a default.
    """
    found: List[str] = []
    config = _settings(config, "", found)
    for run, own in _entries(config, "runs"):
        config = _put(config, ["runs", run], _settings(own, "runs.{}.".format(run), found))
    for sweep, rule in _entries(config, "sweeps"):
        for part, words in (("base", _settings), ("grid", _grid)):
            if isinstance(rule.get(part), dict):
                inner = words(rule[part], "sweeps.{}.{}.".format(sweep, part), found)
                config = _put(config, ["sweeps", sweep, part], inner)
    warning = "warning: config: {}; old names are accepted, but take the new ones".format(", ".join(found))
    return config, warning if found else ""


def _settings(config, above, found):
    """`config` with new names; what it had of old ones is added to `found`, with the keys `above` it."""
    for old, new, values in _RENAMED:
        *sections, last = old.split(".")
        place: Any = config
        for key in sections:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict) and last in place:
            overlay: Any = _value(place[last], values)
            for key in reversed(new.split(".")):
                overlay = {key: overlay}
            config = merge(_without(config, old.split(".")), overlay)
            found.append("{0}{1} is now {0}{2}".format(above, old, new))
    return config


def _grid(grid, above, found):
    """Likewise for the lists of a grid, whose keys are dotted."""
    for old, new, values in _RENAMED:
        if old in grid:
            listed = grid[old]
            listed = [_value(value, values) for value in listed] if isinstance(listed, list) else listed
            grid = {new if key == old else key: listed if key == old else value for key, value in grid.items()}
            found.append("{0}{1} is now {0}{2}".format(above, old, new))
    return grid


def _value(value, values):
    return values.get(value, value) if isinstance(value, str) else value


def _entries(config, kind):
    """The entries of `runs` or `sweeps` that are mappings."""
    entries = config.get(kind)
    return [pair for pair in entries.items() if isinstance(pair[1], dict)] if isinstance(entries, dict) else []


def _without(config, path):
    """`config` without the entry at `path`; mappings above it are copied, not changed."""
    rest = {key: value for key, value in config.items() if key != path[0]}
    return rest if len(path) == 1 else dict(rest, **{path[0]: _without(config[path[0]], path[1:])})


def _put(config, path, value):
    """`config` with `value` at `path`; mappings above it are copied, not changed."""
    return dict(config, **{path[0]: _put(config[path[0]], path[1:], value) if len(path) > 1 else value})
