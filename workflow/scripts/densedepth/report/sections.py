"""The report: all results of the pipeline on one Markdown page with pictures, complete on a code-hosting page.

Links are relative to the page's folder. Nothing in it depends on the time or the machine it is written on.
"""

import json
import os
import statistics

from .. import files
from ..errors import PipelineError
from ..evaluation import metrics
from ..file_names import of_image
from . import curves, html_page, published_results
from .inputs import NYU, SAMPLE, data_kind
from .markdown import BLANK, Page, leaves


def write(findings, out, figures, html=None):
    """Write the page to `out` and its curves to the folder `figures`; `findings` as made by `inputs.gather`.

    `html` is a file for the same page in HTML that needs no other file.
    """
    pages = {out: Page(os.path.dirname(os.path.abspath(out)))}
    if html:
        pages[html] = html_page.Page("DenseDepth: results")
    _draw_curves(findings, figures)
    for page in pages.values():
        _fill(page, findings, figures)
    for path, page in pages.items():
        files.write_text(path, page.text())


def _fill(page, findings, figures):
    _introduction(page, findings)
    _precision(page, findings)
    _verdicts(page, findings)
    # Where the runs have a place among them, that is news; else the published results are only for orientation.
    nyu = data_kind(findings) == NYU
    if nyu:
        _field(page, findings)
    _performance(page, findings)
    if findings.runs:
        _curves(page, findings, figures)
    _gallery(page, findings)
    if not nyu:
        _field(page, findings)
    _settings(page, findings)
    _versions(page, findings)
    _checksums(page, findings)


def best_checkpoint(findings):
    """(run name, epoch) of the checkpoint with the highest delta1; the first in the table among equals.

    None without runs.
    """
    best, best_score = None, -1.0
    for run in findings.runs:
        for epoch, evaluation in sorted(run.evaluations.items()):
            score = evaluation.number("metrics", published_results.DECIDING)
            if score > best_score:
                best, best_score = (run.name, epoch), score
    return best


def results(findings):
    """Lines with the figures of the last checkpoint of each run, the best of all, and networks trained elsewhere."""
    lines = ["run {} epoch {} (last): {}".format(r.name, max(r.evaluations), _line(r.last())) for r in findings.runs]
    best = best_checkpoint(findings)
    if best:
        evaluation = next(run for run in findings.runs if run.name == best[0]).evaluations[best[1]]
        lines.append("run {} epoch {} (best, chosen on the test images): {}".format(*best, _line(evaluation)))
    return lines + ["{}: {}".format(name, _line(one)) for name, one in _elsewhere(findings)]


def _line(evaluation):
    return metrics.line(evaluation.get("metrics"))


def verdict(metric, value, references=published_results.REFERENCES):
    """How `value` of the published.Metric `metric` stands to its published reference, in words."""
    reference = references[metric.key]
    excess = value - float(reference.row.scores[metric.key])
    excess = -excess if metric.higher_is_better else excess
    # Half of the last digit shown more: what is printed as equal to the tolerance is within it.
    tolerance = float(reference.tolerance) + 5e-5
    if excess > tolerance:
        return "not reproduced"
    return "better" if excess < -tolerance else "reproduced"


def _introduction(page, findings):
    baseline, kind = findings.baseline, data_kind(findings)
    page.add("# DenseDepth: results")
    tested = (baseline.get("protocol", "images"), baseline.get("test_data", "path"))
    if findings.runs:
        page.add(
            "Monocular depth networks trained on {} image and depth pairs of {} and evaluated on the {} images of "
            "`{}`.",
            *(findings.data.get("records"), _archive(findings), *tested),
        )
        for run in findings.runs:
            words = "Run {}, last checkpoint (epoch {}):".format(run.name, max(run.evaluations))
            page.add(_HEADLINE, words, *_delta1(run.last().number("metrics", "delta1"), baseline))
        page.add("Gallery, verdicts, examples and exported graphs are those of the last checkpoint of each run.")
    else:
        page.add("Monocular depth networks that were trained elsewhere, evaluated on the {} images of `{}`.", *tested)
        for name, one in _elsewhere(findings):
            page.add(_HEADLINE, name + ":", *_delta1(one.number("metrics", "delta1"), baseline))
    if kind == SAMPLE:
        page.add(
            "> The figures of the embedded sample are **not comparable** with the published figures for NYU Depth v2: "
            "other pictures, other training, usually a smaller network input. They show that the pipeline works."
        )
    elif kind != NYU:
        page.add(
            "> The test images are not the {} of NYU Depth v2 with their crop and their filled truth, so the figures "
            "here are **not comparable** with the published ones.",
            published_results.TEST_IMAGES,
        )
    if findings.runs:
        _trained_here(page, findings.runs)
    if findings.imported:
        _trained_elsewhere(page, findings.imported)


