"""What the draws of the claim say together, each figure with its Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.claim_draws import ClaimDraw

WITHIN = 2.0  # standard errors
NOMINAL_SHARE = 0.95  # of draws, at least, for an honest table
FEWEST_DRAWS = 20  # on which anything is said to be as expected
MOST_RMSE = 1.1  # of the oracle's, expected of the hybrid
MOST_CHANCE = 0.05  # of a paired difference on draws, two-sided
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
class PairedRecovery:
    """Draws on which one of the two tables recovers the true effect and the other does not.

    `p_value` is McNemar's, exact and two-sided: under equal chances each such
    draw is a toss of a fair coin.
    """

    hybrid_only: int
    full_only: int
    p_value: float


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
    n, n_recovered = len(misses), int(is_recovered(misses, standard_errors).sum())
    share, square = n_recovered / n, NORMAL_975**2 / n
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return RecoveredShare(n_recovered, n, float(middle - half), float(middle + half))


def paired_recovery(hybrid: np.ndarray, full: np.ndarray) -> PairedRecovery:
    """Compare draw by draw, bool of shape (n,): whether each table recovers the true effect.

    References
    ----------
    McNemar 1947, doi:10.1007/BF02295996.
    """
    from scipy.stats import binomtest

    counts = int((hybrid & ~full).sum()), int((full & ~hybrid).sum())
    p_value = float(binomtest(counts[0], sum(counts)).pvalue) if sum(counts) else 1.0
    return PairedRecovery(*counts, p_value)


def is_recovered(misses: np.ndarray, standard_errors: np.ndarray) -> np.ndarray:
    """Flag the draws whose miss is at most two standard errors; all of shape (n,)."""
    return np.asarray(np.abs(misses) <= WITHIN * standard_errors)


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
    paired: PairedRecovery
    population_ratio: RmseRatio
    hybrid_ratio: RmseRatio
    full_ratio: RmseRatio
    full_bias: float
    full_bias_error: float
    cpu_seconds: float

    @property
    def hybrid_verdict(self) -> str:
        """Whether the hybrid population's RMSE is two Monte-Carlo errors below or above 1.1."""
        ratio = self.population_ratio
        if ratio.value - 2 * ratio.monte_carlo_error > MOST_RMSE:
            return UNEXPECTED
        return self._expected_if(ratio.value + 2 * ratio.monte_carlo_error <= MOST_RMSE)

    @property
    def recovery_verdict(self) -> str:
        """Whether hybrid tables recover the truth on more draws than full-synthetic ones.

        Not as expected if they do on fewer (exact McNemar, 5 %), or if Wilson's
        interval of their own share lies below 95 %.
        """
        is_clear = self.paired.p_value <= MOST_CHANCE
        gained = self.paired.hybrid_only - self.paired.full_only
        if (is_clear and gained < 0) or self.hybrid_share.high < NOMINAL_SHARE:
            return UNEXPECTED
        return self._expected_if(is_clear and gained > 0)

    @property
    def full_verdict(self) -> str:
        """Whether most full-synthetic tables miss by more than two standard errors."""
        if self.full_share.low > 0.5:
            return UNEXPECTED
        return self._expected_if(self.full_share.high < 0.5)

    def _expected_if(self, is_shown: bool) -> str:
        return EXPECTED if is_shown and self.full_share.n_draws >= FEWEST_DRAWS else UNDECIDED


EXPECTED, UNEXPECTED = "as expected", "NOT as expected"
UNDECIDED = "undecided"


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
    shown = {name: (misses[name], columns[f"{name}_standard_error"]) for name in ("hybrid", "full")}
    return ClaimRow(
        design=draws[0].design,
        generator=draws[0].generator,
        hybrid_share=recovered_share(*shown["hybrid"]),
        full_share=recovered_share(*shown["full"]),
        paired=paired_recovery(is_recovered(*shown["hybrid"]), is_recovered(*shown["full"])),
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
