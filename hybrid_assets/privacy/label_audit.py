"""A lower bound of ε from outcomes that were drawn by a coin before the models were fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.neighbours import k_nearest
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.schema import ColumnKind, TableSchema

PLANTED_SHARE = 0.1
N_NEAREST, N_AROUND = 20, 500
AUDIT_SIGNIFICANCE = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class PlantedOutcomes:
    """Training rows of which some have an outcome that only chance decided.

    Attributes
    ----------
    table : DataFrame
        What the models of the audit run are fitted to.
    rows : ndarray of int64, shape (r,)
        Positions of the planted outcomes.
    is_high : ndarray of bool, shape (r,)
        Fair coins: the higher of two outcome values, or the lower.
    """

    table: pd.DataFrame
    rows: np.ndarray
    is_high: np.ndarray


def plant_coin_flips(
    train: pd.DataFrame, schema: TableSchema, rng: np.random.Generator
) -> PlantedOutcomes:
    """Replace a tenth of the outcomes by coin flips between 0 and 1, or between the quartiles."""
    rows = rng.choice(len(train), round(PLANTED_SHARE * len(train)), replace=False)
    is_high = rng.random(len(rows)) < 0.5
    outcome = train[schema.outcome].to_numpy(dtype=float)
    is_binary = schema[schema.outcome].kind is ColumnKind.BINARY
    low, high = (0.0, 1.0) if is_binary else np.quantile(outcome, [0.25, 0.75], method="nearest")
    outcome[rows] = np.where(is_high, high, low)
    return PlantedOutcomes(
        schema.canonical(train.assign(**{schema.outcome: outcome})), rows, is_high
    )


def audit_labels(
    synthetic: pd.DataFrame,
    planted: PlantedOutcomes,
    schema: TableSchema,
    policy: PrivacyPolicy,
) -> Measure:
    """Guess the coins from the table made of them.

    The guess is whether the 20 synthetic rows most like a person, by W and A,
    have higher outcomes than the 500; the surer half of the guesses
    counts. Under ε-differential privacy the number of right guesses is at most
    binomial with e^ε/(1 + e^ε) (Steinke, Nasr and Jagielski 2023,
    arXiv 2305.08846, theorem 5.2 with δ = 0).

    Returns
    -------
    Measure
        ε: its estimate (infinite where every guess is right) and its
        one-sided 95 % lower bound.
    """
    from scipy.stats import binomtest

    known = schema.select([*schema.covariate_names, schema.treatment])
    encoder = RecordEncoder.fit(planted.table, known)
    people = encoder.encode(planted.table.iloc[planted.rows])
    n_around = min(N_AROUND, len(synthetic))
    _, near = k_nearest(people, encoder.encode(synthetic), n_around)
    outcomes = synthetic[schema.outcome].to_numpy(dtype=float)[near]
    contrast = outcomes[:, :N_NEAREST].mean(axis=1) - outcomes.mean(axis=1)
    surest = np.argsort(-np.abs(contrast), kind="stable")[: max(len(contrast) // 2, 1)]
    n_right = int(((contrast > 0) == planted.is_high)[surest].sum())
    limit = 1 / (1 + np.exp(-policy.max_audit_epsilon))
    test = binomtest(n_right, len(surest), limit, alternative="greater")
    interval = test.proportion_ci(1 - AUDIT_SIGNIFICANCE)
    value, low = (_epsilon(share) for share in (n_right / len(surest), float(interval.low)))
    return Measure(
        attack=Attack.LABEL_AUDIT,
        target=schema.outcome,
        statistic=f"ε from {len(surest)} coins",
        value=value,
        reference=0.0,
        ci_low=low,
        ci_high=float("inf"),
        p_value=float(test.pvalue),
        is_within_limit=low <= policy.max_audit_epsilon,
        is_suspicious=low > 0,
        own_significance=AUDIT_SIGNIFICANCE,
    )


def _epsilon(share: float) -> float:
    """Give log-odds of a right guess, not below 0."""
    if share >= 1:
        return float("inf")
    return float(max(np.log(share / (1 - share)), 0.0)) if share > 0 else 0.0
