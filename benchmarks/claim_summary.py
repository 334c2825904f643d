"""What the draws of the claim say together, each figure with its Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.claim_draws import ClaimDraw

WITHIN = 2.0  # standard errors
MOST_RMSE = 1.1  # of the oracle's, expected of the hybrid
NORMAL_975 = 1.959963984540054


@dataclass(frozen=True)
class RecoveredShare:
    """How many draws have the true effect within two standard errors.

    `low` and `high` are Wilson's 95 % interval: a share of 1 in 40 draws is
    not certainty.
    """

    n_recovered: int
    n_draws: int
    low: float
    high: float


@dataclass(frozen=True)
class RmseRatio:
    """Root mean squared error over the oracle's on the same draws, with its jackknife error."""

    value: float
    monte_carlo_error: float


def recovered_share(misses: np.ndarray, standard_errors: np.ndarray) -> RecoveredShare:
    """Count draws whose miss is at most two standard errors.

    Parameters
    ----------
    misses : ndarray, shape (n,)
        Estimate minus true effect.
    standard_errors : ndarray, shape (n,)

    References
    ----------
    Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    n, n_recovered = len(misses), int((np.abs(misses) <= WITHIN * standard_errors).sum())
    share, square = n_recovered / n, NORMAL_975**2 / n
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return RecoveredShare(n_recovered, n, float(middle - half), float(middle + half))


def rmse_ratio(misses: np.ndarray, oracle_misses: np.ndarray) -> RmseRatio:
    """Divide two root mean squared errors; the error leaves out one draw at a time."""
    squares, oracle_squares = misses**2, oracle_misses**2
    value = float(np.sqrt(squares.sum() / oracle_squares.sum()))
    without = np.sqrt((squares.sum() - squares) / (oracle_squares.sum() - oracle_squares))
    n = len(misses)
    spread = ((without - without.mean()) ** 2).sum()
    return RmseRatio(value, float(np.sqrt((n - 1) / n * spread)))


@dataclass(frozen=True)
class ClaimRow:
    """One design with one generator.

    `population` is the hybrid population's exact effect (the seed's TMLE);
    `hybrid` and `full` are what an analyst finds in the tables.
    """

    design: str
    generator: str
    hybrid_share: RecoveredShare
    full_share: RecoveredShare
    population_ratio: RmseRatio
    hybrid_ratio: RmseRatio
    full_ratio: RmseRatio
    full_bias: float
    full_bias_error: float
    cpu_seconds: float

    @property
    def hybrid_verdict(self) -> str:
        """Whether the hybrid population's RMSE is as expected, two Monte-Carlo errors allowed."""
        ratio = self.population_ratio
        if ratio.value <= MOST_RMSE:
            return EXPECTED
        surely_more = ratio.value - 2 * ratio.monte_carlo_error > MOST_RMSE
        return UNEXPECTED if surely_more else UNDECIDED

    @property
    def full_verdict(self) -> str:
        """Whether most full-synthetic tables miss by more than two standard errors."""
        if self.full_share.high < 0.5:
            return EXPECTED
        return UNEXPECTED if self.full_share.low > 0.5 else UNDECIDED


EXPECTED, UNEXPECTED = "as expected", "NOT as expected"
UNDECIDED = "undecided with so few draws"


def claim_row(draws: list[ClaimDraw]) -> ClaimRow:
    """Summarise the draws (two or more) of one design and generator."""
    columns = {
        name: np.array([getattr(draw, name) for draw in draws], dtype=float)
        for name in (
            *("true_ate", "oracle", "hybrid_exact", "cpu_seconds"),
            *("hybrid", "hybrid_standard_error", "full", "full_standard_error"),
        )
    }
    misses = {
        name: columns[name] - columns["true_ate"]
        for name in ("oracle", "hybrid_exact", "hybrid", "full")
    }
    return ClaimRow(
        design=draws[0].design,
        generator=draws[0].generator,
        hybrid_share=recovered_share(misses["hybrid"], columns["hybrid_standard_error"]),
        full_share=recovered_share(misses["full"], columns["full_standard_error"]),
        population_ratio=rmse_ratio(misses["hybrid_exact"], misses["oracle"]),
        hybrid_ratio=rmse_ratio(misses["hybrid"], misses["oracle"]),
        full_ratio=rmse_ratio(misses["full"], misses["oracle"]),
        full_bias=float(misses["full"].mean()),
        full_bias_error=float(misses["full"].std(ddof=1) / np.sqrt(len(draws))),
        cpu_seconds=float(columns["cpu_seconds"].mean()),
    )