_HEADLINE = (
    "**{} delta1 {} against {} of one constant depth** (the share of pixels whose depth is within 25 % of the truth)."
)


def _delta1(score, baseline):
    return _score(score), _score(baseline.number("metrics", "delta1"))


def _archive(findings):
    path = findings.data.get("archive", "path")
    words = "the embedded sample, drawn rooms in `{}`" if data_kind(findings) == SAMPLE else "`{}`"
    return words.format(path)


def _trained_here(page, runs):
    rows = []
    for run in runs:
        side = _last_checkpoint(run)
        rows.append(
            (
                run.name,
                _network(side.get("model")),
                _size(side.get("size")),
                side.get("performance", "batch_size"),
                side.get("performance", "world_size"),
                _numbers(run.evaluations),
                side.get("global_step"),
                _runtime(side.get("runtime")),
            )
        )
    columns = ("run", "network", "input", "batch per device", "devices", "evaluated epochs", "steps", "trained with")
    page.add_table(rows, columns, numbers=("batch per device", "devices", "steps"))


def _trained_elsewhere(page, imported):
    rows = []
    for run in imported:
        one = run.last()
        model = one.get("source", "model", default=None)
        network = _network(model) if model else BLANK
        size = _size(one.get("source", "size", default=None))
        rows.append((run.label, network, size, _runtime(one.get("runtime"))))
    page.add_table(rows, ("network", "form", "input", "evaluated with"))


def _precision(page, findings):
    page.add("## Precision")
    comparable = data_kind(findings) == NYU
    rows = _published_rows() if comparable else []
    rows.append(("constant median depth",) + _scores(findings.baseline))
    for run in findings.imported:
        rows.append((run.label,) + _scores(run.last()))
        rows += [("{}, {}".format(run.label, name),) + _scores(graph) for name, graph in run.graphs()]
    for run in findings.runs:
        for epoch, evaluation in sorted(run.evaluations.items()):
            row = ("{}, epoch {}".format(run.name, epoch),) + _scores(evaluation)
            if epoch == max(run.evaluations):
                row = ("{} (last)".format(row[0]),) + row[1:]
                row = tuple("**{}**".format(cell) for cell in row)
            rows.append(row)
        for name, graph in run.graphs():
            rows.append(("{}, {}{}".format(run.name, name, _of_epoch(graph)),) + _scores(graph))
    titles = tuple(m.title + (" ↑" if m.higher_is_better else " ↓") for m in published_results.METRICS)
    page.add_table(rows, ("",) + titles, numbers=titles)
    page.add(
        "↑ higher is better, ↓ lower is better; RMSE in metres. The constant depth is the median depth of these very "
        "test images.",
    )
    best = best_checkpoint(findings)
    if best:
        page.add(_BEST, *best)
    if comparable:
        sources = "; ".join("[{}] {}".format(n, row.source) for n, row in enumerate(published_results.ROWS, 1))
        page.add("Published rows, with a dash where nothing is: {}.", sources)
        _conventions(page)
    _other_protocols(page, findings)
    _extremes(page, findings)


_BEST = (
    "The highest delta1 is that of {}, epoch {}. It was chosen on the test images, so it is optimistic as an estimate "
    "for other images."
)


def _published_rows():
    return [
        ("{} [{}]".format(row.name, number),) + tuple(row.scores.get(m.key, BLANK) for m in published_results.METRICS)
        for number, row in enumerate(published_results.ROWS, 1)
    ]


def _conventions(page):
    """Why figures under the same name are not the same measure."""
    page.add(
        "Why RMSE 0.465 and 0.5445 are not one measure: the paper takes the root for each image and averages these;\n"
        "the port takes one root over all pixels of all images, which is never smaller. The paper's own weights give\n"
        "0.5485 when pooled, so 0.5445 and 0.5595 compare with 0.5485, and 0.465 with the per-image column."
    )
    page.add(
        "In the same way AbsRel divides the absolute error by the truth in the paper, by the prediction in the port."
    )


def _last_of_runs(findings):
    """[(name, evaluation)] of the last checkpoint of each run."""
    last = [(run.name,) + max(run.evaluations.items()) for run in findings.runs]
    return [("{}, epoch {}".format(name, epoch), evaluation) for name, epoch, evaluation in last]


