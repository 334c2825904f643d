"""Nuisance values for every row, from models that never saw the row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance.library import one_thread
from hybrid_assets.nuisance.observed import Observed
from hybrid_assets.nuisance.out_of_fold import FoldFits, out_of_fold
from hybrid_assets.nuisance.settings import AnyNuisanceSettings, ForestSettings, NuisanceSettings
from hybrid_assets.nuisance.stacking import Stack, fit_stack
from hybrid_assets.schema import TableSchema

PUBLISHED_BOUND = 1e-6


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
    *,
    workers: Executor | None = None,
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
    workers : Executor, optional
        Fits the learners where there are many rows; this process if None. The result is the same.

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
    observed = Observed.from_table(table, schema, settings)
    folds = [_fold_ids(observed, settings, rng)]
    return _cross_fits(observed, settings, folds, known_propensity, workers)[0]


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
    observed = Observed.from_table(table, schema, settings)
    words = settings.outcome_library
    with one_thread(words):
        wanted = [FoldFits("outcome", word, fit.fold_ids) for word in words]
        q, q_stack = _outcome(observed, settings, iter(out_of_fold(observed, wanted)))
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
    *,
    workers: Executor | None = None,
) -> tuple[CrossFit, ...]:
    """Repeat `cross_fit` with fresh folds, `settings.n_fold_draws` times (once if in-sample)."""
    observed = Observed.from_table(table, schema, settings)
    folds = [_fold_ids(observed, settings, draw) for draw in rng.spawn(settings.n_fold_draws)]
    return _cross_fits(observed, settings, folds, known_propensity, workers)


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


def _cross_fits(
    observed: Observed,
    settings: AnyNuisanceSettings,
    folds: list[np.ndarray],
    known: float | None,
    workers: Executor | None,
) -> tuple[CrossFit, ...]:
    """Fit everything for every fold draw, then stack draw by draw."""
    if known is not None and not 0.0 < known < 1.0:
        raise EstimationError(f"a known propensity lies strictly between 0 and 1; got {known}")
    _bound(observed, settings)  # refuses too few rows before anything is fitted
    g_words = settings.propensity_library if known is None else ()
    wanted: list[FoldFits] = []
    for fold_ids in folds:
        wanted += [FoldFits("propensity", word, fold_ids) for word in g_words]
        wanted += [FoldFits("outcome", word, fold_ids) for word in settings.outcome_library]
    with one_thread({fits.learner for fits in wanted}):
        predicted = iter(out_of_fold(observed, wanted, workers))
        return tuple(_stacked(observed, settings, ids, predicted, known) for ids in folds)


def _stacked(
    observed: Observed,
    settings: AnyNuisanceSettings,
    fold_ids: np.ndarray,
    predicted: Iterator[np.ndarray],
    known: float | None,
) -> CrossFit:
    """Stack what was predicted for one fold draw."""
    bound = _bound(observed, settings)
    if known is None:
        g, g_stack = _propensity(observed, settings, predicted)
    else:
        g, g_stack = np.full(len(observed.treatment), float(known)), None
    q, q_stack = _outcome(observed, settings, predicted)
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


def _bound(observed: Observed, settings: AnyNuisanceSettings) -> float:
    if isinstance(settings, ForestSettings):
        return PUBLISHED_BOUND
    return propensity_bound(len(observed.treatment))


def _propensity(
    observed: Observed, settings: AnyNuisanceSettings, predicted: Iterator[np.ndarray]
) -> tuple[np.ndarray, Stack | None]:
    words = tuple(settings.propensity_library)
    predictions = np.column_stack(list(islice(predicted, len(words))))
    stack = fit_stack(words, predictions, observed.treatment, True)
    return stack.combine(predictions), stack


def _outcome(
    observed: Observed, settings: AnyNuisanceSettings, predicted: Iterator[np.ndarray]
) -> tuple[np.ndarray, Stack]:
    words = tuple(settings.outcome_library)
    predictions = np.stack(list(islice(predicted, len(words))), axis=-1)
    own_arm = predictions[observed.treatment.astype(int), np.arange(len(observed.outcome))]
    stack = fit_stack(words, own_arm, observed.outcome, observed.is_binary)
    return stack.combine(predictions), stack
