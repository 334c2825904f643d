"""The picture of an estimator benchmark: error and coverage over sample sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.report.canvas import (
    BLACK,
    SERIES_COLOURS,
    SERIES_MARKERS,
    SERIES_STYLES,
    blank_figure,
    legend_above,
    plain_text,
    png_bytes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "rmse": "root mean squared error\n(units of the outcome)",
    "bias": "bias\n(units of the outcome)",
    "coverage": "coverage of 95 % intervals",
    "interval_width": "mean width of 95 % intervals\n(units of the outcome)",
    "power": "share of intervals without 0",
    "type_1_error": "type-1 error",
}
_TARGETS = {"bias": 0.0, "coverage": 0.95, "type_1_error": 0.05}


def benchmark_curves_plot(
    performance: pd.DataFrame, *, figure_of_merit: str = "rmse", dial: str | None = None
) -> bytes:
    """Draw how each estimator improves with the number of rows.

    Parameters
    ----------
    performance : DataFrame
        As given by `hybrid_assets.benchmark.performance`.
    figure_of_merit : str
        ``rmse``, ``bias``, ``coverage``, ``interval_width``, ``power`` or
        ``type_1_error``; bars are 95 % Monte-Carlo intervals.
    dial : str, optional
        The first one if not given.

    Returns
    -------
    bytes
        A PNG picture.

    Raises
    ------
    EvaluationError
        If there is nothing to draw.
    """
    if figure_of_merit not in _LABELS:
        raise EvaluationError(f"expected one of {', '.join(_LABELS)}; got {figure_of_merit!r}")
    dial = str(performance["dial"].iloc[0]) if dial is None and len(performance) else dial
    rows = performance[performance["dial"] == dial].dropna(subset=[figure_of_merit])
    if rows.empty:
        raise EvaluationError(f"a picture needs {figure_of_merit} of dial {dial!r}; got none")
    figure, axes = blank_figure(3.6)
    for position, (word, curve) in enumerate(rows.groupby("estimator", sort=False)):
        shift = 1.0 + 0.02 * (position - 1.5)  # bars side by side
        axes.errorbar(
            curve["n_rows"] * shift,
            curve[figure_of_merit],
            1.96 * curve[f"{figure_of_merit}_error"],
            color=SERIES_COLOURS[position % len(SERIES_COLOURS)],
            linestyle=SERIES_STYLES[position % len(SERIES_STYLES)],
            marker=SERIES_MARKERS[position % len(SERIES_MARKERS)],
            markersize=4,
            capsize=2,
            label=plain_text(str(word).replace("_", " ")),
        )
    _scale(axes, sorted(rows["n_rows"].unique()), figure_of_merit)
    axes.set_ylabel(_LABELS[figure_of_merit])
    legend_above(figure, axes, n_columns=4)
    return png_bytes(figure)


def _scale(axes: Axes, sizes: list[int], figure_of_merit: str) -> None:
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("rows of the table")
    if figure_of_merit in ("rmse", "interval_width"):
        axes.set_ylim(bottom=0.0)
    if figure_of_merit in _TARGETS:
        axes.axhline(_TARGETS[figure_of_merit], color=BLACK, linewidth=0.8)
