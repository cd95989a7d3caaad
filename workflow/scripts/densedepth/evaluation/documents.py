"""An evaluation document as text: lines for the terminal and `evaluate.log`, and a .csv file of the images' scores.

Documents are made by `scoring`; no TensorFlow is loaded to read one.
"""

import csv
import os
from typing import Any, Dict, List, Optional

from .. import files, metadata
from ..errors import PipelineError
from ..file_names import of_image
from . import metrics
from .metric_table import BY_KEY, MORE

# What an evaluation says of each protocol.
_OF_PROTOCOL = ("protocol", "metrics", "per_image", "by_distance")
# The first of a .csv file.
_COLUMNS = ("protocol", "index", "pixels")


def blocks(document: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """{name: block} of all protocols in an evaluation document, `port` first where it is there."""
    found = {}
    if "protocol" in document:
        found["port"] = {key: document[key] for key in _OF_PROTOCOL if key in document}
    found.update(document.get("protocols", {}))
    return found


def figures(document: Dict[str, Any]) -> str:
    """The six figures of the reference port as two lines of text: its own names, and values.

    As there, rel is AbsRel divided by the prediction, rms is the RMSE pooled over all pixels.
    """
    names = ("delta1", "delta2", "delta3", "rel", "rms", "log_10")
    keys = ("delta1", "delta2", "delta3", "rel_prediction", "rms_pooled", "log10")
    values = ["{:.4f}".format(document["metrics"][key]) for key in keys]
    return "\n".join(", ".join("{:>10}".format(word) for word in words) for words in (names, values))


def append_log(path: str, document: Dict[str, Any]) -> None:
    """Append what was evaluated and its `figures` to the text file `path`, in one write.

    So evaluations that end at the same time cannot mix their lines. Without the protocol `port` nothing is written.
    """
    if "metrics" not in document:
        return
    source = document["source"]
    block = "{} (epoch {}, step {}) on {} images of {}\n{}\n".format(
        source["path"],
        source["epoch"],
        source["global_step"],
        document["protocol"]["images"],
        document["test_data"]["path"],
        figures(document),
    )
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, block.encode("utf-8"))
    finally:
        os.close(descriptor)


def write_csv(path: str, document: Dict[str, Any]) -> None:
    """Write the scores of each image by each protocol, a row for both: protocol, index, pixels, scores, bias in metres.

    Then those of `metric_table.MORE` that were measured; the images' names are the last column, where they have some.
    """
    there = {key for block in blocks(document).values() for image in block["per_image"] for key in image}
    columns = [*_COLUMNS, *metrics.IMAGE_NAMES, "bias"]
    columns += [key for key in [metric.key for metric in MORE] + ["name"] if key in there]
    with files.atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        for name, block in blocks(document).items():
            pixels = block["protocol"]["pixels_per_image"]
            for image in block["per_image"]:
                writer.writerow(dict({"protocol": name, "pixels": pixels}, **image))


def check_replaceable(json_path: Optional[str], csv_path: Optional[str]) -> None:
    """Raise PipelineError where one of the files to write is there and is no evaluation: it would be lost."""
    for path in filter(os.path.lexists, filter(None, (json_path, csv_path))):
        try:
            if path == json_path:
                metadata.read(path, {"source": {}, "test_data": {}})
                continue
            with open(path, encoding="utf-8") as stream:
                if stream.readline().startswith(",".join(_COLUMNS)):
                    continue
        except (PipelineError, OSError, ValueError):
            pass
        raise PipelineError("{}: is there and is no evaluation; rename it, or give another name".format(path))


def extremes(document: Dict[str, Any], count: int = 3) -> List[str]:
    """Lines that name the images of the smallest and the largest RMSE by each protocol."""
    lines = []
    for name, block in blocks(document).items():
        ranked = sorted(block["per_image"], key=lambda image: (image["rms"], image["index"]))
        for word, images in (("best", ranked[:count]), ("worst", ranked[::-1][:count])):
            shown = ", ".join("{} ({:.3f} m)".format(of_image(image), image["rms"]) for image in images)
            lines.append("{}, {} by RMSE: {}".format(name, word, shown))
    return lines


def lines(document: Dict[str, Any]) -> List[str]:
    """One line for each protocol: its name and its figures, with their conventions."""
    found = []
    for name, block in blocks(document).items():
        averaging = "mean over images" if block["protocol"].get("averaging") == "image" else "pooled"
        scores = [(m.plain_title, block["metrics"].get(m.key)) for m in BY_KEY.values()]
        found.append(
            "{} ({}): {}".format(
                name, averaging, ", ".join("{} {:.4f}".format(*one) for one in scores if one[1] is not None)
            )
        )
    return found