def _elsewhere(findings):
    """[(name, evaluation)] of the networks trained elsewhere."""
    return [(run.label, run.last()) for run in findings.imported]


def _other_protocols(page, findings):
    """The last checkpoints by the protocols beside `port`."""
    metrics = [m for m in published_results.METRICS if m.key not in ("rms_pooled", "rel_prediction")]
    rows = []
    for checkpoint, evaluation in _last_of_runs(findings) + _elsewhere(findings):
        for name, block in sorted(evaluation.get("protocols", default={}).items()):
            scores = tuple(_score(block["metrics"][m.key]) for m in metrics)
            rows.append((checkpoint, "`{}`".format(name)) + scores)
    if rows:
        titles = tuple(m.title + (" ↑" if m.higher_is_better else " ↓") for m in metrics)
        page.add("The table above is by the protocol `port`. The same predictions by others (`docs/metrics.md`):")
        page.add_table(rows, ("checkpoint", "protocol") + titles, numbers=titles)


def _extremes(page, findings):
    """The test images that the last checkpoints do best and worst."""
    rows = []
    for checkpoint, evaluation in _last_of_runs(findings) + _elsewhere(findings):
        ranked = sorted(evaluation.get("per_image"), key=lambda image: (image["rms"], image["index"]))
        for word, chosen in (("smallest", ranked[:3]), ("largest", ranked[::-1][:3])):
            listed = ", ".join("{} ({:.3f} m)".format(_called(image, "{}"), image["rms"]) for image in chosen)
            rows.append((checkpoint, word, listed or BLANK))
    page.add_table(rows, ("checkpoint", "RMSE", "test images"))


def _called(image, otherwise):
    """The image's name, which may hold any signs, as code; or its number."""
    name = of_image(image, otherwise)
    return "`{}`".format(name.replace("`", "'")) if image.get("name") else name


def _field(page, findings):
    """Published results in tables, one for each way to measure, and the last checkpoints among them."""
    nyu = data_kind(findings) == NYU
    page.add("## Among published results" if nyu else "## Published results")
    if not nyu:
        page.fold("Figures for NYU Depth v2, for orientation only")
    page.add("NYU Depth v2, the official 654 test images. Only figures within one table are measured alike.")
    own = []
    if nyu:
        own = [("**{}**".format(name), one, "evaluated here") for name, one in _elsewhere(findings)]
        own += [("**{}**".format(name), one, "this run") for name, one in _last_of_runs(findings)]
    else:
        page.add(
            "For orientation only: the networks of this page have no place here, since their test images are others."
        )
        _conventions(page)
    for group in published_results.GROUPS:
        page.add("### {}", group.title)
        page.add("{}", group.how)
        titles = tuple(m.title + (" ↑" if m.higher_is_better else " ↓") for m in group.metrics)
        rows = [
            (row.name,) + tuple(row.scores.get(m.key, BLANK) for m in group.metrics) + (row.source,)
            for row in group.rows
        ]
        for name, evaluation, source in own:
            scores = _scores_by(evaluation, group.protocol)
            if scores:
                rows.append((name,) + tuple("**{}**".format(_score(scores[m.key])) for m in group.metrics) + (source,))
        rows.sort(key=lambda row: row[1].strip("*"), reverse=True)
        page.add_table(rows, ("",) + titles + ("source",), numbers=titles)
    if not nyu:
        page.end_fold()


def _scores_by(evaluation, protocol):
    """The metrics of an evaluation by the protocol of this name; None where it was not scored so."""
    if protocol is None:
        return None
    if protocol == "port":
        return evaluation.get("metrics")
    return evaluation.get("protocols", protocol, "metrics", default=None)


def _verdicts(page, findings):
    page.add("## Verdicts")
    if data_kind(findings) == NYU:
        _reproductions(page, findings)
    constant = findings.baseline.number("metrics", "delta1")
    rows = []
    last = [(name + " (last)", evaluation) for name, evaluation in _last_of_runs(findings)]
    for name, evaluation in last + _elsewhere(findings):
        margin = evaluation.number("metrics", "delta1") - constant
        rows.append(
            (
                "{}: delta1 above the constant depth".format(name),
                "{:+.4f}".format(margin),
                "at least {:.2f}".format(published_results.BASELINE_MARGIN),
                "reached" if margin >= published_results.BASELINE_MARGIN else "not reached",
            )
        )
    networks = findings.imported + findings.runs
    rows += [_frozen_check(run) for run in networks if _frozen_epoch(run) in run.evaluations]
    page.add_table(rows, ("check", "value", "wanted", "verdict"), numbers=("value",))


