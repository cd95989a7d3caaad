"""The report as blocks in reading order; `render` turns them into Markdown and HTML by templates.

Texts, captions and cells are the little Markdown that `render.inline` knows. What a user has named goes in by `code` or
`plain`, so that no name changes the page.
"""

import dataclasses
import os
import re
from typing import Any, ClassVar, List, NamedTuple, Sequence, Tuple

from ..errors import PipelineError

# Longer tables are behind a title to click on.
LONGEST = 40

# A cell without a value.
BLANK = "-"


@dataclasses.dataclass(frozen=True)
class Text:
    """A heading, a quote or a paragraph."""

    text: str
    kind: ClassVar[str] = "text"


@dataclasses.dataclass(frozen=True)
class Table:
    """`rows` as long as `columns`; the columns named in `numbers` are set to the right.

    Where it is `sortable`, a click on a column's head orders the rows of the HTML page by it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numbers: Sequence[str]
    sortable: bool = False
    kind: ClassVar[str] = "table"

    @property
    def right(self) -> List[bool]:
        """For each column, whether it is set to the right."""
        return [column in self.numbers for column in self.columns]


@dataclasses.dataclass(frozen=True)
class Fold:
    """What follows, until `EndFold`, is behind a title to click on."""

    title: str
    kind: ClassVar[str] = "fold"


@dataclasses.dataclass(frozen=True)
class EndFold:
    kind: ClassVar[str] = "end of fold"


@dataclasses.dataclass(frozen=True)
class Picture:
    path: str
    caption: str
    kind: ClassVar[str] = "picture"


class View(NamedTuple):
    """A scene as one network sees it: its `picture`, and the file with its depth maps (see `gallery`)."""

    network: str
    picture: str
    data: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Scene:
    """A scene of a gallery, with a column for each network."""

    caption: str
    views: Sequence[View]
    kind: ClassVar[str] = "scene"


class Sheet(NamedTuple):
    """A JPEG file of thumbnails of `size` (height, width), see `thumbnails`."""

    jpeg: bytes
    size: Tuple[int, int]


class Thumbnail(NamedTuple):
    """A cell of a table: a place on one of the sheets that belong to it."""

    sheet: int
    place: int


@dataclasses.dataclass(frozen=True)
class Images:
    """A table with thumbnails behind a title to click on; pages that cannot move say only that there is one."""

    title: str
    table: Table
    sheets: Sequence[Sheet]
    note: str
    kind: ClassVar[str] = "images"


class Page:
    """Collects `blocks`."""

    def __init__(self) -> None:
        self.blocks: List[Any] = []
        self._folded = False

    def add(self, text: str, *values: Any) -> None:
        """A block of Markdown; with `values`, put into `text` as by `str.format`."""
        self.blocks.append(Text(text.format(*values) if values else text))

    def add_table(self, rows: Sequence[Sequence[Any]], columns: Sequence[str], numbers: Sequence[str] = ()) -> None:
        """A table of `rows` (tuples); the columns named in `numbers` are set to the right.

        One of more than `LONGEST` rows is folded: it would bury the rest of the page.
        """
        if len(rows) > LONGEST and not self._folded:
            self.fold("Table of {} rows".format(len(rows)))
            self.blocks.append(Table(columns, rows, numbers))
            self.end_fold()
        else:
            self.blocks.append(Table(columns, rows, numbers))

    def add_sortable(self, rows: Sequence[Sequence[Any]], columns: Sequence[str], numbers: Sequence[str] = ()) -> None:
        """As `add_table`; readers of the HTML page may order the rows."""
        self.blocks.append(Table(columns, rows, numbers, sortable=True))

    def add_folded(self, title: str, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> None:
        """A table behind a title to click on: a long one would bury the rest of the page."""
        self.fold(title)
        self.add_table(rows, columns)
        self.end_fold()

    def fold(self, title: str) -> None:
        """What follows, until `end_fold`, is behind a title to click on."""
        self.blocks.append(Fold(title))
        self._folded = True

    def end_fold(self) -> None:
        self.blocks.append(EndFold())
        self._folded = False

    def add_picture(self, path: str, caption: str) -> None:
        """An image with its caption below. Raises PipelineError when there is no such file."""
        self._check(path)
        self.blocks.append(Picture(path, caption))

    def add_scene(self, caption: str, views: Sequence[View]) -> None:
        """A scene of a gallery; its depths show on pages that can move only. Raises PipelineError as `add_picture`."""
        for view in views:
            self._check(view.picture)
            self._check(view.data)
        self.blocks.append(Scene(caption, views))

    def add_images(self, images: Images) -> None:
        """A table of images."""
        self.blocks.append(images)

    @staticmethod
    def _check(path):
        if not os.path.isfile(path):
            raise PipelineError("{}: no such image, though the report shows it".format(path))


def code(value: Any) -> str:
    """`value` as code, whatever signs it has: in more backticks than it has in a row."""
    text = " ".join(str(value).splitlines())
    fence = "`" * (1 + max([len(run) for run in re.findall("`+", text)] or [0]))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return fence + space + text + space + fence


def plain(value: Any) -> str:
    """`value` as text in which no sign means anything to Markdown."""
    return re.sub(r"[\\`*<>&\[\]]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(str(value).splitlines()))
