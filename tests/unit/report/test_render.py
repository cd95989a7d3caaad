"""The page as Markdown and HTML."""

import os
import re

import pytest
import report as program
from densedepth.report import page, render


@pytest.mark.curves
def test_the_page_in_one_file_says_the_same(sample):
    page = os.path.join(sample.root, "results", "report.html")
    assert program.main(sample.command() + ["--html", page]) == 0
    with open(page, encoding="utf-8") as stream:
        text = stream.read()
    for heading in ("Precision", "Verdicts", "Published results", "Curves", "Gallery", "Settings"):
        place = heading.lower().replace(" ", "-")
        assert '<h2 id="{}">{}</h2>'.format(place, heading) in text and '<a href="#{}">'.format(place) in text
    assert text.count('class="scene"') == 2 and text.count('src="data:image/png') == 2
    # Nothing comes from elsewhere; links to sources are only links.
    assert not re.search(r'(src|href)="(?!data:|https://|#)', text) and 'src="http' not in text
    assert "<script src" not in text and "@import" not in text and text.count('<tr class="best">') == 1


def test_table_cells_cannot_break_the_table():
    made = page.Page()
    made.add_table([("a|b", "c\nd")], ("x", "y"), numbers=("y",))
    assert render.markdown(made, ".") == "| x | y |\n| --- | ---: |\n| a\\|b | c d |\n"


NAMES = ("a|b`c", "`", "``x``", "<script>alert(1)</script>", "a*b*", "_a_", "[a](https://b.c)", "&amp;", "x\ny", "\\*")


@pytest.mark.parametrize("name", NAMES)
def test_no_name_changes_the_page(name):
    """As code or as plain text a name shows as it is, but on one line, in Markdown and in HTML."""
    shown = " ".join(name.splitlines())
    assert render.inline(page.code(name)).unescape() == "<code>{}</code>".format(shown)
    assert render.inline(page.plain(name)).unescape() == shown
    for text in (page.code(name), page.plain(name)):
        assert str(render.inline("**" + text + "**")) == "<strong>{}</strong>".format(render.inline(text))
    made = page.Page()
    made.add("Of {}.", page.code(name))
    made.add_table([(page.plain(name), page.code(name))], ("x", "y"))
    text = render.html(made, name)
    assert "<script>alert" not in text and text.count("<td>") == 2 and "<em>" not in text and "<a " not in text
    assert len(render.markdown(made, ".").splitlines()) == 5
