"""What the people behind a study have spent of their privacy: every noisy look, added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

ADJACENCY = "replace-one"
ADJACENCY_MEANING = (
    "two tables of the same number of rows that differ in one person's row; the number of rows is "
    "taken to be public"
)
LOWEST_ORDER, HIGHEST_ORDER = 1e-9, 1e9  # of Rényi divergences, less one


@checked_dataclass(frozen=True)
class Spent:
    """One mechanism that looked at the people's rows.

    Attributes
    ----------
    what : str
        What came out, such as ``"law of W, A and Y"``.
    mechanism : str
        Such as ``"AIM"``.
    rho : float
        Zero-concentrated differential privacy under `ADJACENCY`; 0 for what is
        made from earlier noisy answers alone.
    """

    what: str
    mechanism: str
    rho: float = Field(ge=0.0, allow_inf_nan=False)


@checked_dataclass(frozen=True)
class PrivacyLedger:
    """Everything that was spent on one study's people, oldest first.

    Attributes
    ----------
    spent : tuple of Spent
    delta : float
        In (0, 1): at which δ the loss is told.
    """

    spent: tuple[Spent, ...] = ()
    delta: float = Field(default=1e-6, gt=0.0, lt=1.0)

    @property
    def rho(self) -> float:
        """What all entries add up to (Bun and Steinke 2016, arXiv 1605.02065, lemma 2.3)."""
        return float(sum(entry.rho for entry in self.spent))

    @property
    def epsilon(self) -> float:
        """The same as ε at `delta`."""
        return epsilon_of(self.rho, self.delta)

    @property
    def n_looks(self) -> int:
        """How many entries cost something."""
        return sum(entry.rho > 0.0 for entry in self.spent)

    def with_spent(self, *entries: Spent, delta: float) -> PrivacyLedger:
        """Add entries, and tell the loss at this δ from now on."""
        return PrivacyLedger((*self.spent, *entries), delta)


LEDGER: TypeAdapter[PrivacyLedger] = TypeAdapter(PrivacyLedger)


@dataclass(frozen=True)
class PrivacyLoss:
    """What may be claimed of a table, and for what.

    Attributes
    ----------
    epsilon, delta, rho : float
        Of all looks taken together.
    n_looks : int
    adjacency, covers, does_not_cover : str
        Which neighbours, and which numbers.
    """

    epsilon: float
    delta: float
    rho: float
    n_looks: int
    adjacency: str
    covers: str
    does_not_cover: str

    @property
    def claim(self) -> str:
        """One sentence, ε rounded up."""
        looks = "one fit" if self.n_looks == 1 else f"{self.n_looks} fits added up"
        return (
            f"ε = {np.ceil(self.epsilon * 1000) / 1000:g} at δ = {self.delta:g} "
            f"(ρ = {self.rho:.4g} zCDP, {looks}; {self.adjacency} neighbours)"
        )


COVERS = (
    "the synthetic rows: covariates, treatment and outcome, with the propensity and outcome models "
    "and the effect behind them, which were made from noisy counts and nothing else"
)
WITHOUT_PRIVACY_NOISE = (
    "Intervals leave out the error that the noise of differential privacy adds to the effect: they "
    "are too narrow"
)
DOES_NOT_COVER = (
    "figures computed from the study's people for its own staff, without noise: the study's own "
    "effect, overlap, the attacks and the gates; what other generators of the study hand out"
)


def loss_of(ledger: PrivacyLedger) -> PrivacyLoss:
    """Say what may be claimed after everything in a ledger."""
    return PrivacyLoss(
        epsilon=ledger.epsilon,
        delta=ledger.delta,
        rho=ledger.rho,
        n_looks=ledger.n_looks,
        adjacency=ADJACENCY,
        covers=COVERS,
        does_not_cover=DOES_NOT_COVER,
    )


def epsilon_of(rho: float, delta: float) -> float:
    """Give the least ε that ρ-zCDP is known to imply at δ.

    Parameters
    ----------
    rho : float
        At least 0.
    delta : float
        In (0, 1).

    Returns
    -------
    float
        The infimum over α > 1 of αρ + ln(1/(αδ))/(α − 1) + ln(1 − 1/α), not below 0.

    References
    ----------
    Canonne, Kamath and Steinke 2020, arXiv 2004.00010, proposition 12; tight for
    what is known of Rényi divergences of all orders.
    """
    from scipy.optimize import minimize_scalar

    if rho == 0.0:
        return 0.0

    def bound(log_order: float) -> float:
        above = np.exp(log_order)  # α − 1
        order = 1.0 + above
        return float(
            order * rho - (np.log(delta) + np.log(order)) / above + np.log(above) - np.log1p(above)
        )

    # unimodal in practice; the grid keeps the search out of a flat tail
    grid = np.linspace(np.log(LOWEST_ORDER), np.log(HIGHEST_ORDER), 400)
    best = int(np.argmin([bound(x) for x in grid]))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = minimize_scalar(bound, bounds=ends, method="bounded", options={"xatol": 1e-12})
    return max(float(found.fun), 0.0)


def rho_within(epsilon: float, delta: float) -> float:
    """Give the most ρ that stays within ε at δ; the inverse of `epsilon_of`."""
    from scipy.optimize import brentq

    low, high = epsilon**2 * 1e-9, epsilon  # ε(ρ) ≥ ρ: no more than ε fits
    root = float(brentq(lambda rho: epsilon_of(rho, delta) - epsilon, low, high, xtol=1e-15))
    return root * (1.0 - 1e-9)  # never above what was asked for
