"""Nuisance values for every row, from models that never saw the row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance.observed import Observed, outcome_library, propensity_library
from hybrid_assets.nuisance.settings import AnyNuisanceSettings, ForestSettings, NuisanceSettings
from hybrid_assets.nuisance.stacking import Stack, fit_stack
from hybrid_assets.schema import TableSchema

PUBLISHED_BOUND = 1e-6
Splits = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False, repr=False)
class CrossFit:
    """Out-of-fold nuisance values of one fold draw. Confidential: one entry per person.

    Attributes
    ----------
    treatment, outcome : ndarray, shape (n,)
        As observed; what the estimators need beside the nuisances.
    propensity_unbounded : ndarray, shape (n,)
        Estimated or known P(A = 1 | W), in (0, 1).
    propensity : ndarray, shape (n,)
        The same within [bound, 1 - bound].
    outcome_control, outcome_treated : ndarray, shape (n,)
        E[Y | A = a, W] under each arm.
    fold_ids : ndarray of int, shape (n,)
        Fold that left the row out; all 0 for an in-sample fit.
    bound : float
        ``5 / (sqrt(n) ln n)``; 1e-6 with the published recipe's forests.
    propensity_stack : Stack or None
        None when the propensity is known by design.
    outcome_stack : Stack
    """

    treatment: np.ndarray
    outcome: np.ndarray
    propensity_unbounded: np.ndarray
    propensity: np.ndarray
    outcome_control: np.ndarray
    outcome_treated: np.ndarray
    fold_ids: np.ndarray
    bound: float
    propensity_stack: Stack | None
    outcome_stack: Stack

    @property
    def clipped_share(self) -> float:
        """Share of rows whose propensity was moved to the bound, in [0, 1]."""
        return float((self.propensity != self.propensity_unbounded).mean())

    @property
    def outcome_observed_arm(self) -> np.ndarray:
        """E[Y | A, W] at the observed treatment, shape (n,)."""
        return np.where(self.treatment == 1, self.outcome_treated, self.outcome_control)

    def restricted(self, rows: np.ndarray) -> CrossFit:
        """Keep the rows flagged in `rows`, bool of shape (n,); models and bound stay."""
        return replace(
            self,
            treatment=self.treatment[rows],
            outcome=self.outcome[rows],
            propensity_unbounded=self.propensity_unbounded[rows],
            propensity=self.propensity[rows],
            outcome_control=self.outcome_control[rows],
            outcome_treated=self.outcome_treated[rows],
            fold_ids=self.fold_ids[rows],
        )


def propensity_bound(n_rows: int) -> float:
    """Give the least propensity that an estimate divides by, ``5 / (sqrt(n) ln n)``.

    Gruber, Phillips, Lee and van der Laan 2022, doi:10.1093/aje/kwac087.

    Raises
    ------
    EstimationError
        If there are so few rows that the bound is not below one half.
    """
    bound = 5.0 / (np.sqrt(n_rows) * np.log(n_rows)) if n_rows > 1 else np.inf
    if bound >= 0.5:
        raise EstimationError(
            f"{n_rows} rows are too few: the propensity bound 5 / (sqrt(n) ln n) is not below 1/2"
        )
    return float(bound)


def cross_fit(
    table: pd.DataFrame,
    schema: TableSchema,
    settings: AnyNuisanceSettings,
    rng: np.random.Generator,
    known_propensity: float | None = None,
) -> CrossFit:
    """Fit every nuisance without each fold in turn and predict the fold.

    Parameters
    ----------
    table : DataFrame
        Canonical and complete, with the columns of `schema`.
    schema : TableSchema
    settings : NuisanceSettings, ParametricSettings or ForestSettings
        Parametric models and forests are fitted once and predict their own rows.
    rng : numpy Generator
        Draws the folds.
    known_propensity : float in (0, 1), optional
        The treatment probability of a randomised trial; nothing is fitted for it.

    Raises
    ------
    EstimationError
        If the table is unusable, or an arm has fewer rows than there are folds.
    NotConverged
        If a learner or a stack does not solve its equations.

    References
    ----------
    Chernozhukov et al. 2018, doi:10.1111/ectj.12097.
    """
    from threadpoolctl import threadpool_limits

    observed = Observed.from_table(table, schema, settings)
    bound = (
        PUBLISHED_BOUND if isinstance(settings, ForestSettings) else propensity_bound(len(table))
    )
    fold_ids = _fold_ids(observed, settings, rng)
    splits = _splits(fold_ids)
    with threadpool_limits(limits=1):
        g, g_stack = _propensity(observed, settings, splits, known_propensity)
        q, q_stack = _outcome(observed, settings, splits)
    return CrossFit(
        treatment=observed.treatment,
        outcome=observed.outcome,
        propensity_unbounded=g,
        propensity=np.clip(g, bound, 1.0 - bound),
        outcome_control=q[0],
        outcome_treated=q[1],
        fold_ids=fold_ids,
        bound=bound,
        propensity_stack=g_stack,
        outcome_stack=q_stack,
    )


def with_outcome(
    fit: CrossFit, table: pd.DataFrame, schema: TableSchema, settings: AnyNuisanceSettings
) -> CrossFit:
    """Cross-fit another outcome of the same people: folds and propensity are those of `fit`.

    Parameters
    ----------
    fit : CrossFit
        Of a table that differs from `table` in the outcome only.
    table : DataFrame
    schema, settings
        Those of `fit`.
    """
    from threadpoolctl import threadpool_limits

    observed = Observed.from_table(table, schema, settings)
    with threadpool_limits(limits=1):
        q, q_stack = _outcome(observed, settings, _splits(fit.fold_ids))
    return replace(
        fit,
        outcome=observed.outcome,
        outcome_control=q[0],
        outcome_treated=q[1],
        outcome_stack=q_stack,
    )


def cross_fit_draws(
    table: pd.DataFrame,
    schema: TableSchema,
    settings: AnyNuisanceSettings,
    rng: np.random.Generator,
    known_propensity: float | None = None,
) -> tuple[CrossFit, ...]:
    """Repeat `cross_fit` with fresh folds, `settings.n_fold_draws` times (once if in-sample)."""
    return tuple(
        cross_fit(table, schema, settings, draw, known_propensity)
        for draw in rng.spawn(settings.n_fold_draws)
    )


def stratified_folds(strata: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal each stratum's rows, shuffled, to the folds in turn; shape (n,), values 0..n_folds-1."""
    fold_ids = np.empty(len(strata), dtype=np.int64)
    n_dealt = 0
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        fold_ids[rows] = (n_dealt + np.arange(len(rows))) % n_folds
        n_dealt += len(rows)
    return fold_ids


