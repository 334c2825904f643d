"""Pictures of results as PNG bytes: the same numbers give the same bytes.

No picture shows a person: distances are drawn from quantiles, and a bar of a
histogram stands for at least `MIN_PEOPLE` people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.privacy.dcr import DcrEvaluation, DistanceQuantiles
from hybrid_assets.report.canvas import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    RED,
    SERIES_COLOURS,
    SERIES_MARKERS,
    SERIES_STYLES,
    blank_figure,
    legend_above,
    plain_text,
    png_bytes,
    wrapped,
)

MIN_PEOPLE = 10
N_BINS = 20
MAX_MARKERS = 60


def dcr_box_plot(evaluations: Mapping[str, DcrEvaluation]) -> bytes:
    """Box plots of distances to the closest record.

    Parameters
    ----------
    evaluations : mapping of str to DcrEvaluation
        By generator. Boxes are quartiles, whiskers end at 5 and 95 %.

    Returns
    -------
    bytes
        A PNG picture.
    """
    _require(len(evaluations), "distances of at least one generator")
    series = {
        "synthetic → train": (BLUE, [e.synthetic_to_train for e in evaluations.values()]),
        "synthetic → holdout": (ORANGE, [e.synthetic_to_holdout for e in evaluations.values()]),
        "holdout → train (reference)": (GREY, [e.holdout_to_train for e in evaluations.values()]),
    }
    figure, axes = blank_figure(3.6)
    for offset, (label, (colour, quantiles)) in enumerate(series.items()):
        at = [group + 0.27 * (offset - 1) for group in range(len(quantiles))]
        boxes = axes.bxp(
            [_box(q) for q in quantiles],
            positions=at,
            widths=0.22,
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": BLACK},
            medianprops={"color": BLACK, "linewidth": 1.6},
        )
        boxes["boxes"][0].set_label(label)
        for x, q in zip(at, quantiles, strict=True):
            if q.q75 == 0.0:
                axes.text(x, 0.02, "copies", ha="center", va="bottom", rotation=90, fontsize=9)
    axes.set_xticks(range(len(evaluations)), wrapped(evaluations, width=18))
    axes.grid(visible=False, axis="x")
    axes.set_xlim(-0.6, len(evaluations) - 0.4)
    axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
    axes.set_ylabel("distance to the closest record\n(standard deviations)")
    legend_above(figure, axes, n_columns=3)
    return png_bytes(figure)


def overlap_plot(
    propensity: np.ndarray, treatment: np.ndarray, *, bound: float | None = None
) -> bytes:
    """Histograms of the propensity, the treated upwards and the controls downwards.

    Parameters
    ----------
    propensity : ndarray of float, shape (n,)
        In [0, 1].
    treatment : ndarray of int, shape (n,)
        0 or 1.
    bound : float, optional
        Where the propensity is clipped; drawn at both ends.

    Returns
    -------
    bytes
        A PNG picture.
    """
    _require(len(propensity), "at least one propensity")
    figure, axes = blank_figure(3.6)
    tallest = 1.0
    for arm, name, sign, colour in ((1, "treated", 1, BLUE), (0, "controls", -1, ORANGE)):
        of_arm = propensity[treatment == arm]
        edges, counts = grouped_counts(of_arm)
        heights = counts / (np.diff(edges) * N_BINS)
        n_people = f"{len(of_arm):,}" if counts.any() else f"fewer than {MIN_PEOPLE}: not shown"
        axes.bar(
            edges[:-1],
            sign * heights,
            np.diff(edges),
            align="edge",
            color=colour,
            edgecolor="white",
            linewidth=0.8,
            label=f"{name} ({n_people})",
        )
        tallest = max(tallest, *heights)
    axes.axhline(0, color=BLACK, linewidth=0.8)
    if bound is not None:
        axes.axvline(bound, color=RED, linestyle="--", linewidth=1.2)
        axes.axvline(
            1 - bound, color=RED, linestyle="--", linewidth=1.2, label=f"clipped at {bound:.3g}"
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(-1.08 * tallest, 1.08 * tallest)
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    axes.set_xlabel("propensity (probability of treatment given the covariates)")
    axes.set_ylabel(f"people per {1 / N_BINS:g} of propensity")
    legend_above(figure, axes, n_columns=3)
    return png_bytes(figure)


def grouped_counts(propensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count people in bins of [0, 1], merged until each holds none or `MIN_PEOPLE`.

    Parameters
    ----------
    propensity : ndarray of float, shape (n,)

    Returns
    -------
    edges : ndarray of float, shape (n_groups + 1,)
    counts : ndarray of int, shape (n_groups,)
        All 0 where there are fewer than `MIN_PEOPLE` in all.
    """
    counts, edges = np.histogram(propensity, bins=N_BINS, range=(0.0, 1.0))
    if counts.sum() < MIN_PEOPLE:
        return np.array([0.0, 1.0]), np.array([0])
    ends, groups = [0.0], [0]
    for end, count in zip(edges[1:], counts, strict=True):
        if 0 < groups[-1] < MIN_PEOPLE:
            ends[-1], groups[-1] = end, groups[-1] + int(count)
        else:
            ends.append(end)
            groups.append(int(count))
    while 0 < groups[-1] < MIN_PEOPLE:
        last_end, last = ends.pop(), groups.pop()
        ends[-1], groups[-1] = last_end, groups[-1] + last
    return np.array(ends), np.array(groups[1:])


