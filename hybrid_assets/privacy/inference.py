"""Attribute inference: what the table says of members that it does not say of others."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
import pandas as pd

from hybrid_assets.privacy.auc import Auc, auc, mean_auc
from hybrid_assets.privacy.measure import Attack, Limits, Measure, normal_measure
from hybrid_assets.privacy.neighbours import k_nearest
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.schema import ColumnKind, Role

N_GUESSERS = 10
MIN_GROUP = 10  # people with and without a level, among members and among others


def known_columns(attacked: Attacked, target: str) -> list[str]:
    """Say what the attacker knows: W for A, (W, A) for Y, the other covariates for a covariate."""
    schema = attacked.schema
    known = [name for name in schema.covariate_names if name != target]
    return [*known, schema.treatment] if schema[target].role is Role.OUTCOME else known


def attribute_inference(
    attacked: Attacked, target: str, policy: PrivacyPolicy, workers: Executor | None = None
) -> Measure:
    """Guess one column of each person from the ten synthetic rows that are most like them.

    The excess is the AUC of guessing members less that of guessing
    non-members; the law of the population helps with both alike. A number is
    guessed to be above the people's median or not; the AUC of several levels
    is averaged over them, by frequency.
    """
    known = known_columns(attacked, target)
    if not known:
        return _unanswered(target)
    people, synthetic = attacked.selected(known).encoded()
    _, neighbours = k_nearest(people, synthetic, N_GUESSERS, workers)
    truths, guesses = _questions(attacked, target)
    guessed = [values[neighbours].mean(axis=1) for values in guesses]
    groups = [attacked.is_member, ~attacked.is_member]
    asked = [i for i, truth in enumerate(truths) if _is_answerable(truth, groups)]
    if not asked:
        return _unanswered(target)
    of_members, of_others = (
        _guessed([(truths[i][who], guessed[i][who]) for i in asked]) for who in groups
    )
    error = float(np.hypot(of_members.standard_error, of_others.standard_error))
    return normal_measure(
        Attack.INFERENCE,
        target,
        "AUC for members beyond that for non-members",
        found=(of_members.value - of_others.value, error, of_others.value),
        limits=Limits(0.0, policy.inference_fail, policy.inference_pass),
    )


def _questions(attacked: Attacked, target: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Give yes-or-no questions: truth of people, shape (N,), and value of rows, (n_syn,)."""
    column = attacked.schema[target]
    people, rows = attacked.people[target], attacked.synthetic[target]
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = people.unique()
        return (
            [(people == level).to_numpy() for level in levels],
            [(rows == level).to_numpy(dtype=float) for level in levels],
        )
    values = people.to_numpy(dtype=float)
    is_binary = column.kind is ColumnKind.BINARY
    truth = values > (0.5 if is_binary else np.median(values))
    return [truth], [rows.to_numpy(dtype=float)]


def _is_answerable(truth: np.ndarray, groups: list[np.ndarray]) -> bool:
    return all(min(int(truth[who].sum()), int((~truth[who]).sum())) >= MIN_GROUP for who in groups)


def _guessed(questions: list[tuple[np.ndarray, np.ndarray]]) -> Auc:
    return mean_auc(
        [auc(score, truth) for truth, score in questions],
        [float(truth.mean()) for truth, _ in questions],
    )


def _unanswered(target: str) -> Measure:
    """Say that nobody can guess: nothing is known, or each level is too rare or too common."""
    return Measure(
        attack=Attack.INFERENCE,
        target=target,
        statistic="nothing to guess from, or too few people to guess about",
        value=float("nan"),
        reference=float("nan"),
        ci_low=float("nan"),
        ci_high=float("nan"),
        p_value=None,
        is_within_limit=False,
        is_suspicious=False,
    )
