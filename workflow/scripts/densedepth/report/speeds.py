"""The report's speeds: of training, and of inference by the graphs that were made of the runs."""

import statistics
from typing import Tuple

from . import published_results, wording
from .findings import Findings
from .page import BLANK, Page, plain


def add(page: Page, findings: Findings) -> None:
    """Add the section on the speed of training and inference."""
    networks = findings.imported + findings.runs
    if findings.runs or any(run.graphs() for run in networks):
        page.add("## Performance")
    if findings.runs:
        _training_speeds(page, findings)
    _inference(page, networks)


def _training_speeds(page, findings):
    rows = [
        (
            speed.name,
            speed.device,
            speed.network,
            wording.size(speed.size),
            speed.batch,
            speed.devices,
            speed.precision,
            "{:.0f}".format(speed.step_ms),
            "{:.1f}".format(speed.images_per_second),
            "reference",
        )
        for speed in published_results.SPEEDS
    ]
    for run in findings.runs:
        rows.append(_training_speed(run))
    columns: Tuple[str, ...] = ("training", "device", "network", "input", "batch per device", "devices", "arithmetic")
    columns += ("ms/step", "images/s", "comparable")
    page.add_table(rows, columns, numbers=("batch per device", "devices", "ms/step", "images/s"))
    page.add(
        "The figures of a run are the medians of its checkpoints' segments, each the median step after warm-up. Only "
        "rows equal in network, input, batch and devices compare, and then they compare machines as well as programs. "
        "Reference: the README of the port; images/s = batch / step time."
    )
    for run in findings.runs:
        skipped = sum(side.get("performance", "skipped_steps", default=0) for side in run.checkpoints.values())
        if skipped:
            steps = wording.last_checkpoint(run).get("global_step")
            page.add("Loss scaling left out {} of the {} steps of run {}.".format(skipped, steps, run.name))
    _measured(page, [run for run in findings.runs if run.speed is not None])


def _inference(page, runs):
    """The speed of the graphs that were made of the runs."""
    rows = [(run.label, name) + _speed(graph) for run in runs for name, graph in run.graphs()]
    if not rows:
        return
    columns: Tuple[str, ...] = ("inference", "graph", "device", "input", "batch", "forward passes", "ms/image")
    columns += ("p50", "p90", "p99", "images/s", "flip-averaged images/s")
    page.add_table(rows, columns, numbers=columns[4:])
    page.add(
        "One forward pass of one image, after warm-up, without reading, resizing and metrics; p50, p90 and p99 are "
        "percentiles of the time of a batch in ms. A flip-averaged depth map, as the precision table uses it, takes "
        "two passes.{}",
        _NO_SPEED if any(_untimed(graph) for run in runs for _, graph in run.graphs()) else "",
    )


_NO_SPEED = " An OM file that msame has run has no speed here: msame prints it; ais_bench tells it."


def _untimed(graph):
    return graph.get("source", "kind") == "om" and not graph.get("speed", default=None)


def _speed(graph):
    soc = graph.get("source", "soc_version", default=None)
    device = plain(soc) if soc else wording.device(graph)
    where = (device, wording.size(graph.get("source", "size", default=None)))
    if _untimed(graph):
        return where + (BLANK,) * 8
    rate, batches = graph.number("speed", "images_per_second"), graph.get("speed", "batch_ms", default={})
    passed = tuple("{:.1f}".format(batches[name]) if name in batches else BLANK for name in ("p50", "p90", "p99"))
    return (
        where
        + (graph.get("speed", "batch_size"), graph.get("speed", "images"))
        + ("{:.1f}".format(graph.number("speed", "ms_per_image")),)
        + passed
        + ("{:.2f}".format(rate), "{:.2f}".format(rate / 2))
    )


def _training_speed(run):
    timed = [side for side in run.checkpoints.values() if side.get("performance", "step_ms", default=None) is not None]
    side = wording.last_checkpoint(run)
    network, size = wording.network(side.get("model")), side.get("size")
    batch, devices = side.get("performance", "batch_size"), side.get("performance", "world_size")
    step = images = BLANK
    if timed:
        step = "{:.0f}".format(statistics.median(t.number("performance", "step_ms") for t in timed))
        images = "{:.2f}".format(statistics.median(t.number("performance", "images_per_second") for t in timed))
    alike = [
        s
        for s in published_results.SPEEDS
        if network.startswith(s.network) and (tuple(size), batch, devices) == (s.size, s.batch, s.devices)
    ]
    precision = side.get("performance", "precision", default="float32")
    comparable = "yes" if alike and timed else "no"
    return (
        run.name,
        wording.device(side),
        network,
        wording.size(size),
        batch,
        devices,
        precision,
        step,
        images,
        comparable,
    )


def _measured(page, runs):
    """The speeds of training that were measured by themselves, with scaling against one device."""
    if not runs:
        return
    rows = []
    for run in runs:
        number = run.speed.number
        per_device = number("performance", "images_per_second_per_device")
        scaling = run.speed.get("performance", "scaling_efficiency", default=None)
        rows.append(
            (
                run.name,
                wording.device(run.speed),
                wording.size(run.speed.get("size")),
                run.speed.get("performance", "batch_size"),
                run.speed.get("performance", "world_size"),
                run.speed.get("performance", "timed_steps"),
                "{:.0f}".format(number("performance", "step_ms")),
                "{:.2f}".format(number("performance", "images_per_second")),
                "{:.2f}".format(per_device),
                BLANK if scaling is None else "{:.0f} %".format(100 * scaling),
                "{:.0f} MB".format(number("performance", "peak_memory_mb")),
            )
        )
    columns: Tuple[str, ...] = ("measured", "device", "input", "batch per device", "devices", "steps", "ms/step")
    columns += ("images/s", "images/s per device", "scaling", "memory")
    page.add_table(rows, columns, numbers=columns[3:])
    page.add(
        "Measured by `snakemake train_performance_<run>`: the median step after warm-up. Scaling: images/s per device "
        "against the run of one device with the same network, input, batch and machine. Memory: the peak of one "
        "process on its host, without that of a GPU or NPU."
    )
