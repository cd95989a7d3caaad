"""Write the schema's texts into config/config.yaml and config/README.md: `make docs`, or with --check only compare.

    .venv/workflow/bin/python docs/config_tables.py

Run it from the root of the repository. In config.yaml every comment but the one at the top is replaced by the
description of the key below it; values stay. In README.md each table after `<!-- settings: KEY ... -->` is replaced.
"""

import json
import re
import sys
import textwrap

import yaml

SCHEMA, CONFIG, PAGE = "workflow/schemas/config.schema.yaml", "config/config.yaml", "config/README.md"
HEAD = "| key | meaning | legal values | default | change it when |\n|---|---|---|---|---|\n"
BEGIN, END = r"<!-- settings: (.*) -->\n", "<!-- end of the settings -->\n"


def interval(schema):
    """The range of a number in words, such as `from 1 to 64` or `more than 0, at most 1`."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return "from {} to {}".format(low, high)
    words = (("minimum", "at least"), ("exclusiveMinimum", "more than"), ("maximum", "at most"))
    words += (("exclusiveMaximum", "less than"),)
    return ", ".join("{} {}".format(word, schema[key]) for key, word in words if key in schema)


def legal(schema):
    """What a value may be, in words."""
    if "enum" in schema:
        return ", ".join("`{}`".format(value) for value in schema["enum"])
    kind = schema.get("type")
    if "legal" in schema or kind == "string":
        return schema.get("legal") or ("a path" if schema.get("path") else "text")
    if kind == "array":
        sizes = (schema.get("minItems", 0), schema.get("maxItems"))
        number = " of {}".format(sizes[0]) if sizes[0] == sizes[1] else " of at least 1" if sizes[0] else ""
        number = number or (" of at most {}".format(sizes[1]) if sizes[1] else "")
        return "list{}: {}".format(number, legal(schema["items"]))
    if kind in ("integer", "number"):
        name = "whole number" if kind == "integer" else "number"
        name = "multiple of {}".format(schema["multipleOf"]) if "multipleOf" in schema else name
        return " ".join([name, interval(schema)]).strip()
    return "`true`, `false`" if kind == "boolean" else "mapping of names to values"


def rows(schema, path):
    """(path, schema) of each setting at or below `path`; the user's own names are `<name>`."""
    below = schema.get("additionalProperties")
    named = isinstance(below, dict) and "properties" in below
    if not named and "properties" not in schema:
        yield path, schema
        return
    if schema.get("type") != "object":
        yield path, schema
    for key, inner in schema.get("properties", {}).items():
        yield from rows(inner, [*path, key])
    if named:
        yield from rows(below, [*path, "<name>"])


def own_lines(schema):
    """The lines of what a run may set for itself: all that the schema marks `per_run: true`."""
    for key, setting in schema["properties"].items():
        marked = [name for name, inner in setting.get("properties", {}).items() if inner.get("per_run")]
        taken = ", ".join(map("`{}`".format, marked)) or (
            "any key of `{}`" if "properties" in setting else "as `{}`"
        ).format(key)
        if marked or setting.get("per_run"):
            words = "| `runs.<name>.{0}` | `{0}` of this run, over that of all runs. | {1} |  | {2} |"
            yield words.format(key, taken, "two trainings differ in it")


def table(schema, keys, defaults):
    """The Markdown table of the settings below these keys of the first level."""
    lines = []
    for key in keys:
        for path, setting in rows(schema["properties"][key], [key]):
            value = defaults
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            shown = (
                "" if value is None else "`{}`".format(value if value and isinstance(value, str) else json.dumps(value))
            )
            meaning = " ".join([setting["description"], setting.get("details", "")]).strip()
            cells = [
                meaning,
                legal(setting),
                shown if len(shown) < 40 else "see `config.yaml`",
                setting.get("when", ""),
            ]
            lines.append(
                "| {} |".format(
                    " | ".join(cell.replace("|", "\\|") for cell in ["`{}`".format(".".join(path)), *cells])
                )
            )
        lines += own_lines(schema) if key == "runs" else []
    # The page is a folder below the root, as the pages of docs/ are.
    return HEAD + re.sub(r"\bdocs/\w+\.md\b", r"[\g<0>](../\g<0>)", "\n".join(lines)) + "\n"


def page(text, schema, defaults):
    """The text of the README with its tables made anew."""

    def made(match):
        return match.group(1) + table(schema, match.group(2).split(), defaults) + END

    return re.sub("({})(?:.*\n)*?{}".format(BEGIN, END), made, text)


def comment(schema, indent):
    """The comment lines for a key: what it is, and its range, or those names that it takes and does not mention."""
    text = schema["description"]
    if not all(str(value) in text for value in schema.get("enum", [])):
        text += " One of {}.".format(legal(schema))
    elif interval(schema):
        number = "multiple of {}, ".format(schema["multipleOf"]) if "multipleOf" in schema else ""
        text = "{} ({}{}).".format(text.rstrip("."), number, interval(schema))
    # No line ends within what is to be read as one.
    text = re.sub("`[^`]*`", lambda match: match.group().replace(" ", "\0"), text)
    lead = " " * indent + "# "
    lines = textwrap.wrap(text, 120, initial_indent=lead, subsequent_indent=lead, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def settings(text, schema):
    """The text of config.yaml with its comments made anew."""
    head, _, body = text.partition("\n\n")
    lines, places = [], [(-1, schema)]
    for line in body.splitlines():
        match = re.match(r"( *)([\w.-]+):( |$)", line)
        if match:
            indent = len(match.group(1))
            while places[-1][0] >= indent:
                places.pop()
            above = places[-1][1]
            known = above.get("properties", {}).get(match.group(2)) or above["additionalProperties"]
            places.append((indent, known))
            lines += comment(known, indent) if "description" in known else []
        if not line.lstrip().startswith("#"):
            lines.append(line)
    return head + "\n\n" + "\n".join(lines) + "\n"


def main():
    texts = {}
    for path in (SCHEMA, CONFIG, PAGE):
        with open(path, encoding="utf-8") as stream:
            texts[path] = stream.read()
    schema, defaults = yaml.safe_load(texts[SCHEMA]), yaml.safe_load(texts[CONFIG])
    made = {CONFIG: settings(texts[CONFIG], schema), PAGE: page(texts[PAGE], schema, defaults)}
    stale = [path for path, text in made.items() if text != texts[path]]
    if stale and "--check" in sys.argv:
        sys.exit("{}: not what {} says; `make docs` writes it".format(", ".join(stale), SCHEMA))
    for path in stale:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(made[path])


if __name__ == "__main__":
    main()
