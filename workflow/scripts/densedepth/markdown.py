"""Tables in Markdown."""

from typing import Any, Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table of cells that are text or become it; a bar in a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| {} |".format(" | ".join(str(cell).replace("|", "\\|") for cell in line)) for line in lines)
