"""The metrics that were asked for: tables of their own, apart by alignment, and no column that nobody has."""

import re

from result_files import rows_of


def test_without_any_the_page_does_not_speak_of_them(nyu):
    assert "More metrics" not in nyu.make()


def test_tables_by_part_and_alignment(nyu):
    nyu.add_external("theirs", silog=9.5, normal_mean=20.25, plane_flatness=None)
    nyu.add_external("relative", "median", silog=8.5)
    nyu.add_external("without", "scale")
    text = nyu.make()
    rows = [row for row in rows_of(text, "More metrics") if not row[0].startswith("-")]
    assert [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in rows] == [
        ["Single pixels", "SILog ↓"],
        ["`theirs`", "9.5000"],
        ["Surfaces", "Normals ↓ [°]"],
        ["`theirs`", "20.2500"],
        ["Single pixels", "SILog ↓"],
        ["`relative`", "8.5000"],
    ]
    part = text.partition("## More metrics")[2].partition("\n## ")[0]
    assert re.findall("^### .* \\(alignment `(.*)`\\)$", part, re.M) == ["none", "median"]
