"""Overlap: whether people with the same covariates receive both treatments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.estimators.weights import arm_weights, effective_sample_size
from hybrid_assets.nuisance.cross_fitting import CrossFit, propensity_bound
from hybrid_assets.schema import ColumnKind, TableSchema
from hybrid_assets.small_cells import told_share

MIN_LEVEL_ROWS = 10
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True, eq=False)
class OverlapDiagnostics:
    """How far a study's weights reach.

    Attributes
    ----------
    n_control, n_treated : int
    propensity_quantiles : dict of float to float
        By probability; before bounding.
    extreme_threshold, share_extreme : float
        Rows with g below ``1 / (sqrt(n) ln n)`` or above one minus it.
    bound, clipped_share : float
        ``5 / (sqrt(n) ln n)`` and the share of rows moved to it.
    ess_control, ess_treated : float
        Effective sample size of each arm under bounded weights.
    balance : DataFrame
        Per covariate (and level that `MIN_LEVEL_ROWS` rows or more have, and as
        many have not): ``smd_unweighted`` and ``smd_weighted``, difference of
        arm means over the unweighted pooled standard deviation; missing where
        that deviation is zero, and for a 0/1 covariate whose rarer value fewer
        rows have: the sign would tell the treatment of a single person.
    """

    n_control: int
    n_treated: int
    propensity_quantiles: dict[float, float]
    extreme_threshold: float
    share_extreme: float
    bound: float
    clipped_share: float
    ess_control: float
    ess_treated: float
    balance: pd.DataFrame

    @property
    def told_extreme(self) -> float | str:
        """Share extreme, without a count of 1 to 9 people."""
        return told_share(self.share_extreme, self.n_control + self.n_treated)

    @property
    def told_clipped(self) -> float | str:
        """Share clipped, without a count of 1 to 9 people."""
        return told_share(self.clipped_share, self.n_control + self.n_treated)


def overlap(
    propensity: np.ndarray,
    treatment: np.ndarray,
    covariates: pd.DataFrame,
    schema: TableSchema,
) -> OverlapDiagnostics:
    """Diagnose overlap from propensities that have not been bounded.

    Parameters
    ----------
    propensity : ndarray, shape (n,)
        P(A = 1 | W) in [0, 1], best out of fold.
    treatment : ndarray, shape (n,)
        A in {0, 1}.
    covariates : DataFrame, shape (n, p)
        Canonical.
    schema : TableSchema
        Its covariates are compared.

    Raises
    ------
    EstimationError
        If an arm is empty, or there are too few rows for a propensity bound.

    References
    ----------
    Austin 2009, doi:10.1002/sim.3697 (standardised mean differences).
    """
    n_rows = len(propensity)
    bound = propensity_bound(n_rows)
    threshold = bound / 5.0
    bounded = np.clip(propensity, bound, 1.0 - bound)
    weights = arm_weights(treatment, bounded)
    quantiles = np.quantile(propensity, QUANTILES)
    return OverlapDiagnostics(
        n_control=int((treatment == 0).sum()),
        n_treated=int((treatment == 1).sum()),
        propensity_quantiles=dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
        extreme_threshold=threshold,
        share_extreme=float(is_extreme(propensity).mean()),
        bound=bound,
        clipped_share=float((bounded != propensity).mean()),
        ess_control=effective_sample_size(weights[1]),
        ess_treated=effective_sample_size(weights[0]),
        balance=_balance(treatment, weights, covariates, schema.covariates),
    )


def is_extreme(propensity: np.ndarray) -> np.ndarray:
    """Flag rows with g below ``1 / (sqrt(n) ln n)`` or above one minus it; bool, shape (n,)."""
    threshold = propensity_bound(len(propensity)) / 5.0
    return np.asarray((propensity < threshold) | (propensity > 1.0 - threshold))


def combined_propensity(cross_fits: tuple[CrossFit, ...]) -> np.ndarray:
    """Give each row's median propensity over the fold draws, not bounded; shape (n,)."""
    return np.asarray(np.median([fit.propensity_unbounded for fit in cross_fits], axis=0))


def _balance(
    treatment: np.ndarray,
    weights: tuple[np.ndarray, np.ndarray],
    covariates: pd.DataFrame,
    schema: TableSchema,
) -> pd.DataFrame:
    plain = (treatment == 1).astype(float), (treatment == 0).astype(float)
    records = []
    for name, level, values in _contrasts(covariates, schema):
        is_rare = level is None and schema[name].is_discrete_set and not _is_common(values)
        variances = [values[treatment == arm].var() for arm in (0, 1)]
        spread = float(np.sqrt(np.mean(variances)))
        unweighted, weighted = (
            float(np.average(values, weights=w[0]) - np.average(values, weights=w[1]))
            for w in (plain, weights)
        )
        records.append(
            {
                "covariate": name,
                "level": level,
                "smd_unweighted": np.nan if is_rare or spread == 0.0 else unweighted / spread,
                "smd_weighted": np.nan if is_rare or spread == 0.0 else weighted / spread,
            }
        )
    return pd.DataFrame(records, columns=["covariate", "level", "smd_unweighted", "smd_weighted"])


def _contrasts(
    covariates: pd.DataFrame, schema: TableSchema
) -> list[tuple[str, str | None, np.ndarray]]:
    contrasts: list[tuple[str, str | None, np.ndarray]] = []
    for column in schema.columns:
        values = covariates[column.name]
        if column.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
            words = values.astype(object).map(str)
            held = [(str(level), words == str(level)) for level in column.levels or ()]
            contrasts += [
                (column.name, level, rows.to_numpy(dtype=float))
                for level, rows in held
                if _is_common(rows.to_numpy())
            ]
        else:
            contrasts.append((column.name, None, values.to_numpy(dtype=float)))
    return contrasts


def _is_common(values: np.ndarray) -> bool:
    """Tell whether enough rows have a level, or a 1, and enough have not."""
    n_with = int(values.sum())
    return min(n_with, len(values) - n_with) >= MIN_LEVEL_ROWS
