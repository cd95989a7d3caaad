"""The report's curves: loss and learning rate over the steps, metrics over the epochs, as PNG files.

Drawn with matplotlib's own defaults whatever the user's settings, without metadata: equal data give equal bytes (with
one release of matplotlib).
"""

from typing import Any, Iterable, Mapping, Sequence, Tuple

import matplotlib
import pandas
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from .. import files
from ..evaluation.metric_table import BY_KEY

# Above this many history entries, neighbours are averaged: a longer curve is a band of ink.
POINTS = 400

# Okabe and Ito's colours: told apart by colour-blind readers too.
_BLUE, _ORANGE, _GREEN, _RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
_GREY, _DARK = "#808080", "#404040"

NONE: Mapping[int, float] = {}


def draw_loss(
    path: str, history: pandas.DataFrame, epoch_ends: Iterable[int], validated: Mapping[int, float] = NONE
) -> None:
    """Draw the loss, its weighted terms and the learning rate over the optimiser steps to `path`.

    history: DataFrame with the columns global_step, steps, loss, l1, gradient, ssim, learning_rate, in the order of
    the steps. `l1` is drawn with its weight of 0.1, so that the terms add up to the loss. epoch_ends: the steps at
    which checkpoints were kept, marked by vertical lines. validated: {step: loss on the validation images}.
    """
    data = thin(history)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure, (upper, lower) = new_figure((8.6, 5.6), 2, 1, height_ratios=(3, 1), sharex=True)
        marker = _marker(len(data))
        steps = data["global_step"]
        upper.plot(steps, data["loss"], color=_BLUE, linewidth=2, marker=marker, label="loss")
        upper.plot(steps, 0.1 * data["l1"], color=_ORANGE, marker=marker, label="0.1 x absolute error")
        upper.plot(steps, data["gradient"], color=_GREEN, marker=marker, label="gradient error")
        upper.plot(steps, data["ssim"], color=_RED, marker=marker, label="structural dissimilarity")
        if validated:
            upper.plot(*zip(*sorted(validated.items())), color=_DARK, marker="s", label="loss of the validation")
        upper.set_yscale("log")
        plain_logarithms(upper.yaxis)
        upper.set_ylabel("loss (log scale)")
        _legend(upper)
        lower.plot(steps, data["learning_rate"], color=_BLUE, marker=marker, drawstyle="steps-pre")
        lower.set_ylim(0, 1.15 * data["learning_rate"].max())
        lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: "{:g}".format(value)))
        lower.set_ylabel("learning rate")
        lower.set_xlabel("optimiser step (dotted: checkpoints)")
        for axes in (upper, lower):
            for step in epoch_ends:
                # Above the grid, on whose lines they often fall, and below the curves.
                axes.axvline(step, color=_DARK, linewidth=1.2, linestyle=":", zorder=1)
        save(figure, path)


def draw_metrics(path: str, scores: Mapping[str, pandas.DataFrame], baseline: Mapping[str, float]) -> None:
    """Draw δ1, δ2, δ3 and both RMSE over the epochs to `path`, the constant depth's as dashed lines.

    scores: DataFrame with the column epoch and the metrics, in the order of the epochs. baseline: {metric: value}.
    """
    panels = (
        ("share of pixels (higher is better)", (("delta1", _BLUE), ("delta2", _ORANGE), ("delta3", _GREEN))),
        ("RMSE in metres (lower is better)", (("rms_pooled", _BLUE), ("rms_image", _ORANGE))),
    )
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure, all_axes = new_figure((8.6, 3.8), 1, 2)
        for axes, (title, lines) in zip(all_axes, panels):
            for key, color in lines:
                axes.plot(scores["epoch"], scores[key], color=color, marker="o", label=BY_KEY[key].title)
                axes.axhline(baseline[key], color=color, linestyle="--", linewidth=1)
            axes.plot([], [], color=_GREY, linestyle="--", linewidth=1, label="constant depth")
            axes.set_ylabel(title)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            _legend(axes, columns=2)
        # A marker at 1 is shown whole.
        all_axes[0].set_ylim(0, 1.03)
        all_axes[1].set_ylim(bottom=0)
        save(figure, path)


def thin(history: pandas.DataFrame, points: int = POINTS) -> pandas.DataFrame:
    """At most `points` rows: means of neighbouring rows weighted by `steps`; their last `global_step`."""
    if len(history) <= points:
        return history
    groups = [index * points // len(history) for index in range(len(history))]
    weights = history["steps"]
    weighted = history.drop(columns=["steps", "global_step"]).multiply(weights, axis=0)
    means = weighted.groupby(groups).sum().divide(weights.groupby(groups).sum(), axis=0)
    means["global_step"] = history["global_step"].groupby(groups).last()
    return means


def plain_logarithms(axis: Any) -> None:
    """Plain numbers on a logarithmic axis of matplotlib: 0.05 rather than a power of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: "{:g}".format(value)))
    axis.set_minor_formatter(NullFormatter())


def _marker(count):
    return "o" if count < 12 else None


def new_figure(size: Tuple[float, float], rows: int, columns: int, **layout: Any) -> Tuple[Figure, Sequence[Any]]:
    """(figure, its axes in one row or column) of `size` inches; `layout` as for `Figure.subplots`."""
    # Twice the pixels of a page, for screens that have them.
    figure = Figure(figsize=size, dpi=200, facecolor="white")
    FigureCanvasAgg(figure)
    ratios = {"height_ratios": layout.pop("height_ratios")} if "height_ratios" in layout else {}
    all_axes = figure.subplots(rows, columns, gridspec_kw=ratios, squeeze=False, **layout).ravel()
    for axes in all_axes:
        axes.grid(color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure, all_axes


def _legend(axes, columns=4):
    # Above the axes: nowhere inside is sure to be free of lines.
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=columns, frameon=False, fontsize=9, borderaxespad=0.2)


def save(figure: Figure, path: str) -> None:
    """Write the figure as a PNG, without metadata."""
    figure.align_ylabels()
    figure.tight_layout()
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", bbox_inches="tight", metadata={"Software": None})
