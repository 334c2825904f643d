"""What is known of the effect when nothing is assumed about extreme rows' missing treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.weights import clever_covariates
from hybrid_assets.nuisance.cross_fitting import CrossFit
from hybrid_assets.positivity.diagnostics import combined_propensity, is_extreme
from hybrid_assets.positivity.remedies import LEAST_PROPENSITY


@dataclass(frozen=True)
class WorstCase:
    """Bounds of the average effect of everyone.

    Attributes
    ----------
    share_extreme : float
    bound_low, bound_high : float
        What the effect is if the missing outcomes of extreme rows are the
        least or the most favourable.
    ci_low, ci_high : float
        95 % interval for the effect itself, wherever it lies between them.
    """

    share_extreme: float
    bound_low: float
    bound_high: float
    ci_low: float
    ci_high: float

    @property
    def width(self) -> float:
        """Distance of the bounds: share extreme times the outcome's range."""
        return self.bound_high - self.bound_low


def worst_case(cross_fits: tuple[CrossFit, ...]) -> WorstCase:
    """Bound the average effect on an outcome of 0 and 1.

    Rows that are not extreme enter with their AIPW term. An extreme row
    enters with the mean of the arm it could have been in and with 0 or 1 for
    the other: nothing is taken from the outcome model there.

    Parameters
    ----------
    cross_fits : tuple of CrossFit
        Bounds and standard errors are combined by the median rule.

    Raises
    ------
    EstimationError
        If the outcome is not 0/1: the range of a measurement is not known, and
        the least and greatest value seen are two people's.

    References
    ----------
    Manski 1990, American Economic Review 80(2):319-323; Imbens and Manski
    2004, doi:10.1111/j.1468-0262.2004.00555.x (the interval).
    """
    if not np.isin(cross_fits[0].outcome, (0.0, 1.0)).all():
        raise EstimationError("worst-case bounds need an outcome of 0 and 1")
    unknown = is_extreme(combined_propensity(cross_fits))
    terms = [_terms(fit, unknown) for fit in cross_fits]
    (low, low_se), (high, high_se) = (_median_rule([each[k] for each in terms]) for k in (0, 1))
    critical = imbens_manski_critical_value(high - low, max(low_se, high_se))
    return WorstCase(
        share_extreme=float(unknown.mean()),
        bound_low=low,
        bound_high=high,
        ci_low=low - critical * low_se,
        ci_high=high + critical * high_se,
    )


def _terms(fit: CrossFit, unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give every row's term of the lower and of the upper bound, each of shape (n,)."""
    raw, a, y = fit.propensity_unbounded, fit.treatment, fit.outcome
    h1, h0 = clever_covariates(np.clip(raw, LEAST_PROPENSITY, 1.0 - LEAST_PROPENSITY))
    treated = fit.outcome_treated + a * h1 * (y - fit.outcome_treated)
    control = fit.outcome_control + (1.0 - a) * h0 * (y - fit.outcome_control)
    never, always = unknown & (raw < 0.5), unknown & (raw > 0.5)
    low, high = (
        np.where(never, worst, treated) - np.where(always, 1.0 - worst, control)
        for worst in (0.0, 1.0)
    )
    return low, high


def _median_rule(terms: list[np.ndarray]) -> tuple[float, float]:
    means = np.array([each.mean() for each in terms])
    variances = np.array([each.var(ddof=1) / len(each) for each in terms])
    middle = float(np.median(means))
    return middle, float(np.sqrt(np.median(variances + (means - middle) ** 2)))


def imbens_manski_critical_value(width: float, standard_error: float) -> float:
    """Solve Φ(c + width/SE) − Φ(−c) = .95: 1.96 for a point, 1.645 for a wide range."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    spread = width / standard_error if standard_error > 0.0 else np.inf
    return float(brentq(lambda c: norm.cdf(c + spread) - norm.cdf(-c) - 0.95, 1.0, 3.0))