def _reproductions(page, findings):
    """The last checkpoint of each run, and networks trained elsewhere, beside their published figures."""
    rows, unknown = [], []
    for run in findings.runs:
        name = "{}, epoch {}".format(run.name, max(run.evaluations))
        rows += _reproduction(name, run.last(), published_results.REFERENCES)
    for name, one in _elsewhere(findings):
        form = (one.get("source", "model", default={}), one.get("source", "size", default=()))
        references = published_results.references_of(*form)
        if references:
            rows += _reproduction(name, one, references)
        else:
            unknown.append(name)
    if rows:
        page.add(
            "{} beside the published figure. *Reproduced* means no further than the tolerance from it, *better* more "
            "than that on the good side.",
            "Each run's last checkpoint" if findings.runs else "What was evaluated",
        )
        columns = ("checkpoint", "metric", "value", "reference", "tolerance", "verdict")
        page.add_table(rows, columns, numbers=("value", "tolerance"))
    if findings.imported:
        page.add(
            "Networks trained elsewhere are judged by their form and input size: like `nyu.h5`, by the figures of the "
            "paper's weights; like the reference port, by its own. Of the same weights, *better* says the same as "
            "*not reproduced*: something is computed otherwise."
        )
    if unknown:
        page.add("Of another form or input size, so without a verdict here: {}.", ", ".join(unknown))


def _reproduction(name, evaluation, references):
    rows = []
    for metric in published_results.METRICS:
        reference = references[metric.key]
        value = evaluation.number("metrics", metric.key)
        source = "{} ({})".format(reference.row.scores[metric.key], reference.row.name)
        found = verdict(metric, value, references)
        rows.append((name, metric.title, _score(value), source, "± " + reference.tolerance, found))
    return rows


def _frozen_epoch(run):
    return run.frozen and run.frozen.get("source", "epoch", default=None)


def _frozen_check(run):
    epoch = _frozen_epoch(run)
    folded = run.frozen.get("source", "folded", default=False)
    tolerance = published_results.FOLDED_TOLERANCE if folded else published_results.FROZEN_TOLERANCE
    apart = max(
        abs(run.frozen.number("metrics", m.key) - run.evaluations[epoch].number("metrics", m.key))
        for m in published_results.METRICS
    )
    return (
        "{}: frozen graph against its checkpoint{}, largest difference".format(
            run.label, "" if run.elsewhere else " of epoch {}".format(epoch)
        ),
        "{:.1e}".format(apart),
        "at most {:.0e}{}".format(tolerance, " (folded)" if folded else ""),
        "equal" if apart <= tolerance else "not equal",
    )


def _performance(page, findings):
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
            _size(speed.size),
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
    columns = ("training", "device", "network", "input", "batch per device", "devices", "arithmetic")
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
            steps = _last_checkpoint(run).get("global_step")
            page.add("Loss scaling left out {} of the {} steps of run {}.".format(skipped, steps, run.name))
    _measured(page, [run for run in findings.runs if run.speed is not None])


def _inference(page, runs):
    """The speed of the graphs that were made of the runs."""
    rows = [(run.label, name) + _speed(graph) for run in runs for name, graph in run.graphs()]
    if not rows:
        return
    columns = ("inference", "graph", "device", "input", "batch", "forward passes", "ms/image", "p50", "p90", "p99")
    columns += ("images/s", "flip-averaged images/s")
    page.add_table(rows, columns, numbers=columns[4:])
    page.add(
        "One forward pass of one image, after warm-up, without reading, resizing and metrics; p50, p90 and p99 are "
        "percentiles of the time of a batch in ms. A flip-averaged depth map, as the precision table uses it, takes "
        "two passes.{}",
        _NO_SPEED if any("om" in run.deployed for run in runs) else "",
    )


_NO_SPEED = " Of an OM file only the outputs come here; how long it takes is said by the program that runs it."