def _fold_ids(
    observed: Observed, settings: AnyNuisanceSettings, rng: np.random.Generator
) -> np.ndarray:
    if not isinstance(settings, NuisanceSettings):
        return np.zeros(len(observed.treatment), dtype=np.int64)
    smallest_arm = int(min(observed.treatment.sum(), (1 - observed.treatment).sum()))
    if smallest_arm < 2 * settings.n_folds:
        raise EstimationError(
            f"the smaller arm has {smallest_arm} rows; {settings.n_folds} folds need at least "
            f"{2 * settings.n_folds}"
        )
    outcome_stratum = observed.outcome if observed.is_binary else 0.0
    return stratified_folds(2 * observed.treatment + outcome_stratum, settings.n_folds, rng)


def _splits(fold_ids: np.ndarray) -> Splits:
    """Give the rows to fit on and to predict, fold by fold; one fold is all in-sample."""
    folds = np.unique(fold_ids)
    if len(folds) == 1:
        return [(np.arange(len(fold_ids)),) * 2]
    return [(np.flatnonzero(fold_ids != k), np.flatnonzero(fold_ids == k)) for k in folds]


def _propensity(
    observed: Observed, settings: AnyNuisanceSettings, splits: Splits, known: float | None
) -> tuple[np.ndarray, Stack | None]:
    if known is not None:
        if not 0.0 < known < 1.0:
            raise EstimationError(f"a known propensity lies strictly between 0 and 1; got {known}")
        return np.full(len(observed.treatment), float(known)), None
    library = propensity_library(settings)
    predictions = np.empty((len(observed.treatment), len(library)))
    for k, learner in enumerate(library):
        basis = observed.matrices[learner.basis]
        for train, test in splits:
            fitted = learner.fit(basis[train], observed.treatment[train], True)
            predictions[test, k] = fitted.predict(basis[test])
    words = tuple(learner.word for learner in library)
    stack = fit_stack(words, predictions, observed.treatment, True)
    return stack.combine(predictions), stack


def _outcome(
    observed: Observed, settings: AnyNuisanceSettings, splits: Splits
) -> tuple[np.ndarray, Stack]:
    library, design = outcome_library(settings), observed.arm_design
    predictions = np.empty((2, len(observed.outcome), len(library)))
    for k, learner in enumerate(library):
        basis = observed.matrices[learner.basis]
        for train, test in splits:
            arms = design.fit(
                learner,
                basis[train],
                observed.treatment[train],
                observed.outcome[train],
                observed.is_binary,
            )
            for arm, fitted in enumerate(arms):
                predictions[arm, test, k] = fitted.predict(design.matrix(basis[test], arm))
    own_arm = predictions[observed.treatment.astype(int), np.arange(len(observed.outcome))]
    words = tuple(learner.word for learner in library)
    stack = fit_stack(words, own_arm, observed.outcome, observed.is_binary)
    return stack.combine(predictions), stack
