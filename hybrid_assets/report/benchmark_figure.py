"""The picture of an estimator benchmark: error, coverage and power over sample sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.report.canvas import (
    BLACK,
    SERIES_COLOURS,
    SERIES_MARKERS,
    SERIES_STYLES,
    blank_panels,
    legend_above,
    plain_text,
    png_bytes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "rmse": "root mean squared error\n(units of the outcome)",
    "coverage": "coverage of\n95 % intervals",
    "power": "power",
    "type_1_error": "type-1 error",
}
_TARGETS = {"coverage": 0.95, "type_1_error": 0.05}


def learning_curves_plot(performance: pd.DataFrame, *, scenario: str | None = None) -> bytes:
    """Draw how each estimator's error, coverage and power change with the number of rows.

    Parameters
    ----------
    performance : DataFrame
        As given by `hybrid_assets.benchmark.performance`; bars are 95 %
        Monte-Carlo intervals. Without an effect, power is the type-1 error.
    scenario : str, optional
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
    if scenario is None and len(performance):
        scenario = str(performance["scenario"].iloc[0])
    rows = performance[performance["scenario"] == scenario].dropna(subset=["rmse", "coverage"])
    if rows.empty:
        raise EvaluationError(f"a picture needs the rmse of scenario {scenario!r}; got none")
    rejections = "type_1_error" if rows["power"].isna().all() else "power"
    shown = ("rmse", "coverage", rejections)
    figure, panels = blank_panels(7.0, len(shown))
    for axes, figure_of_merit in zip(panels, shown, strict=True):
        _draw(axes, rows, figure_of_merit)
    panels[-1].set_xlabel("rows of the table")
    legend_above(figure, panels[0], n_columns=4)
    return png_bytes(figure)


def _draw(axes: Axes, rows: pd.DataFrame, figure_of_merit: str) -> None:
    for position, (word, curve) in enumerate(rows.groupby("estimator", sort=False)):
        shift = 1.0 + 0.02 * (position - 1.5)  # bars side by side
        axes.errorbar(
            curve["n_rows"] * shift,
            curve[figure_of_merit],
            _bars(curve, figure_of_merit),
            color=SERIES_COLOURS[position % len(SERIES_COLOURS)],
            linestyle=SERIES_STYLES[position % len(SERIES_STYLES)],
            marker=SERIES_MARKERS[position % len(SERIES_MARKERS)],
            markersize=4,
            capsize=2,
            label=plain_text(str(word).replace("_", " ")),
        )
    sizes = sorted(rows["n_rows"].unique())
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_ylabel(_LABELS[figure_of_merit])
    if figure_of_merit == "rmse":
        axes.set_ylim(bottom=0.0)
    if figure_of_merit in _TARGETS:
        axes.axhline(_TARGETS[figure_of_merit], color=BLACK, linewidth=0.8)


def _bars(curve: pd.DataFrame, figure_of_merit: str) -> np.ndarray:
    """Give the lengths below and above each point, shape (2, n): no share is over 1."""
    half = 1.96 * curve[f"{figure_of_merit}_error"].to_numpy(dtype=float)
    room = np.inf if figure_of_merit == "rmse" else 1.0 - curve[figure_of_merit].to_numpy(float)
    return np.vstack([half, np.minimum(half, room)])
