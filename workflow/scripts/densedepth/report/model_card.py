"""The model card of a network: what it is, what it was trained on, how good it is and what it is not for.

Markdown with the metadata of Hugging Face's hub in front (https://huggingface.co/docs/hub/model-cards), made from JSON
files alone. What the results do not know, such as licences, comes from the settings or is called unknown.
"""

import json
import os
from typing import Dict, NamedTuple, Optional, Sequence

from .. import files, markdown, metadata
from ..evaluation import documents, export_table, statistics
from ..evaluation.metric_table import METRICS
from . import wording
from .findings import Document
from .inputs import NYU, SAMPLE, kind_of
from .page import BLANK, code, plain

_SIDE = {"sha256": metadata.SHA256, "bytes": metadata.COUNT}
_CAMERAS = {
    SAMPLE: "The synthetic images are those of NYU Depth v2's camera: 63 degrees wide.",
    NYU: "The test images are of NYU Depth v2's camera (a Kinect, 63 degrees wide).",
}
_DATA_NAMES = {SAMPLE: "synthetic rooms of the embedded sample", NYU: "NYU Depth v2"}


class Sources(NamedTuple):
    """What a card is made from.

    frozen: evaluation of the frozen graph; baseline: that of the constant depth; checkpoint: `model.json` of what was
    frozen; data: of the training records, None for a pretrained network; exports: the metadata files of the exported
    files; settings: `license`, `data_license` and `data_name`, each of which may be empty; proved: exports.json, what
    was found of the exports for other runtimes, None where they have not been made.
    """

    frozen: Document
    baseline: Document
    checkpoint: Document
    data: Optional[Document]
    exports: Sequence[Document]
    settings: Dict[str, str]
    proved: Optional[Document]


def read(
    frozen: str,
    baseline: str,
    checkpoint: str,
    data: Optional[str],
    exports: Sequence[str],
    settings: Dict[str, str],
    proved: Optional[str],
) -> Sources:
    """The `Sources` in these JSON files. Raises PipelineError for one that is missing or damaged."""
    measured, constant, trained = (Document(path, files.read_json(path)) for path in (frozen, baseline, checkpoint))
    records = Document(data, files.read_json(data)) if data else None
    found = [Document(path, metadata.read(path, _SIDE)) for path in exports]
    others = Document(proved, metadata.read(proved, export_table.SCHEMA)) if proved else None
    return Sources(measured, constant, trained, records, found, settings, others)


def write(sources: Sources, name: str, out: str) -> None:
    """Write the card of the network `name` to the file `out`; equal sources give equal bytes."""
    blocks = [_metadata(sources, name), "# {}".format(plain(name)), _introduction(sources)]
    for title, texts in (
        ("Use", _use(sources, os.path.dirname(os.path.abspath(out)))),
        ("Limits", _limits(sources)),
        ("Training", _training(sources)),
        ("Evaluation", _evaluation(sources)),
        ("Files", _files(sources, os.path.dirname(os.path.abspath(out)))),
    ):
        blocks += ["## " + title, *texts]
    files.write_text(out, "\n\n".join(blocks) + "\n")


def _metadata(sources, name):
    """The YAML in front; texts as JSON, which YAML reads."""
    block = documents.blocks(sources.frozen.content)
    figures = [
        {"type": metric.key, "name": "{} ({})".format(metric.title, protocol), "value": one["metrics"][metric.key]}
        for protocol, one in block.items()
        for metric in METRICS
        if one["metrics"].get(metric.key) is not None
    ]
    kind = _kind(sources)
    lines = [
        "---",
        "license: {}".format(json.dumps(sources.settings["license"] or "unknown")),
        "library_name: tensorflow",
        "pipeline_tag: depth-estimation",
        "tags:",
        *(
            "- {}".format(tag)
            for tag in ("depth-estimation", "monocular-depth", "densedepth", _model(sources)["encoder"])
        ),
        "metrics:",
        *("- {}".format(metric.key) for metric in METRICS),
        "model-index:",
        "- name: {}".format(json.dumps(name)),
        "  results:",
        "  - task:",
        "      type: depth-estimation",
        "      name: Monocular depth estimation",
        "    dataset:",
        "      type: {}".format(json.dumps({NYU: "nyu_depth_v2", SAMPLE: "synthetic"}.get(kind, "custom"))),
        "      name: {}".format(json.dumps(_data_name(sources), ensure_ascii=False)),
        "      split: test",
        "    metrics:",
    ]
    for figure in figures:
        lines.append("    - type: {}".format(figure["type"]))
        lines.append("      name: {}".format(json.dumps(figure["name"], ensure_ascii=False)))
        lines.append("      value: {}".format(json.dumps(round(figure["value"], 6))))
    return "\n".join([*lines, "---"])


def _kind(sources):
    return kind_of(sources.data, sources.baseline)


def _model(sources):
    return sources.checkpoint.get("model")


def _data_name(sources):
    kind = _kind(sources)
    return sources.settings["data_name"] or _DATA_NAMES.get(kind, "custom RGB-D pairs")


