"""Outcomes of unseen people predicted from a synthetic table, and from the real one."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.handing_out import ThisProcess
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

LEARNER_ITERATIONS = 60
LEARNER_DEPTH = 3
SAMPLE_PARTS = 5  # of a sample, fitted apart; the spread of five is known to about a third
ROWS_HANDED_OUT = 3_000_000  # fits to 500,000 take 2.3 CPU s, two processes 5 to start
MAX_UNORDERED_LEVELS = 255  # more are taken in the order they are listed


@dataclass(frozen=True)
class PredictiveScore:
    """How well a learner trained on one table predicts outcomes of unseen real people.

    All intervals are 95 % and cover the draw of the holdout, not that of the
    tables trained on.

    Attributes
    ----------
    metric : {"AUC", "R²"}
        Area under the ROC curve (binary outcome) or share of variance
        explained (numeric outcome).
    value, ci_low, ci_high : float
        Trained on the synthetic table.
    reference, reference_ci_low, reference_ci_high : float
        Trained on the real training split.
    difference, difference_ci_low, difference_ci_high : float
        value − reference, scored on the same people.
    n_test : int
        Rows of the holdout.
    sampling_error : float or None
        Standard error of `value` from the draw of the rows trained on, where
        they are a sample of the table: the spread of fits to its `SAMPLE_PARTS`
        parts over √`SAMPLE_PARTS`.
    """

    metric: Literal["AUC", "R²"]
    value: float
    ci_low: float
    ci_high: float
    reference: float
    reference_ci_low: float
    reference_ci_high: float
    difference: float
    difference_ci_low: float
    difference_ci_high: float
    n_test: int
    sampling_error: float | None = None


def train_on_synthetic_test_on_real(
    synthetic: pd.DataFrame,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    *,
    schema: TableSchema,
    rng: np.random.Generator,
    is_sample: bool = False,
    workers: Executor | None = None,
) -> PredictiveScore | None:
    """Predict the holdout's outcomes from the other columns, treatment included.

    The learner is small histogram gradient boosting (60 trees of depth 3):
    quick on large tables, and unlike a default forest it gains little from
    having seen a row, so copies of the training split earn no bonus.

    Parameters
    ----------
    synthetic, train, holdout : DataFrame
        Canonical tables with the columns of `schema`.
    schema : TableSchema
        With a binary or numeric outcome.
    rng : Generator
        For the learner.
    is_sample : bool
        Whether `synthetic` is a random sample of a longer table. It is then cut
        into `SAMPLE_PARTS` that are fitted apart, and scores are their means.
    workers : Executor, optional
        Fits where the tables have many rows; this process if None. The score is the same.

    Returns
    -------
    PredictiveScore or None
        None if the outcome has a single value in one of the tables: such a
        holdout cannot tell good predictions from bad, and such a training
        table teaches none.

    Raises
    ------
    EvaluationError
        If the outcome is neither binary nor numeric.
    """
    outcome = schema[schema.outcome]
    if isinstance(outcome.dtype, pd.CategoricalDtype):
        raise EvaluationError(
            f"study {schema.study!r}, column {outcome.name!r}: a predictive score needs a binary "
            f"or numeric outcome; got a {outcome.kind.value} one"
        )
    if any(table[outcome.name].nunique() < 2 for table in (synthetic, train, holdout)):
        return None
    truth = holdout[outcome.name].to_numpy(dtype=float)
    random_seed = int(rng.integers(2**31))
    n_parts = SAMPLE_PARTS if is_sample else 1
    fitted = [synthetic.iloc[first::n_parts] for first in range(n_parts)]
    is_binary = outcome.kind is ColumnKind.BINARY
    score = _auc if is_binary else _r_squared
    n_rows = len(synthetic) + len(train)
    place = (workers if n_rows > ROWS_HANDED_OUT else None) or ThisProcess()
    fit = partial(_predictions, holdout=holdout, schema=schema, random_seed=random_seed)
    # people first: they may be most
    (reference, reference_influence), *found = (
        score(guesses, truth) for guesses in place.map(fit, (train, *fitted))
    )
    values = np.array([each for each, _ in found])
    value = float(values.mean())
    influence = np.mean([each for _, each in found], axis=0)
    apart = float(values.std(ddof=1)) / math.sqrt(n_parts) if is_sample else None
    return PredictiveScore(
        "AUC" if is_binary else "R²",
        *_with_interval(value, influence),
        *_with_interval(reference, reference_influence),
        *_with_interval(value - reference, influence - reference_influence),
        n_test=len(truth),
        sampling_error=apart,
    )


def _predictions(
    table: pd.DataFrame, holdout: pd.DataFrame, schema: TableSchema, random_seed: int
) -> np.ndarray:
    """Fit to `table` and predict the outcomes of `holdout`: shape (n_holdout,)."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    columns = [column for column in schema.columns if column.name != schema.outcome]
    target = table[schema.outcome].to_numpy(dtype=float)
    if not columns:  # nothing to learn from: the guess is a constant
        return np.full(len(holdout), target.mean())
    is_binary = schema[schema.outcome].kind is ColumnKind.BINARY
    kind = HistGradientBoostingClassifier if is_binary else HistGradientBoostingRegressor
    learner = kind(
        max_iter=LEARNER_ITERATIONS,
        max_depth=LEARNER_DEPTH,
        early_stopping=False,
        categorical_features=[
            column.kind is ColumnKind.CATEGORICAL
            and len(column.levels or ()) <= MAX_UNORDERED_LEVELS
            for column in columns
        ],
        random_state=random_seed,
    )
    # on a busy machine its threads wait for each other: 16 CPU s were seen instead of 0.6
    with threadpool_limits(limits=1, user_api="openmp"):
        learner.fit(_features(table, columns), target)
        unseen = _features(holdout, columns)
        guesses = learner.predict_proba(unseen)[:, 1] if is_binary else learner.predict(unseen)
    return np.asarray(guesses, dtype=float)


