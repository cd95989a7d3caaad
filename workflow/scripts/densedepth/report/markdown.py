"""A Markdown page put together from blocks: text, tables, pictures, folded parts."""

import json
import os
from urllib.parse import quote

import pandas

from ..errors import PipelineError

BLANK = "-"


class Page:
    """Blocks that end up separated by blank lines; links are relative to `folder`, where the page will lie."""

    def __init__(self, folder):
        self._folder = os.path.abspath(folder)
        self._blocks = []

    def add(self, text, *values):
        """A block of Markdown; with `values`, put into `text` as by `str.format`."""
        self._blocks.append(text.format(*values) if values else text)

    def add_table(self, rows, columns, numbers=()):
        """A table of `rows` (tuples); the columns named in `numbers` are set to the right."""
        self._blocks.append(table(pandas.DataFrame(rows, columns=list(columns), dtype=object), numbers))

    def add_folded(self, title, rows, columns):
        """A table behind a title to click on: a long one would bury the rest of the page."""
        self.fold(title)
        self.add_table(rows, columns)
        self.end_fold()

    def fold(self, title):
        """What follows, until `end_fold`, is behind a title to click on."""
        self.add("<details><summary>" + title + "</summary>")

    def end_fold(self):
        self.add("</details>")

    def add_picture(self, path, caption):
        """The picture with its caption below. Raises PipelineError when there is no such file."""
        if not os.path.isfile(path):
            raise PipelineError("{}: no such picture, though the report shows it".format(path))
        link = quote(os.path.relpath(os.path.abspath(path), self._folder).replace(os.sep, "/"))
        self._blocks.append("![{}]({})".format(caption.replace("[", "(").replace("]", ")"), link))
        self._blocks.append("*{}*".format(caption))

    def add_scene(self, picture, data, caption):
        """A scene of a gallery: its picture. What is in `data` shows on pages that can move only."""
        self.add_picture(picture, caption)

    def text(self):
        """The whole page."""
        return "\n\n".join(self._blocks) + "\n"


def table(frame, numbers=()):
    """The DataFrame as a Markdown table; the columns named in `numbers` are set to the right."""
    lines = [
        [_cell(column) for column in frame.columns],
        ["---:" if column in numbers else "---" for column in frame.columns],
    ]
    lines += [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def leaves(value, name=""):
    """(dotted key, value as JSON) of all leaves of a nested dict, by key; lists are leaves."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from leaves(value[key], "{}.{}".format(name, key) if name else key)
    else:
        yield name, json.dumps(value, sort_keys=True)


def _cell(value):
    return str(value).replace("|", "\\|").replace("\n", " ")
