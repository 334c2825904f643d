"""Where the marks of the card's effect plot stand: the template draws them as SVG."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_assets.release.card import EffectFidelity

MARGIN = 0.06  # of the width, on either side
FIRST_ROW, ROW_HEIGHT = 22, 30


@dataclass(frozen=True)
class PlotRow:
    """One line of the plot; places are percent of the width, `None` where there is no interval.

    Attributes
    ----------
    label : str
        An estimator's word, or ``seed`` or ``exact``.
    y : int
        Place in pixels.
    value : float
    low, high, low_widened, high_widened : float or None
    """

    label: str
    y: int
    value: float
    low: float | None = None
    high: float | None = None
    low_widened: float | None = None
    high_widened: float | None = None


@dataclass(frozen=True)
class EffectPlot:
    """Rows from top to bottom, and the lines of the study's effect and of no effect.

    Attributes
    ----------
    rows : tuple of PlotRow
    height : int
        Pixels.
    seed : float
        Percent of the width.
    zero : float or None
        The same; None where it is out of sight.
    """

    rows: tuple[PlotRow, ...]
    height: int
    seed: float
    zero: float | None


def effect_plot(effect: EffectFidelity) -> EffectPlot:
    """Lay the study's effect, the population's and the rows' estimates out on one scale."""
    seed = effect.seed
    ends = [seed.ci_low, seed.ci_high, effect.exact]
    for each in effect.estimates:
        ends += [each.ci_low_widened, each.ci_high_widened]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def place(value: float) -> float:
        return round(100 * (MARGIN + (1 - 2 * MARGIN) * (value - low) / span), 2)

    rows = [
        ("seed", seed.estimate, (seed.ci_low, seed.ci_high)),
        ("exact", effect.exact, ()),
        *(
            (
                each.estimator,
                each.estimate,
                (each.ci_low, each.ci_high, each.ci_low_widened, each.ci_high_widened),
            )
            for each in effect.estimates
        ),
    ]
    placed = tuple(
        PlotRow(label, FIRST_ROW + i * ROW_HEIGHT, place(value), *map(place, interval))
        for i, (label, value, interval) in enumerate(rows)
    )
    zero = place(0.0)
    return EffectPlot(
        rows=placed,
        height=FIRST_ROW + len(placed) * ROW_HEIGHT - ROW_HEIGHT // 2,
        seed=place(seed.estimate),
        zero=zero if 0 <= zero <= 100 else None,
    )