def _introduction(sources):
    words = (
        "DenseDepth ([arXiv 1812.11941](https://arxiv.org/abs/1812.11941)): depth in metres for each pixel of one RGB "
        "image. Network: {}; input {}.".format(
            wording.network(_model(sources)), wording.size(sources.checkpoint.get("size"))
        )
    )
    if _kind(sources) == SAMPLE:
        words += (
            "\n\n> **Not a usable depth model**: it has seen synthetic rooms for a few minutes, to show that every "
            "stage of the pipeline works."
        )
    return words


def _use(sources, folder):
    graph = next((one for one in sources.exports if one.path.endswith(".pb.json")), None)
    path = "model.pb" if graph is None else os.path.relpath(os.path.abspath(graph.path), folder)[: -len(".json")]
    return [
        "Input: (images, height, width, 3) float32, RGB in 0..1, without ImageNet's mean and deviation. Output: at "
        "half the size, 1000 / depth in centimetres; depth in metres is 10 / output, clipped to the range below.",
        "    import densedepth\n\n    metres = densedepth.load({}).predict(rgb)      # uint8 (height, width, 3)".format(
            json.dumps(path)
        ),
    ]


def _limits(sources):
    nearest, farthest = sources.frozen.get("source", "depth_range", default=None) or (10, 1000)
    kind = _kind(sources)
    return [
        "- Depth from {:g} to {:g} m. Beyond, and in scenes unlike those of the training, it means nothing.\n"
        "- {} With a longer or shorter lens, depths are off by about the ratio of the focal lengths.\n"
        "- Mirrors, glass, images taken at night and surfaces without texture are where such networks fail; the "
        "metrics say nothing of single pixels. Not for use where a wrong depth harms.".format(
            nearest / 100,
            farthest / 100,
            _CAMERAS.get(kind, "The camera is that of the training images; the results do not know it."),
        )
    ]


def _training(sources):
    if sources.data is None:
        weights = sources.checkpoint.get("weights", default={})
        return [
            "Not trained here: imported from {} (SHA-256 {}). Licence of its training data: {}.".format(
                code(weights.get("path", "?")), code(weights.get("sha256", "?")), _data_license(sources)
            )
        ]
    archive = sources.data.get("archive")
    training = sources.checkpoint.get("training", default={})
    words = "Pairs: {:,} of {} ({}). Licence of the data: {}.".format(
        sources.data.get("records"), code(archive["path"]), plain(_data_name(sources)), _data_license(sources)
    )
    rows = [
        ("epoch, step", "{}, {}".format(sources.checkpoint.get("epoch"), sources.checkpoint.get("global_step"))),
        ("batch", training.get("batch_size", BLANK)),
        ("learning rate, factor per epoch", "{}, {}".format(*map(training.get, ("learning_rate", "lr_decay")))),
        ("loss", (training.get("recipe") or {}).get("loss", BLANK)),
        ("initial weights", code(sources.checkpoint.get("weights", default=None) or "random")),
        ("versions", plain(wording.runtime(sources.checkpoint.get("runtime")))),
    ]
    return [words, markdown.table(("", ""), rows)]


def _data_license(sources):
    if sources.settings["data_license"]:
        return plain(sources.settings["data_license"])
    return "drawn by this project, none needed" if _kind(sources) == SAMPLE else "unknown"


def _evaluation(sources):
    texts = []
    for protocol, block in documents.blocks(sources.frozen.content).items():
        intervals = statistics.intervals(block) if len(block["per_image"]) >= statistics.FEWEST else {}
        constant = documents.blocks(sources.baseline.content).get(protocol, {}).get("metrics", {})
        rows = [
            (
                metric.heading,
                wording.score(block["metrics"][metric.key]),
                "{} to {}".format(*map(wording.score, intervals[metric.key])) if metric.key in intervals else BLANK,
                wording.score(constant[metric.key]) if constant.get(metric.key) is not None else BLANK,
            )
            for metric in METRICS
            if block["metrics"].get(metric.key) is not None
        ]
        facts = block["protocol"]
        texts.append(
            "The frozen graph on {} test images, protocol {}{}; the interval is a 95 % bootstrap over the images, the "
            "constant is one depth for all pixels.".format(
                facts["images"], code(protocol), ", mean with the mirrored image" if facts.get("flip_average") else ""
            )
        )
        texts.append(markdown.table(("metric", "network", "95 % interval", "constant"), rows))
    speed = sources.frozen.get("speed", default=None)
    if speed:
        texts.append(
            "Speed: {:.1f} images/s, batch {} ({}).".format(
                speed["images_per_second"], speed["batch_size"], wording.device(sources.frozen)
            )
        )
    return texts


def _files(sources, folder):
    rows = []
    for one in sources.exports:
        name = os.path.relpath(os.path.abspath(one.path), folder)[: -len(".json")]
        parity = one.get("parity", default={})
        off = "{:.1e} m".format(parity["metres"]) if "metres" in parity else BLANK
        rows.append((code(name), "{:.1f} MB".format(one.get("bytes") / 1e6), off, code(one.get("sha256"))))
    texts = [markdown.table(("file", "size", "largest difference from the frozen graph", "SHA-256"), rows)]
    if sources.proved:
        words = (
            "In `exports/`, for other runtimes; depth is compared with the frozen graph's on {compared} test images, "
            "metrics on {scored}, all of which `exports.md` has. Speeds are of one image at a time, measured in turns."
        )
        texts += [words.format(**sources.proved.get("images")), export_table.overview(sources.proved.content)]
    return texts