def _speed(graph):
    device = graph.get("source", "soc_version", default=None) or _device(graph)
    where = (device, _size(graph.get("source", "size", default=None)))
    if graph.get("source", "kind") == "om":
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
    side = _last_checkpoint(run)
    network, size = _network(side.get("model")), side.get("size")
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
    return (run.name, _device(side), network, _size(size), batch, devices, precision, step, images, comparable)


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
                _device(run.speed),
                _size(run.speed.get("size")),
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
    columns = ("measured", "device", "input", "batch per device", "devices", "steps", "ms/step", "images/s")
    columns += ("images/s per device", "scaling", "memory")
    page.add_table(rows, columns, numbers=columns[3:])
    page.add(
        "Measured by `snakemake train_performance_<run>`: the median step after warm-up. Scaling: images/s per device "
        "against the run of one device with the same network, input, batch and machine. Memory: the peak of one "
        "process on its host, without that of a GPU or NPU."
    )


def _draw_curves(findings, figures):
    for run in findings.runs:
        if len(run.history):
            path = os.path.join(figures, "loss_{}.png".format(run.name))
            curves.draw_loss(path, run.history, sorted(side.get("global_step") for side in run.checkpoints.values()))
        path = os.path.join(figures, "metrics_{}.png".format(run.name))
        baseline = {m.key: findings.baseline.number("metrics", m.key) for m in published_results.METRICS}
        curves.draw_metrics(path, run.scores(), baseline)


def _curves(page, findings, figures):
    page.add("## Curves")
    for run in findings.runs:
        if len(run.history):
            path = os.path.join(figures, "loss_{}.png".format(run.name))
            thinned = " Each point is the mean of neighbouring log entries." if len(run.history) > curves.POINTS else ""
            page.add_picture(
                path, "Run {}: training loss, its terms, and the learning rate.{}".format(run.name, thinned)
            )
        path = os.path.join(figures, "metrics_{}.png".format(run.name))
        words = "Run {}: metrics on the test images after each kept epoch; the last is epoch {}."
        page.add_picture(path, words.format(run.name, max(run.evaluations)))


def _gallery(page, findings):
    runs = [run for run in findings.imported + findings.runs if run.scenes]
    if not runs:
        return
    page.add("## Gallery")
    page.add("Test images the network has not seen in training: input, true depth, predicted depth, error.")
    for run in runs:
        epoch = "" if run.elsewhere or run.frozen is None else _of_epoch(run.frozen)
        page.add("### {}{}, the frozen graph{}", "" if run.elsewhere else "Run ", run.label, epoch)
        for picture, data, scene in run.scenes:
            called = _called(scene, "Test image {}")
            caption = "{}: RMSE {:.3f} m, delta1 {:.3f}".format(called, scene["rms"], scene["delta1"])
            place = os.path.splitext(os.path.basename(picture))[0]
            if place in ("best", "worst"):
                caption = "{} by RMSE. {}".format(place.capitalize(), caption)
            page.add_scene(picture, data, caption)


def _settings(page, findings):
    page.add("## Settings")
    rows = [("`{}`".format(key), "`{}`".format(value)) for key, value in leaves(findings.settings)]
    page.add_folded("{} setting(s) of the pipeline".format(len(rows)), rows, ("key", "value"))
    rows = []
    for run in findings.runs:
        side = _last_checkpoint(run)
        rows += [(run.name, "`{}`".format(key), "`{}`".format(value)) for key, value in leaves(side.get("training"))]
    if findings.runs:
        page.add_folded("Training settings stored in the last checkpoint of each run", rows, ("run", "key", "value"))


def _versions(page, findings):
    page.add("## Versions")
    uses = [("records", findings.data)] if findings.data else []
    uses.append(("constant depth", findings.baseline))
    for run in findings.runs + findings.imported:
        uses += [("training of " + run.label, side) for _, side in sorted(run.checkpoints.items())]
        uses += [("evaluation of " + run.label, evaluation) for _, evaluation in sorted(run.evaluations.items())]
        uses += [("{} of {}".format(name, run.label), graph) for name, graph in run.graphs()]
    groups = {}
    for use, document in uses:
        groups.setdefault(json.dumps(document.get("runtime"), sort_keys=True), []).append(use)
    first = ["runtime", "python", "tensorflow", "numpy"]
    for facts, made in groups.items():
        facts = json.loads(facts)
        names = first + sorted(set(facts) - set(first))
        page.add_table([tuple(facts.get(name, "none") for name in names)], names)
        times = ["{} ({} epochs)".format(use, made.count(use)) if made.count(use) > 1 else use for use in made]
        page.add("Made with this: {}.", ", ".join(dict.fromkeys(times)))


