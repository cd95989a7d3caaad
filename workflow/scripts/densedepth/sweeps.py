"""Sweeps: runs made of `sweeps.<name>`, one for each combination of the values of a grid and of the seeds.

A combination that is equal to a run of `runs` in all settings is that run: it is trained once.
"""

import itertools
import re
from typing import Any, Dict, Iterator, List, Tuple

from . import run_settings
from .illegal import Problem

Settings = Dict[str, Any]

# Runs of a sweep that says nothing else by `max_runs`: more are rather a mistake than meant.
LARGEST = 200

# Names of runs are folders, and part of the names of files.
_LONGEST = 150


def members(config: Settings, sweep: str) -> Dict[str, Settings]:
    """{run: its own settings} of a sweep in a fixed order, which is that of the keys by name, the values as given."""
    found: Dict[str, Settings] = {}
    named = {run_settings.identity(run_settings.of_run(config, run)): run for run in config["runs"]}
    for name, own in _combinations(config, sweep):
        known = named.get(run_settings.identity(run_settings.of_run(dict(config, runs={name: own}), name)))
        found[known or name] = config["runs"][known] if known else own
    return found


def expanded(config: Settings) -> Settings:
    """`config` in which `runs` has those of all sweeps, too, behind the others."""
    runs = dict(config["runs"])
    for sweep in config.get("sweeps", {}):
        runs.update(members(config, sweep))
    return dict(config, runs=runs)


def origins(config: Settings) -> Dict[str, str]:
    """{run: its sweep} of the runs that sweeps make, whether `config` is expanded or not."""
    found: Dict[str, str] = {}
    for sweep in config.get("sweeps", {}):
        made = {name for name, _ in _combinations(config, sweep)}
        found.update((run, sweep) for run in members(config, sweep) if run in made)
    return found


def contradictions(config: Settings) -> Iterator[Problem]:
    """(path of a key, its value or None, what is wrong with it) for sweeps that cannot be expanded."""
    seen: Dict[str, str] = {}
    for sweep, rule in config.get("sweeps", {}).items():
        path, grid = ["sweeps", sweep], rule.get("grid", {})
        if "grid" not in rule and "seeds" not in rule:
            yield path, None, "gives neither grid nor seeds, so it is one run; name it under runs"
        if "seeds" in rule and "seed" in grid:
            yield [*path, "seeds"], rule["seeds"], "give this or seed in the grid, not both"
        count = len(_seeds(config, rule))
        for values in grid.values():
            count *= len(values)
        if count > rule.get("max_runs", LARGEST):
            yield path, None, "is of {0} runs; if that is meant, say so with max_runs: {0}".format(count)
            continue
        if max(_seeds(config, rule)) > 2**31 - 1:
            yield [*path, "seeds"], rule["seeds"], "counts on from the seed to more than 2147483647"
        for name, own in _combinations(config, sweep):
            if len(name) > _LONGEST:
                words = "its run {}... has a name of {} characters, more than {}; take fewer keys or shorter values"
                yield path, None, words.format(name[:40], len(name), _LONGEST)
                break
            if name in seen or config["runs"].get(name, own) != own:
                other = "one of sweeps.{}".format(seen[name]) if name in seen else "another one of runs"
                yield path, None, "its run {} has the name of {}; rename one".format(name, other)
                break
            seen[name] = sweep


def schema_with_sweeps(schema: Settings) -> Settings:
    """`schema` in which `sweeps.<name>.base` takes what a run does, and `grid` lists of it by dotted keys.

    To be called with the runs' own keys in place (`run_settings.schema_with_runs`).
    """
    top = schema["properties"]
    run = top["runs"]["additionalProperties"]
    rule = top["sweeps"]["additionalProperties"]
    below = dict(rule["properties"])
    below["base"] = dict(below["base"], properties=run["properties"], common=run["common"])
    axes = dict(_axes(run["properties"]))
    below["grid"] = dict(below["grid"], properties=axes, common=sorted(set(dict(_axes(top))) - set(axes)))
    rule = dict(rule, properties=below)
    return dict(schema, properties=dict(top, sweeps=dict(top["sweeps"], additionalProperties=rule)))


def _axes(rules: Settings, above: str = "") -> Iterator[Tuple[str, Settings]]:
    for key, rule in rules.items():
        if "properties" in rule:
            yield from _axes(rule["properties"], above + key + ".")
        else:
            words = {key: rule[key] for key in ("description", "when") if key in rule}
            yield above + key, dict(words, type="array", minItems=1, uniqueItems=True, items=rule)


def _combinations(config: Settings, sweep: str) -> Iterator[Tuple[str, Settings]]:
    """(name, own settings) of each combination, whether it is a run of `runs` or not."""
    rule = config["sweeps"][sweep]
    grid = rule.get("grid", {})
    keys = sorted(grid)
    last = [key.rpartition(".")[2] for key in keys]
    titles = [key if last.count(title) > 1 else title for key, title in zip(keys, last)]
    seeds = _seeds(config, rule) if "seeds" in rule else [None]
    for *values, seed in itertools.product(*(grid[key] for key in keys), seeds):
        own = {key: dict(value) if isinstance(value, dict) else value for key, value in rule.get("base", {}).items()}
        for key, value in zip(keys, values):
            section, dot, inner = key.partition(".")
            if dot:
                own.setdefault(section, {})[inner] = value
            else:
                own[section] = value
        parts = ["{}_{}".format(title, _word(value)) for title, value in zip(titles, values)]
        if seed is not None:
            own["seed"] = seed
            parts.append("seed_{}".format(seed))
        yield "-".join([sweep, *parts]), own


def _seeds(config: Settings, rule: Settings) -> List[int]:
    """The seeds of a sweep: those given, or so many from that of its base on."""
    first = rule.get("base", {}).get("seed", config["seed"])
    seeds = rule.get("seeds", [first])
    return seeds if isinstance(seeds, list) else [first + count for count in range(seeds)]


def _word(value: Any) -> str:
    """A value as part of a file's name."""
    if isinstance(value, list):
        return "_".join(map(_word, value)) or "none"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text) or "none"