def _features(table: pd.DataFrame, columns: list[ColumnSchema]) -> np.ndarray:
    """Give numbers, and the positions of levels: shape (n, p)."""
    return np.column_stack(
        [
            table[column.name].cat.codes.to_numpy(dtype=float)
            if isinstance(column.dtype, pd.CategoricalDtype)
            else table[column.name].to_numpy(dtype=float)
            for column in columns
        ]
    )


def _with_interval(value: float, influence: np.ndarray) -> tuple[float, float, float]:
    half = 1.959964 * float(influence.std(ddof=1)) / math.sqrt(len(influence))
    return value, value - half, value + half


def _auc(guesses: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """Area under the ROC curve and its influence function, shape (n,).

    From placement values (DeLong, DeLong & Clarke-Pearson 1988,
    doi:10.2307/2531595), counted through ranks (Sun & Xu 2014).
    """
    from scipy.stats import rankdata

    is_case = truth == 1
    n_cases, n_controls = int(is_case.sum()), int((~is_case).sum())
    own_rank = np.empty(len(truth))
    own_rank[is_case] = rankdata(guesses[is_case])
    own_rank[~is_case] = rankdata(guesses[~is_case])
    below = (rankdata(guesses) - own_rank) / np.where(is_case, n_controls, n_cases)
    auc = float(below[is_case].mean())
    placement = np.where(is_case, below - auc, 1.0 - below - auc)
    return auc, placement * len(truth) / np.where(is_case, n_cases, n_controls)


def _r_squared(guesses: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """1 − MSE / variance, and its influence function, shape (n,)."""
    errors, deviations = (truth - guesses) ** 2, (truth - truth.mean()) ** 2
    ratio = errors.mean() / deviations.mean()
    return float(1 - ratio), (ratio * deviations - errors) / deviations.mean()