def _checksums(page, findings):
    page.add("## Inputs and checkpoints")
    rows = [_input(findings.data.get("archive"))] if findings.data else []
    rows.append(_input(findings.baseline.get("test_data")))
    rows += _shards(findings.data) if findings.data else []
    for weights in findings.weights:
        # Of an encoder, or of a whole network.
        source = weights.get("source", default=None) or weights.get("weights")
        folder, name = os.path.split(source["path"])
        sums = source.get("files", {name: source["sha256"]})
        rows += [("`{}`".format(os.path.join(folder, n)), BLANK, "`{}`".format(s)) for n, s in sorted(sums.items())]
    page.add_table(rows, ("input", "size", "SHA-256"), numbers=("size",))
    if findings.data:
        _left_out(page, "training", findings.data.get("skipped", default=[]))
    _left_out(page, "test", findings.baseline.get("test_data", "skipped", default=[]))
    if findings.runs:
        _checkpoints(page, findings)
    graphs = [graph for run in findings.imported + findings.runs for _, graph in run.graphs()]
    imported = [run.last() for run in findings.imported]
    for title, found in (("graph", graphs), ("network trained elsewhere", imported)):
        rows = [("`{}`".format(d.get("source", "path")), "`{}`".format(d.get("source", "sha256"))) for d in found]
        if rows:
            page.add_table(rows, (title, "SHA-256"))


def _left_out(page, kind, faults):
    if faults:
        rows = [(fault["row"], "`{}`".format(fault["rgb"]), fault["problem"]) for fault in faults]
        words = "{} faulty {} pair{} left out".format(len(rows), kind, " was" if len(rows) == 1 else "s were")
        page.add_folded(words, rows, ("row", "picture", "problem"))


def _shards(data):
    sums, counts = data.get("sha256"), data.get("shard_records", default=[])
    rows = []
    for number, shard in enumerate(data.get("shards")):
        if shard not in sums:
            raise PipelineError("{}: no key sha256.{}".format(data.path, shard))
        records = "{} records".format(counts[number]) if number < len(counts) else BLANK
        rows.append(("`{}`".format(shard), records, "`{}`".format(sums[shard])))
    return rows


def _checkpoints(page, findings):
    page.add("Weights before the first step: {}.", "; ".join(_beginning(run) for run in findings.runs))
    rows = [
        (run.name, epoch, side.get("global_step"), "`{}`".format(name), "`{}`".format(checksum))
        for run in findings.runs
        for epoch, side in sorted(run.checkpoints.items())
        for name, checksum in sorted(side.get("files").items())
        if name.startswith("model.ckpt")
    ]
    title = "Checksums of {} checkpoint files".format(len(rows))
    page.add_folded(title, rows, ("run", "epoch", "step", "file", "SHA-256"))


def _input(facts):
    checksum = BLANK
    if facts.get("sha256"):
        checksum = "`{}`".format(facts["sha256"])
    elif facts.get("members_sha256"):
        checksum = "`{}` (of names, sizes and CRC-32 of its members)".format(facts["members_sha256"])
    return "`{}`".format(facts["path"]), "{:,} bytes".format(facts["size_bytes"]), checksum


def _beginning(run):
    first = run.checkpoints[min(run.checkpoints)]
    weights, start = first.get("weights", default=None), first.get("start", default=None)
    if weights is None and start is None:
        return "{} random".format(run.name)
    return "{} from `{}`".format(run.name, weights or start)


def _last_checkpoint(run):
    return run.checkpoints[max(run.checkpoints)]


def _scores(evaluation):
    return tuple(_score(evaluation.number("metrics", metric.key)) for metric in published_results.METRICS)


def _score(value):
    return "{:.4f}".format(value)


def _of_epoch(document):
    epoch = document.get("source", "epoch", default=None)
    return "" if epoch is None else " of epoch {}".format(epoch)


def _network(model):
    """`densenet169, half` and what differs from the reference port."""
    words = [model["encoder"], model["width"]]
    if model["upsampling"] != "half_pixel":
        words.append(model["upsampling"])
    if not model["mid_activation"]:
        words.append("no mid activation")
    return ", ".join(words)


def _size(size):
    return "any" if size is None else "{}x{}".format(*size)


def _numbers(values):
    return ", ".join(str(value) for value in sorted(values))


def _runtime(facts):
    return "{}: Python {}, TensorFlow {}".format(
        facts.get("runtime", "none"), facts.get("python", "?"), facts.get("tensorflow", "none")
    )


def _device(document):
    """The device where it is recorded, else the kind of machine."""
    recorded = document.get("performance", "device", default=None)
    return recorded or "{} machine".format(document.get("runtime").get("machine", "unknown"))
