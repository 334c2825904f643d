"""One estimate of a treatment effect, with what a reader needs to trust it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord

NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class EffectEstimate:
    """An estimate of one estimand, by default E[Y(1)] − E[Y(0)].

    Attributes
    ----------
    estimator : str
        Word in `ESTIMATORS`.
    estimand : str
        Word in `ESTIMANDS`.
    estimate : float
        In units of the outcome, or a ratio.
    standard_error : float
        Of the estimate; of its logarithm for a ratio.
    ci_low, ci_high : float
        95 % normal interval; for a ratio it is normal on the log scale.
    mean_treated, mean_control : float
        Estimates of E[Y(1)] and E[Y(0)] in the estimand's population.
    n_rows : int
        Rows of the table, or of the subgroup.
    influence : ndarray, shape (n,)
        Centred influence function per row, on the scale of the standard
        error. Confidential.
    score_residual : float
        What is left of the equation that the estimator is to solve, on the
        scale of the standard error. About 0, except for outcome regression,
        which solves none: there it is the bias correction that AIPW would add.
    converged : bool
        Whether the equations of both arms are solved to 1e-8 of the outcome's
        range. True for outcome regression, which has none.
    clipped_share : float
        Share of rows whose propensity was moved to its bound.
    ess_treated, ess_control : float
        Effective sample size of each arm under the estimand's weights.
    n_fold_draws : int
        Fold draws behind the median.
    subgroup, subgroup_level : str
        Column and level that the rows share; empty for all rows.
    """

    estimator: str
    estimate: float
    standard_error: float
    ci_low: float
    ci_high: float
    mean_treated: float
    mean_control: float
    n_rows: int
    influence: np.ndarray = field(repr=False)
    score_residual: float
    ess_treated: float
    ess_control: float
    estimand: EstimandWord = "ate"
    converged: bool = True
    clipped_share: float = 0.0
    n_fold_draws: int = 1
    subgroup: str = ""
    subgroup_level: str = ""

    @property
    def value_on_error_scale(self) -> float:
        """The estimate, or its logarithm for a ratio: what the standard error is about."""
        return on_error_scale(self.estimand, self.estimate)

    def with_standard_error(self, standard_error: float) -> EffectEstimate:
        """Replace the standard error and the interval that follows from it."""
        ci_low, ci_high = normal_interval(self.estimand, self.estimate, standard_error)
        return replace(self, standard_error=standard_error, ci_low=ci_low, ci_high=ci_high)


def on_error_scale(estimand: EstimandWord, estimate: float) -> float:
    """Take the logarithm of a ratio; leave a difference as it is."""
    return float(np.log(estimate)) if ESTIMANDS[estimand].is_ratio else estimate


def normal_interval(
    estimand: EstimandWord, estimate: float, standard_error: float
) -> tuple[float, float]:
    """Give the 95 % interval of an estimate, normal on the log scale for a ratio."""
    half = NORMAL_975 * standard_error
    if ESTIMANDS[estimand].is_ratio:
        return estimate * float(np.exp(-half)), estimate * float(np.exp(half))
    return estimate - half, estimate + half
