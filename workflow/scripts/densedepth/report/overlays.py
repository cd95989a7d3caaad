"""Images of several runs in one: curves over each other, figures by settings, errors by distance.

As in `curves`, equal data give equal bytes.
"""

import json
import math
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import matplotlib
import pandas
from matplotlib.ticker import MaxNLocator

from ..evaluation.metric_table import DECIDING
from . import curves

# Okabe and Ito's, without yellow and black; after these, the same with other dashes.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9")
_DASHES = ("-", "--", ":", "-.")

# More settings than this are drawn as parallel axes.
MOST_PANELS = 2

# More names than this would fill an image.
_MOST_NAMES = 12

# A run by its name, its history (maybe empty) and its scores by epoch.
Curves = Tuple[str, pandas.DataFrame, pandas.DataFrame]

# A network by its name, AbsRel of clean images, and {way to make them worse: [(severity, AbsRel)]}.
Severities = Tuple[str, float, Mapping[str, Sequence[Tuple[int, float]]]]


def draw_runs(path: str, groups: Sequence[Sequence[Curves]]) -> None:
    """Draw the training loss over the optimiser steps, and δ1 over the epochs, of all runs to `path`.

    groups: runs that share a colour. history and scores: as for `curves`.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure, (left, right) = curves.new_figure((8.6, 4.2), 1, 2)
        for place, group in enumerate(groups):
            for _, history, scores in group:
                if len(history):
                    data = curves.thin(history, curves.POINTS // 2)
                    left.plot(data["global_step"], data["loss"], linewidth=1.2, **_line(place))
                right.plot(scores["epoch"], scores[DECIDING.key], marker="o", markersize=3, **_line(place))
            right.plot([], [], label=", ".join(run[0] for run in group), **_line(place))
        left.set_yscale("log")
        curves.plain_logarithms(left.yaxis)
        left.set_ylabel("training loss (log scale)")
        left.set_xlabel("optimiser step")
        right.set_ylabel("{} on the test images".format(DECIDING.title))
        right.set_xlabel("epoch")
        right.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _names(figure, right)
        curves.save(figure, path)


def draw_settings(
    path: str, names: Sequence[str], values: Sequence[Sequence[Optional[str]]], scores: Sequence[float]
) -> None:
    """Draw δ1 of runs by their settings to `path`: a panel of points for each of at most `MOST_PANELS` settings.

    More settings are parallel axes with a line for each run, its colour by δ1. values: for each run, the JSON text of
    each setting, None where it has none; scores: δ1 of each run.
    """
    columns = [_places([row[place] for row in values]) for place in range(len(names))]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        if len(names) > MOST_PANELS:
            _draw_parallel(path, names, columns, scores)
            return
        figure, all_axes = curves.new_figure((4.3 * max(2, len(names)), 3.6), 1, len(names), sharey=True)
        for place, (axes, name, (where, labels, logarithmic)) in enumerate(zip(all_axes, names, columns)):
            if logarithmic:
                axes.set_xscale("log")
                curves.plain_logarithms(axes.xaxis)
            elif labels:
                axes.set_xticks(range(len(labels)))
                axes.set_xticklabels(labels, rotation=30 if max(map(len, labels)) > 8 else 0, ha="right")
                axes.set_xlim(-0.5, len(labels) - 0.5)
            others = columns[1 - place][0] if len(names) == 2 else [0] * len(scores)
            for kind, value in enumerate(sorted(set(others))):
                chosen = [index for index, other in enumerate(others) if other == value]
                label = "{} {}".format(names[1 - place], values[chosen[0]][1 - place]) if len(names) == 2 else None
                points = [where[index] for index in chosen], [scores[index] for index in chosen]
                axes.scatter(*points, s=36, color=_COLOURS[kind % len(_COLOURS)], label=label)
            if len(names) == 2 and len(set(others)) <= 6:
                axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8)
            axes.set_xlabel(name)
        all_axes[0].set_ylabel("{} on the test images".format(DECIDING.title))
        curves.save(figure, path)


def draw_errors(path: str, networks: Sequence[Tuple[str, Mapping[str, Any], Sequence[Tuple[float, float]]]]) -> None:
    """Draw RMSE and bias by distance, and how both are distributed over the images, to `path`.

    networks: (name, `by_distance` as in an evaluation, (rms, bias) of each image), metres.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure, all_axes = curves.new_figure((8.6, 6.4), 2, 2)
        for place, (name, distance, images) in enumerate(networks):
            edges = distance["edges_m"]
            middles = [(near + far) / 2 for near, far in zip(edges, edges[1:])]
            for axes, key in ((all_axes[0], "rms"), (all_axes[1], "bias_m")):
                known = [(middle, value) for middle, value in zip(middles, distance[key]) if value is not None]
                axes.plot(*zip(*known), marker="o", markersize=3, label=name, **_line(place))
            for axes, values in zip(all_axes[2:], zip(*images)):
                shares = [(number + 1) / len(values) for number in range(len(values))]
                axes.plot(sorted(values), shares, drawstyle="steps-post", **_line(place))
        words: List[Tuple[str, str]] = [
            ("ground-truth depth (m)", "RMSE (m)"),
            ("ground-truth depth (m)", "bias (m): above 0 is too far"),
        ]
        words += [(name + " of an image (m)", "share of images up to it") for name in ("RMSE", "bias")]
        for axes, (below, left) in zip(all_axes, words):
            axes.set_xlabel(below)
            axes.set_ylabel(left)
        all_axes[1].axhline(0, color="#808080", linewidth=1)
        all_axes[3].axvline(0, color="#808080", linewidth=1)
        all_axes[0].set_ylim(bottom=0)
        _names(figure, all_axes[0])
        curves.save(figure, path)


