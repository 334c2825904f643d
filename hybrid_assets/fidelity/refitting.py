"""The same learners on other rows: what makes two tables' regressions comparable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.fidelity.causal_similarity import ArmTable
from hybrid_assets.fidelity.drift_attribution import WeightedTable
from hybrid_assets.fidelity.loss_decomposition import ArmMeans
from hybrid_assets.nuisance import OutcomeModel, PropensityModel, propensity_bound
from hybrid_assets.nuisance.library import LEARNERS
from hybrid_assets.nuisance.stacked import Member

MIN_ARM_ROWS = 10


def refit(model: OutcomeModel, table: pd.DataFrame) -> OutcomeModel:
    """Fit the learners of a stack, with its weights and design, to another table.

    Raises
    ------
    EvaluationError
        If an arm has fewer than 10 rows.
    """
    schema = model.schema
    A, Y = (table[name].to_numpy(float) for name in (schema.treatment, schema.outcome))  # noqa: N806
    smallest = int(min(A.sum(), (1.0 - A).sum()))
    if smallest < MIN_ARM_ROWS:
        raise EvaluationError(
            f"study {schema.study!r}: an outcome regression needs {MIN_ARM_ROWS} rows in each arm; "
            f"a batch of {len(A)} rows has {'fewer' if smallest else 'none'} in one"
        )
    words = {LEARNERS[member.word].basis for member in model.members}
    matrices = model.basis.matrices(table, words)
    members = tuple(
        Member(
            member.word,
            member.weight,
            *model.arm_design.fit(
                LEARNERS[member.word],
                matrices[LEARNERS[member.word].basis],
                A,
                Y,
                model.is_binary,
            ),
        )
        for member in model.members
    )
    return replace(model, members=members, noise=())


def weighted_table(
    table: pd.DataFrame,
    model: OutcomeModel,
    propensity: PropensityModel,
    known: float | None,
    n_seed: int,
) -> WeightedTable:
    """Give a table with its fitted means and the study's propensity.

    Parameters
    ----------
    table : DataFrame
    model : OutcomeModel
        Fitted to `table`.
    propensity : PropensityModel
        The study's.
    known : float or None
        The coin that treated the rows, in the propensity's stead.
    n_seed : int
        Training rows, whose bound the propensity is kept within.
    """
    bound = propensity_bound(n_seed)
    g = propensity.predict(table) if known is None else np.full(len(table), known)
    means: ArmMeans = (model.predict(table, 0), model.predict(table, 1))
    return WeightedTable(
        treatment=table[model.schema.treatment].to_numpy(float),
        outcome=table[model.schema.outcome].to_numpy(float),
        propensity=np.clip(g, bound, 1.0 - bound),
        means=means,
    )


def arm_table(table: pd.DataFrame, model: OutcomeModel) -> ArmTable:
    """Encode a table on the covariate basis of `model`."""
    matrices = model.basis.matrices(table, {"linear", "spline"})
    return ArmTable(
        main_effects=matrices["linear"],
        curves=matrices["spline"],
        treatment=table[model.schema.treatment].to_numpy(float),
        outcome=table[model.schema.outcome].to_numpy(float),
        is_binary=model.is_binary,
    )
