"""From a `page.Page` to Markdown and to HTML, by the templates in `templates`.

Both walk the same blocks. The Markdown links to images; the HTML has everything inside and needs no other file. All
that comes from Python is escaped in HTML but for what `inline` makes of the report's little Markdown.
"""

import os
import re
from typing import Any, Dict
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from ..web.parts import FOLDER as SHARED
from . import scenes
from .page import Page

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")

_LOADER = jinja2.FileSystemLoader([FOLDER, SHARED])
_OPTIONS: Dict[str, Any] = {
    "loader": _LOADER,
    "undefined": jinja2.StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
}


def markdown(page: Page, folder: str) -> str:
    """The page as Markdown; its links are relative to `folder`, where it will lie."""
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True, **_OPTIONS)
    environment.filters.update(
        cell=cell,
        alternative=lambda caption: caption.replace("[", "(").replace("]", ")"),
        link=lambda path: quote(os.path.relpath(os.path.abspath(path), folder).replace(os.sep, "/")),
    )
    return environment.get_template("report.md").render(blocks=page.blocks)


def html(page: Page, title: str) -> str:
    """The page as HTML with its style, scripts and images inside, below `title` in the browser's bar."""
    environment = jinja2.Environment(autoescape=True, keep_trailing_newline=True, **_OPTIONS)
    environment.filters.update(block=block, inline=inline, anchor=anchor, file=scenes.file_as_text, scene=scenes.read)
    environment.filters.update(text=scenes.content_as_text)
    # Not parsed as templates: braces in them are their own.
    environment.globals.update(source=lambda name: Markup(_LOADER.get_source(environment, name)[0]))
    parts = [one.text[3:] for one in page.blocks if one.kind == "text" and one.text.startswith("## ")]
    return environment.get_template("report.html").render(title=title, parts=parts, blocks=page.blocks)


def cell(value: Any) -> str:
    """A value in a Markdown table, which it cannot break."""
    return " ".join(str(value).splitlines()).replace("|", "\\|")


def block(text: str) -> Markup:
    """A heading, a quote or a paragraph of Markdown as HTML."""
    heading = re.match(r"(#{1,3}) (.*)$", text)
    if heading:
        level, words = len(heading.group(1)), heading.group(2)
        return Markup('<h{0} id="{1}">{2}</h{0}>').format(level, anchor(words), inline(words))
    if text.startswith("> "):
        return Markup("<blockquote>{}</blockquote>").format(inline(text[2:]))
    return Markup("<p>{}</p>").format(inline(text).replace("\n", Markup("<br>\n")))


def anchor(heading: str) -> str:
    """What links to this heading of the page name: its letters and digits."""
    return "-".join(re.findall(r"\w+", heading.lower()))


# Code in any number of backticks, and a sign that is none of Markdown's.
_LITERAL = re.compile(
    r"(?<!`)(?P<fence>`+)(?!`)(?P<code>.+?)(?<!`)(?P=fence)(?!`)|\\(?P<sign>[!-/:-@\[-`{-~])", re.DOTALL
)


def inline(text: str) -> Markup:
    """Code, bold, emphasis and links of Markdown as HTML; everything else as it is written."""
    kept = []

    def keep(found):
        inside = found.group("code")
        kept.append(escape(found.group("sign")) if inside is None else _code(inside))
        return "\0{}\0".format(len(kept) - 1)

    # Set aside first, so that bold text may have code in it, and code stars.
    marked = _marked(_LITERAL.sub(keep, str(text).replace("\0", "")))
    return Markup(re.sub("\0(\\d+)\0", lambda found: kept[int(found.group(1))], marked))


def _code(text):
    if text.startswith(" ") and text.endswith(" ") and text.strip():
        text = text[1:-1]
    return Markup("<code>{}</code>").format(text)


def _marked(text):
    text = str(escape(text)).replace("&#34;", '"').replace("&#39;", "'")
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", r"<em>\1</em>", text)
    return re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r'<a href="\2">\1</a>', text)