def draw_severities(path: str, networks: Sequence[Severities]) -> None:
    """Draw AbsRel over the severity to `path`, a panel for each way to make images worse; severity 0 is clean."""
    kinds = sorted({kind for _, _, found in networks for kind in found})
    columns = min(4, len(kinds))
    rows = -(-len(kinds) // columns)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure, all_axes = curves.new_figure((8.6, 0.8 + 1.5 * rows), rows, columns, sharex=True, sharey=True)
        for axes, kind in zip(all_axes, kinds):
            for place, (name, clean, found) in enumerate(networks):
                if kind in found:
                    points = [(0, clean), *found[kind]]
                    axes.plot(*zip(*points), marker="o", markersize=3, linewidth=1.2, label=name, **_line(place))
            axes.set_title(kind.replace("imagenet_c_", "ImageNet-C ").replace("_", " "), fontsize=8, loc="left")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in all_axes[len(kinds) :]:
            axes.set_visible(False)
        for axes in all_axes[max(0, len(kinds) - columns) : len(kinds)]:
            axes.set_xlabel("severity")
            axes.tick_params(labelbottom=True)
        for axes in all_axes[::columns]:
            axes.set_ylabel("AbsRel")
        all_axes[0].set_ylim(bottom=0)
        _names(figure, all_axes[0])
        curves.save(figure, path)


def draw_disagreement(path: str, networks: Sequence[Tuple[str, Mapping[str, Sequence[Mapping[str, float]]]]]) -> None:
    """Draw AbsRel over the disagreement with the mirrored image, and with the image at other sizes, to `path`.

    networks: (name, {`flip`, `scale`: parts as of `robustness.calibration`}).
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure, all_axes = curves.new_figure((8.6, 3.6), 1, 2, sharey=True)
        titles = {"flip": "the mirrored image", "scale": "the image at other sizes"}
        for axes, (kind, title) in zip(all_axes, titles.items()):
            for place, (name, found) in enumerate(networks):
                points = [(part["disagreement"], part["error"]) for part in found[kind]]
                axes.plot(*zip(*points), marker="o", markersize=3, label=name, **_line(place))
            axes.set_xlabel("disagreement with {} / depth".format(title))
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(5))
        all_axes[0].set_ylabel("AbsRel of a tenth of the pixels")
        all_axes[0].set_ylim(bottom=0)
        _names(figure, all_axes[0])
        curves.save(figure, path)


def _draw_parallel(path, names, columns, scores):
    figure, (axes,) = curves.new_figure((8.6, 4.2), 1, 1)
    colours = matplotlib.colormaps["viridis"]
    low, high = min(scores), max(scores)
    shares = [_shares(where, labels, logarithmic) for where, labels, logarithmic in columns]
    shares.append([(score - low) / ((high - low) or 1) for score in scores])
    for run in sorted(range(len(scores)), key=lambda run: scores[run]):
        axes.plot(range(len(shares)), [share[run] for share in shares], color=colours(shares[-1][run]), alpha=0.8)
    for place, (where, labels, _) in enumerate(columns):
        ends = (labels[0], labels[-1]) if labels else ("{:g}".format(min(where)), "{:g}".format(max(where)))
        for height, text in zip((-0.04, 1.04), ends):
            axes.text(place, height, text, ha="center", va="top" if height < 0 else "bottom", fontsize=8)
    for height, score in ((-0.04, low), (1.04, high)):
        words = "{:.4f}".format(score)
        axes.text(len(names), height, words, ha="center", va="top" if height < 0 else "bottom", fontsize=8)
    axes.set_xticks(range(len(shares)))
    axes.set_xticklabels([name.rpartition(".")[2] for name in names] + [DECIDING.title])
    axes.set_yticks([])
    axes.set_ylim(-0.12, 1.12)
    curves.save(figure, path)


def _places(texts: Sequence[Optional[str]]) -> Tuple[List[float], List[str], bool]:
    """(place of each value on an axis, names of the places or none for numbers, whether the axis is logarithmic)."""
    read: List[Any] = [None if text is None else json.loads(text) for text in texts]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in read):
        numbers = [float(value) for value in read]
        return numbers, [], min(numbers) > 0 and max(numbers) / min(numbers) >= 5
    labels = sorted({"none" if text is None else text.strip('"') for text in texts})
    return [float(labels.index("none" if text is None else text.strip('"'))) for text in texts], labels, False


def _shares(where, labels, logarithmic):
    """Places as shares of the axis from the least to the greatest."""
    if logarithmic:
        where = [math.log(value) for value in where]
    low, high = min(where), max(where)
    return [(value - low) / ((high - low) or 1) for value in where]


def _line(place):
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": _DASHES[place // len(_COLOURS) % len(_DASHES)],
    }


def _names(figure, axes):
    """The names of the lines below the image, where there is room for them."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) <= _MOST_NAMES:
        columns = 3 if max(map(len, labels)) < 30 else 1
        figure.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(0.06, 0), ncol=columns, frameon=False, fontsize=9
        )
