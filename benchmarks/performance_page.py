"""The table and the curves of docs/performance.md from results/bench/*.json.

    .venv/workflow/bin/python benchmarks/performance_page.py

The same JSON files give the same bytes. Only what lies between the two markers of the page is written; a benchmark
of which there is no JSON file keeps its section.
"""

import glob
import json
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)
PICTURES = os.path.join("images", "performance")
BEGIN, END = "<!-- figures: made by `make bench` -->", "<!-- end of the figures -->"
HEADING = "### "
ORDER = (
    "training_step",
    "inference",
    "peers",
    "evaluation",
    "scoring",
    "conversion",
    "pair_reading",
    "input_pipeline",
    "scaling",
    "growth",
    "dry_run",
)
PACKAGES = {
    "tensorflow": "TensorFlow",
    "tensorflow-cpu": "TensorFlow",
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "snakemake": "Snakemake",
}


def write(results, page):
    """Put the figures of the JSON files in the folder `results` into the page, and the curves beside it."""
    found = {}
    for path in glob.glob(os.path.join(results, "*.json")):
        with open(path) as stream:
            found[os.path.splitext(os.path.basename(path))[0]] = json.load(stream)
    pictures = os.path.join(os.path.dirname(page), PICTURES)
    os.makedirs(pictures, exist_ok=True)
    with open(page, encoding="utf-8") as stream:
        before, rest = stream.read().split(BEGIN)
        inside, after = rest.split(END)
    blocks = sections(inside)
    blocks.update((name, section(name, one, pictures)) for name, one in found.items())
    ordered = [blocks[name] for name in sorted(blocks, key=place)]
    with open(page, "w", encoding="utf-8") as stream:
        stream.write(before + "\n\n".join([BEGIN, *ordered, END]) + after)


def sections(text):
    """The sections of a page by the names of their benchmarks."""
    blocks = {}
    for block in text.split("\n" + HEADING)[1:]:
        blocks[block.split("\n")[0].lower().replace(" ", "_")] = HEADING + block.strip()
    return blocks


def place(name):
    return ORDER.index(name) if name in ORDER else len(ORDER), name


def section(name, found, pictures):
    """One benchmark: its table, its curves, and what it was measured on."""
    lines = [HEADING + name.replace("_", " ").capitalize(), ""]
    lines += ["| what | runtime | median (lowest to highest) | target | met |", "| --- | --- | --- | --- | --- |"]
    lines += [row_of(cells(row)) for row in found["figures"]]
    drawings = 0
    for one in found["curves"]:
        if one.get("kind") == "table":
            lines += ["", row_of(one["head"]), row_of(["---"] * len(one["head"])), *map(row_of, one["rows"])]
            continue
        file = "{}{}.png".format(name, drawings or "")
        drawings += 1
        (draw_scatter if one.get("kind") == "scatter" else draw)(one, os.path.join(pictures, file))
        lines += ["", "![{}]({}/{})".format(one["title"].replace("`", ""), PICTURES, file)]
    return "\n".join(lines + ["", measured_on(found)])


def row_of(texts):
    return "| " + " | ".join(texts) + " |"


def measured_on(found):
    machine = found["machine"]
    packages = [item for group in found["versions"].values() for item in group.items() if item[0] in PACKAGES]
    versions = sorted({"{} {}".format(PACKAGES[name], version) for name, version in packages})
    where = "{processor}, {cores} cores, {memory_gb} GB".format(**machine)
    sizes = "full sizes" if found["full"] else "reduced sizes"
    minutes = max(1, round(found["seconds"] / 60))
    return "*{}; {}; {}, {} min.*".format(where, ", ".join(versions), sizes, minutes)


def cells(row):
    reached = {True: "yes", False: "**no**", None: ""}[row["reached"]]
    spread = short(row["median"])
    if row["rounds"] > 1:
        spread += " ({} to {})".format(short(row["low"]), short(row["high"]))
    wanted = "" if row["target"] is None else "{} {:g}".format("≥" if row["least"] else "≤", row["target"])
    unit = "" if row["unit"] == "x" else " " + row["unit"]
    return row["what"], row["runtime"], spread + unit, wanted + (unit if wanted else ""), reached


def short(value):
    return "{:.0f}".format(value) if value >= 100 else "{:.3g}".format(value)


def line(row):
    what, runtime, spread, wanted, reached = cells(row)
    return "{} [{}]: {}; wanted {}; {}".format(
        what, runtime, spread, wanted or "nothing", {"yes": "reached", "": ""}.get(reached, "NOT reached")
    )


def draw(one, path):
    """Seconds and memory by the number of items, both axes logarithmic but that of the memory."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2))
    for name, points in sorted(one["points"].items()):
        counts, seconds, memory = zip(*points)
        left.plot(counts, seconds, marker="o", label=name)
        right.plot(counts, memory, marker="o", label=name)
    left.set(xscale="log", yscale="log", xlabel=one["items"], ylabel="seconds")
    right.set(xscale="log", xlabel=one["items"], ylabel="peak memory, MB")
    # Room for the legend above the curves.
    right.set_ylim(0, 1.3 * max(memory for points in one["points"].values() for _, _, memory in points))
    left.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    left.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5), numticks=12))
    left.yaxis.minorticks_off()
    ticks = sorted({count for points in one["points"].values() for count, _, _ in points})
    for axes in (left, right):
        axes.set_xticks(ticks, ["{:,}".format(tick) for tick in ticks])
        axes.xaxis.minorticks_off()
        axes.grid(True, which="major", color="0.9")
        axes.legend(fontsize="small")
    save(figure, one["title"], path)


def draw_scatter(one, path):
    """Named points, a colour for each group; the x axis is logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, axes = pyplot.subplots(figsize=(9, 4.2))
    for number, (group, points) in enumerate(one["points"].items()):
        names, across, up = zip(*points)
        axes.scatter(across, up, label=group)
        # Groups in turn above and below their points, centred: neighbours are mostly of different groups.
        style = {"ha": "center", "fontsize": "small", "va": "top" if number % 2 else "bottom"}
        for name, x, y in zip(names, across, up):
            axes.annotate(name, (x, y), textcoords="offset points", xytext=(0, -6 if number % 2 else 6), **style)
    axes.set(xscale="log", xlabel=one["x"], ylabel=one["y"])
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(ticker.FormatStrFormatter("%g"))
    axes.margins(0.15)
    axes.grid(True, which="major", color="0.9")
    axes.legend(fontsize="small", loc="lower right")
    save(figure, one["title"], path)


def save(figure, title, path):
    from matplotlib import pyplot

    figure.suptitle(title.replace("`", ""), fontsize="medium")
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    write(os.path.join(ROOT, "results", "bench"), os.path.join(ROOT, "docs", "performance.md"))