def claim_rows(draws: Iterable[ClaimDraw]) -> list[ClaimRow]:
    """Summarise each design and generator that has two draws or more, in order of appearance."""
    groups: dict[tuple[str, str], list[ClaimDraw]] = {}
    for draw in draws:
        groups.setdefault((draw.design, draw.generator), []).append(draw)
    return [claim_row(group) for _, group in sorted(groups.items()) if len(group) > 1]


def claim_page(draws: list[ClaimDraw]) -> str:
    """Write the Markdown page."""
    rows = claim_rows(draws)
    versions = ", ".join(sorted({draw.code_version for draw in draws}))
    sizes = ", ".join(sorted({f"{d.n_rows} people, {d.n_synthetic} synthetic rows" for d in draws}))
    heads, rule = " | ".join(HEADS), "|".join(["---"] * len(HEADS))
    top = TOP.format(sizes=sizes, versions=versions, heads=heads, rule=rule)
    lines = [top, *map(_line, rows), "", "## Verdict", ""]
    return "\n".join([*lines, *map(_verdict, rows), ""])


TOP = """# The claim: the hybrid keeps the effect, the generator alone does not

Written by `make claim` ({sizes}; code {versions}).

Each draw is a fresh study from a design whose effect is known; its generator is fitted anew.
*Within 2 SE* counts draws in which an analyst's TMLE of the table is within two of its standard
errors (widened by √(1 + rows / people)) of the true effect, with Wilson's 95 % interval. *RMSE* is
over that of AIPW with the design's own nuisances on the same people, ± its jackknife Monte-Carlo
error: of the hybrid population's exact effect, and of the effect found in each table (which adds
the table's own sampling error to that of the people). *Bias* is the mean of the full-synthetic
tables' estimates minus the truth, ± its Monte-Carlo error. bootstrap repeats real people: the
ceiling, not a release.

| {heads} |
|{rule}|"""

HEADS = (
    "design",
    "generator",
    "draws",
    "hybrid within 2 SE",
    "full synthetic within 2 SE",
    "RMSE hybrid population",
    "RMSE hybrid table",
    "RMSE full synthetic",
    "bias full synthetic",
    "CPU s a draw",
)


def _line(row: ClaimRow) -> str:
    cells = (
        row.design,
        row.generator,
        str(row.hybrid_share.n_draws),
        *(_share(share) for share in (row.hybrid_share, row.full_share)),
        *(
            f"{ratio.value:.2f} ± {ratio.monte_carlo_error:.2f}"
            for ratio in (row.population_ratio, row.hybrid_ratio, row.full_ratio)
        ),
        f"{row.full_bias:+.3f} ± {row.full_bias_error:.3f}",
        f"{row.cpu_seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _share(share: RecoveredShare) -> str:
    interval = f"{100 * share.low:.0f} to {100 * share.high:.0f} %"
    return f"{share.n_recovered} of {share.n_draws} ({interval})"


def _verdict(row: ClaimRow) -> str:
    is_ceiling = row.generator == "bootstrap"
    full = "a ceiling, no expectation" if is_ceiling else row.full_verdict
    return (
        f"- {row.design}, {row.generator}: hybrid population's RMSE at most {MOST_RMSE} of the "
        f"oracle's: {row.hybrid_verdict}; full synthetic beyond {WITHIN:.0f} SE in most draws: "
        f"{full}."
    )
