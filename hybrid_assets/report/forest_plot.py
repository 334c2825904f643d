"""The picture of all effect estimates: table by table, estimator by estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybrid_assets.errors import EvaluationError
from hybrid_assets.published import PUBLISHED_GENERATOR_LABEL, PUBLISHED_LABEL
from hybrid_assets.report.canvas import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    blank_figure,
    legend_above,
    plain_text,
    png_bytes,
)
from hybrid_assets.report.summary import ComparisonRow, EffectInterval, TableKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND_COLOURS: dict[TableKind, str] = {
    "seed": BLACK,
    "hybrid": BLUE,
    "full synthetic": ORANGE,
    "paired": PURPLE,
}


LABELS = (PUBLISHED_LABEL, PUBLISHED_GENERATOR_LABEL)
STARS = ("", " *")  # labels are told once, in the legend: headings must leave room to draw


def ate_forest_plot(
    rows: Sequence[ComparisonRow],
    *,
    true_effect: float | None = None,
    main_estimator: str = "tmle",
) -> bytes:
    """Draw every estimate with its 95 % intervals, under a heading for each table.

    The thick interval takes rows for people, the thin one is adjusted for the
    number of people behind a synthetic table. A diamond on a heading is the
    effect that a hybrid table has by construction.

    Parameters
    ----------
    rows : sequence of ComparisonRow
        The first of the seed, if there is one, also gives the line of its main estimate.
    true_effect : float, optional
        Drawn as a line.
    main_estimator : str
        Word of the estimator whose seed estimate is drawn as a line.

    Returns
    -------
    bytes
        A PNG picture.
    """
    n_lines = sum(1 + len(row.estimates) for row in rows)
    if not n_lines:
        raise EvaluationError("a forest plot needs at least one table; got none")
    figure, axes = blank_figure(1.5 + 0.235 * n_lines)
    axes.grid(visible=False, axis="y")
    _draw_lines(axes, rows, true_effect, main_estimator)
    labels: list[str] = []
    for row in rows:
        if row.psi_exact is not None:
            axes.plot(row.psi_exact, len(labels), "D", color=GREEN, markersize=6, zorder=3)
        labels.append(f"{_starred(row.table)} ({row.n_rows:,} rows)")
        for word, interval in row.estimates.items():
            _draw_interval(axes, len(labels), interval, KIND_COLOURS[row.kind])
            labels.append(f"   {word.replace('_', ' ')}")
    axes.set_yticks(range(n_lines), [plain_text(label) for label in labels])
    for tick, label in zip(axes.get_yticklabels(), labels, strict=True):
        is_heading = not label.startswith(" ")
        tick.set_fontweight("bold" if is_heading else "normal")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(n_lines - 0.4, -0.7)
    axes.set_xlabel("average treatment effect (units of the outcome)")
    _explain(axes, rows)
    legend_above(figure, axes, n_columns=2)
    return png_bytes(figure)


def _draw_lines(
    axes: Axes, rows: Sequence[ComparisonRow], true_effect: float | None, main_estimator: str
) -> None:
    axes.axvline(0, color=GREY, linewidth=0.8)
    if true_effect is not None:
        axes.axvline(true_effect, color=RED, linewidth=1.4, label="true effect")
    seed = next((r for r in rows if r.kind == "seed" and main_estimator in r.estimates), None)
    if seed is not None:
        estimate = seed.estimates[main_estimator].estimate
        label = f"seed ({main_estimator.replace('_', ' ')})"
        axes.axvline(estimate, color=BLACK, linestyle=":", linewidth=1.4, label=label)


def _draw_interval(axes: Axes, at: int, interval: EffectInterval, colour: str) -> None:
    if interval.ci_low_adjusted is not None and interval.ci_high_adjusted is not None:
        ends = [interval.ci_low_adjusted, interval.ci_high_adjusted]
        axes.plot(ends, [at, at], "|-", color=colour, linewidth=1.2, markersize=7)
    ends = [interval.ci_low, interval.ci_high]
    axes.plot(ends, [at, at], color=colour, linewidth=5, solid_capstyle="butt")
    axes.plot(interval.estimate, at, "o", color="white", markersize=3, zorder=3)


def _starred(table: str) -> str:
    for label, star in zip(LABELS, STARS, strict=True):
        table = table.replace(f" ({label})", star)
    return table


def _explain(axes: Axes, rows: Sequence[ComparisonRow]) -> None:
    """Add empty lines that tell the legend what the marks are."""
    axes.plot([], [], color=GREY, linewidth=5, label="95 %, rows taken for people")
    intervals = [interval for row in rows for interval in row.estimates.values()]
    if any(interval.ci_low_adjusted is not None for interval in intervals):
        axes.plot([], [], "|-", color=GREY, linewidth=1.2, label="95 %, adjusted for people")
    for label, star in zip(LABELS, STARS, strict=True):
        if any(f" ({label})" in row.table for row in rows):
            axes.plot([], [], linestyle="none", label=f"{star} {label}".strip())
    if any(row.psi_exact is not None for row in rows):
        axes.plot([], [], "D", color=GREEN, linestyle="none", label="exact effect of the table")
