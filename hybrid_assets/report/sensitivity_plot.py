"""The picture of the sensitivity study: errors of the effect, scenario by scenario."""

from __future__ import annotations

import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.report.canvas import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    blank_figure,
    legend_above,
    plain_text,
    png_bytes,
)

MARKS = {True: (BLUE, "o", "calibrated"), False: (ORANGE, "s", "not calibrated")}


def sensitivity_plot(rows: pd.DataFrame) -> bytes:
    """Mean error of the hybrid's effect with its 95 % interval, and ± RMSE behind it.

    Parameters
    ----------
    rows : DataFrame
        As given by `hybrid_assets.sensitivity.simulate_sensitivity`; the
        question ``calibration``, which repeats scenarios, is left out.

    Returns
    -------
    bytes
        A PNG picture.
    """
    drawn = rows[rows["question"] != "calibration"]
    if drawn.empty:
        raise EvaluationError("a picture needs at least one scenario; got none")
    scenarios = drawn.drop_duplicates(["question", "scenario"])
    n_lines = len(scenarios) + scenarios["question"].nunique()
    figure, axes = blank_figure(1.4 + 0.3 * n_lines)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=BLACK, linewidth=0.8)
    labels: list[str] = []
    for question, of_question in drawn.groupby("question", sort=False):
        labels.append(str(question))
        for scenario, pair in of_question.groupby("scenario", sort=False):
            for _, row in pair.iterrows():
                colour, marker, _ = MARKS[bool(row["is_calibrated"])]
                at = len(labels) + (-0.16 if row["is_calibrated"] else 0.16)
                axes.plot([-row["rmse"], row["rmse"]], [at, at], color=colour, alpha=0.25, lw=4)
                axes.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, lw=1.6)
                axes.plot(row["mean_error"], at, marker, color=colour, markersize=4.5)
            labels.append(f"   {scenario}")
    axes.set_yticks(range(n_lines), [plain_text(label) for label in labels])
    for tick, label in zip(axes.get_yticklabels(), labels, strict=True):
        tick.set_fontweight("normal" if label.startswith(" ") else "bold")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(n_lines - 0.4, -0.7)
    axes.set_xlabel("effect of the hybrid population less the true one (units of the outcome)")
    for colour, marker, word in MARKS.values():
        axes.plot([], [], marker + "-", color=colour, markersize=4.5, label=f"{word}: mean, 95 %")
    axes.plot([], [], color=GREY, alpha=0.4, linewidth=4, label="± RMSE")
    legend_above(figure, axes, n_columns=3)
    return png_bytes(figure)