def learning_curve_plot(curve: pd.DataFrame) -> bytes:
    """Losses by training step.

    Parameters
    ----------
    curve : DataFrame
        A column ``step``; every other column is a loss, missing where it was
        not measured.

    Returns
    -------
    bytes
        A PNG picture.
    """
    _require(len(curve), "a learning curve with at least one step")
    figure, axes = blank_figure(3.2)
    losses = [name for name in curve.columns if name != "step"]
    for position, name in enumerate(losses):
        measured = curve[["step", name]].dropna()
        axes.plot(
            measured["step"],
            measured[name],
            color=SERIES_COLOURS[position % len(SERIES_COLOURS)],
            linestyle=SERIES_STYLES[position % len(SERIES_STYLES)],
            marker=SERIES_MARKERS[position % len(SERIES_MARKERS)],
            markersize=3.5 if len(measured) <= MAX_MARKERS else 0,
            label=plain_text(str(name).replace("_", " ")),
        )
    axes.set_xlabel("training step")
    axes.set_ylabel("loss")
    legend_above(figure, axes, n_columns=3)
    return png_bytes(figure)


def marginals_plot(marginals: pd.DataFrame) -> bytes:
    """Distance of each column's law to the training split's, synthetic and holdout.

    Parameters
    ----------
    marginals : DataFrame
        As given by `hybrid_assets.fidelity.marginals`.

    Returns
    -------
    bytes
        A PNG picture.
    """
    _require(len(marginals), "at least one column")
    figure, axes = blank_figure(1.3 + 0.27 * len(marginals))
    at = np.arange(len(marginals))
    made, unseen = marginals["distance"], marginals["holdout_distance"]
    axes.hlines(at, np.minimum(made, unseen), np.maximum(made, unseen), color=GREY, linewidth=1.2)
    axes.scatter(made, at, s=42, color=BLUE, zorder=3, label="synthetic")
    axes.scatter(
        unseen, at, s=42, facecolor="white", edgecolor=BLACK, zorder=3, label="holdout (reference)"
    )
    names = marginals["column"].astype(str) + " (" + marginals["statistic"] + ")"
    axes.set_yticks(at, wrapped(names, width=32))
    axes.set_ylim(len(marginals) - 0.4, -0.6)
    axes.set_xlim(0, 1.06 * max(float(made.max()), float(unseen.max()), 0.01))
    axes.set_xlabel("distance to the training split (0 = same law, 1 = nothing in common)")
    legend_above(figure, axes, n_columns=2)
    return png_bytes(figure)


def _box(quantiles: DistanceQuantiles) -> dict[str, float | Sequence[float]]:
    return {
        "whislo": quantiles.q05,
        "q1": quantiles.q25,
        "med": quantiles.q50,
        "q3": quantiles.q75,
        "whishi": quantiles.q95,
        "fliers": [],
    }


def _require(count: int, needed: str) -> None:
    if not count:
        raise EvaluationError(f"a picture needs {needed}; got none")
