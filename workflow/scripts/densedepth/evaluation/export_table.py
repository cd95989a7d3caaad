"""What `export_matrix` has found of the exports of a network, as tables. No TensorFlow is loaded to read it."""

from typing import Any, Dict, List, Tuple

from .. import markdown
from ..metadata import COUNT, Map, Number
from .metric_table import METRICS

# The file exports.json, as far as tables are made of it.
SCHEMA = {
    "source": {"path": str},
    "frozen": {"metrics": Map({"delta1": Number(0)}), "images_per_second": Number(0), "bytes": COUNT},
    "exports": Map(
        {
            "numbers": str,
            "versions": Map(str),
            "refused?": str,
            "bytes?": COUNT,
            "images_per_second?": Number(0),
            "difference_m?": {"largest": Number(0), "mean": Number(0)},
            "metrics?": Map({"delta1": Number(0)}),
        }
    ),
    "limits": {"metres": Number(0), "delta1": Number(0)},
    "images": {"compared": COUNT, "scored": COUNT, "calibration": COUNT},
}
_HEAD = (
    "export",
    "numbers",
    "largest, mean difference (m)",
    "loss of δ1",
    "size (MB)",
    "images/s",
    "made by",
    "verdict",
)


def verdict(row: Dict[str, Any]) -> str:
    """What was decided of an export, in a line."""
    if "refused" in row:
        return "refused: " + row["refused"]
    if "difference_m" not in row:
        return "converted, not run here"
    return "the same network: depth at most {largest:.1e} m off, {mean:.1e} m in the mean".format(**row["difference_m"])


def overview(found: Dict[str, Any]) -> str:
    """A table of the frozen graph and its exports, a row each: differences, size, speed and verdict."""
    frozen = found["frozen"]
    rate = "{images_per_second:.1f}".format(**frozen)
    rows: List[Tuple[Any, ...]] = [("frozen graph", "float32", "", "", _megabytes(frozen["bytes"]), rate, "", "")]
    rows += [_row(kind, row, frozen) for kind, row in found["exports"].items()]
    return markdown.table(_HEAD, rows)


def table(found: Dict[str, Any]) -> str:
    """The page `exports.md` of what `make` has found."""
    frozen = found["frozen"]
    lines = [
        "# Exports of {}".format(found["source"]["path"]),
        "Depth on {compared} test images, metrics on {scored}; calibration by {calibration} training images. Speeds "
        "are of one image at a time, measured in turns on this machine.".format(**found["images"]),
        "An export is written where it is the same network: float32 within {metres:g} m of the frozen graph's depth, "
        "the others with delta1 at most {delta1:g} lower.".format(**found["limits"]),
    ]
    blocks = ["\n\n".join(lines), overview(found)]
    for protocol, before in frozen["metrics"].items():
        keys = [metric for metric in METRICS if before.get(metric.key) is not None]
        figures = [("frozen graph", before)] + [
            (kind, row["metrics"][protocol]) for kind, row in found["exports"].items() if "metrics" in row
        ]
        cells = [(name, *("{:.4f}".format(one[metric.key]) for metric in keys)) for name, one in figures]
        blocks.append("## Protocol {}".format(protocol))
        blocks.append(markdown.table(("export", *(metric.heading for metric in keys)), cells))
    return "\n\n".join(blocks) + "\n"


def _row(kind, row, frozen):
    off = row.get("difference_m")
    rate = row.get("images_per_second")
    lost = [frozen["metrics"][name]["delta1"] - one["delta1"] for name, one in row.get("metrics", {}).items()]
    return (
        kind,
        row["numbers"],
        "{largest:.1e}, {mean:.1e}".format(**off) if off else "",
        # Without a minus in front of nothing.
        "{:.4f}".format(round(max(lost), 4) + 0.0) if lost else "",
        _megabytes(row["bytes"]) if "bytes" in row else "",
        "{:.1f} ({:.2f} x)".format(rate, rate / frozen["images_per_second"]) if rate else "",
        ", ".join("{} {}".format(*one) for one in sorted(row["versions"].items())),
        "**refused**: " + row["refused"] if "refused" in row else verdict(row).partition(":")[0],
    )


def _megabytes(count):
    return "{:.1f}".format(count / 1e6)
