"""Paper 1's figures recomputed from its data with its recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.nuisance import ForestSettings, cross_fit
from hybrid_assets.nuisance.forest import fit_forest
from hybrid_assets.published.paper1 import (
    N_SUBSAMPLES,
    SUBSAMPLE_ROWS,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TRUTH_ROWS,
    TRUTH_SEED,
    FigureTable,
)

ESTIMATOR_WORDS = ("iptw", "aipw", "outcome_regression")  # in the order of paper1.EFFECTS
POOLS = ("llm_hybrid", "gan_hybrid", "real")
SCHEMA = DESIGNS["paper1_trial"].schema()


def published_effects(table: pd.DataFrame) -> tuple[float, float, float]:
    """Estimate the effect by IPTW (Hájek), AIPW and substitution from in-sample forests.

    Parameters
    ----------
    table : DataFrame, shape (n, p)
        Columns W1..W6, A and Y as published; others are ignored. Treatments
        are cut to whole numbers, as the papers' script does: `llm_full` has two
        others.

    Raises
    ------
    EstimationError
        If a value is missing or not a number, or an arm is empty.
    """
    whole = table.assign(A=table["A"].astype("int64"))
    fit = cross_fit(whole, SCHEMA, ForestSettings(), np.random.default_rng(0))
    found = estimate_from_cross_fits((fit,), ESTIMATOR_WORDS)
    iptw, aipw, substitution = (found[word].estimate for word in ESTIMATOR_WORDS)
    return iptw, aipw, substitution


def published_auc(table: pd.DataFrame, test: pd.DataFrame) -> float:
    """Predict the outcomes of `test` with a default forest grown on `table`: area under the ROC.

    Treatments enter as they are, whole or not.
    """
    from sklearn.metrics import roc_auc_score

    columns = [*SCHEMA.covariate_names, "A"]
    forest = fit_forest(table[columns].to_numpy(float), table["Y"].to_numpy(float), True)
    return float(roc_auc_score(test["Y"], forest.predict(test[columns].to_numpy(float))))


def subsample_errors(
    large: np.ndarray, estimates: np.ndarray
) -> tuple[tuple[float, float, float, float], ...]:
    """Give large-table estimate, bias against it, variance and MSE of each estimator.

    Parameters
    ----------
    large : ndarray, shape (n_estimators,)
    estimates : ndarray, shape (n_subsamples, n_estimators)
        The variance divides by the number of subsamples, as published.
    """
    bias, variance = estimates.mean(axis=0) - large, estimates.var(axis=0)
    columns = np.column_stack([large, bias, variance, bias**2 + variance])
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in columns)


def recomputed_tables(
    tables: Mapping[str, pd.DataFrame], each: Callable[..., Iterable[Any]] = map
) -> tuple[FigureTable, FigureTable, FigureTable]:
    """Recompute tables 1, 2 and 3.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The published data by the names in `paper1.FILE_ROWS`. The 50 000 real
        rows of table 3 are drawn anew from the published script's seed.
    each : callable
        `map`, or the map of a pool of processes; some 600 forests are grown.
    """
    pool = {**tables, "real": DESIGNS["paper1_trial"](TRUTH_ROWS, TRUTH_SEED)}
    names = list(dict.fromkeys([*TABLE_1.rows, *TABLE_2.rows, *POOLS]))
    drawn = [
        pool[name].sample(n=SUBSAMPLE_ROWS, random_state=random_seed)
        for name in POOLS
        for random_seed in range(N_SUBSAMPLES)
    ]
    whole = each(published_effects, [pool[name] for name in names])
    scores = each(published_auc, [pool[name] for name in TABLE_1.rows], [pool["test"]] * 5)
    parts = each(published_effects, drawn)
    effects = dict(zip(names, whole, strict=True))
    scored = zip(TABLE_1.rows, scores, strict=True)
    return (
        TABLE_1.with_rows({name: (auc, *effects[name]) for name, auc in scored}),
        TABLE_2.with_rows({name: effects[name] for name in TABLE_2.rows}),
        TABLE_3.with_rows(_errors_by_row(effects, np.array(list(parts)))),
    )


def _errors_by_row(
    effects: Mapping[str, tuple[float, float, float]], estimates: np.ndarray
) -> dict[str, tuple[float, ...]]:
    by_pool = {
        name: subsample_errors(np.array(effects[name]), of_pool)
        for name, of_pool in zip(POOLS, np.split(estimates, len(POOLS)), strict=True)
    }
    words = ("iptw", "aipw", "substitution")
    return {f"{w}, {name}": by_pool[name][i] for i, w in enumerate(words) for name in POOLS}
