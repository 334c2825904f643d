"""The outcome model that generates synthetic outcomes: mean and spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance.basis import CovariateBasis
from hybrid_assets.nuisance.cross_fitting import CrossFit
from hybrid_assets.nuisance.library import LEARNERS, ArmDesign
from hybrid_assets.nuisance.noise import ArmNoise
from hybrid_assets.nuisance.observed import Observed
from hybrid_assets.nuisance.settings import AnyNuisanceSettings, ForestSettings
from hybrid_assets.nuisance.stacked import (
    Member,
    dump,
    load,
    predict_arm,
    require_same_rows,
    used,
)
from hybrid_assets.nuisance.stacking import mean_weights
from hybrid_assets.schema import TableSchema


@dataclass(frozen=True, eq=False, repr=False)
class OutcomeModel:
    """E[Y | A, W] and the spread around it, fitted on all rows. Confidential.

    Attributes
    ----------
    schema : TableSchema
        The study's whole table.
    is_binary : bool
    lowest, highest : float
        Range of the outcome in the table it was fitted on.
    arm_design : ArmDesign
    basis : CovariateBasis
    members : tuple of Member
    noise : tuple of ArmNoise
        Control and treated; empty for a binary outcome, and for the published
        recipe, whose outcomes are bare predictions.
    """

    schema: TableSchema
    is_binary: bool
    lowest: float
    highest: float
    arm_design: ArmDesign
    basis: CovariateBasis
    members: tuple[Member, ...]
    noise: tuple[ArmNoise, ...]

    def predict(self, covariates: pd.DataFrame, arm: int) -> np.ndarray:
        """Give the mean outcome of each row under `arm` (0 or 1), shape (n,)."""
        return predict_arm(self.members, self.basis, self.arm_design, covariates, arm)

    def scale(self, covariates: pd.DataFrame, arm: int) -> np.ndarray:
        """Give the standard deviation of a continuous outcome under `arm`, shape (n,).

        Raises
        ------
        EstimationError
            If the outcome is binary, or the model has no noise.
        """
        if not self.noise:
            raise EstimationError("a binary outcome, or one without noise, has no scale")
        main_effects = self.basis.matrices(covariates, {"linear"})["linear"]
        return self.noise[arm].scale(main_effects)

    def to_files(self) -> dict[str, bytes]:
        """Give the model as one JSON file; floats keep every bit."""
        return dump(
            "outcome_model.json",
            {
                "is_binary": self.is_binary,
                "lowest": self.lowest,
                "highest": self.highest,
                "is_pooled": self.arm_design.is_pooled,
                "interactions": self.arm_design.interactions,
                "basis": self.basis.to_json(),
                "members": [member.to_json() for member in self.members],
                "noise": [arm.to_json() for arm in self.noise],
            },
        )

    @classmethod
    def from_files(cls, files: dict[str, bytes], schema: TableSchema) -> Self:
        """Restore what `to_files` gave.

        Raises
        ------
        InvalidModelFiles
            If the file is absent, unreadable or of another format.
        """
        return load(
            "outcome_model.json",
            files,
            lambda state: cls(
                schema=schema,
                is_binary=state["is_binary"],
                lowest=state["lowest"],
                highest=state["highest"],
                arm_design=ArmDesign(
                    state["is_pooled"],
                    None if state["interactions"] is None else tuple(state["interactions"]),
                ),
                basis=CovariateBasis.from_json(state["basis"], schema.covariates),
                members=tuple(Member.from_json(each) for each in state["members"]),
                noise=tuple(ArmNoise.from_json(each) for each in state["noise"]),
            ),
        )


def fit_outcome_model(
    table: pd.DataFrame,
    schema: TableSchema,
    settings: AnyNuisanceSettings,
    cross_fits: tuple[CrossFit, ...],
) -> OutcomeModel:
    """Refit the outcome model on all rows with the stack weights of the cross-fits.

    Per arm (pooled with all treatment interactions when an arm has under 100
    rows); the noise of a continuous outcome comes from residuals of the
    out-of-fold means, averaged over the draws.

    Parameters
    ----------
    table : DataFrame
        The rows that `cross_fits` were made from.
    schema, settings : TableSchema, AnyNuisanceSettings
        Those of the cross-fits.
    cross_fits : tuple of CrossFit
    """
    from threadpoolctl import threadpool_limits

    require_same_rows(table, cross_fits)
    observed = Observed.from_table(table, schema, settings)
    y, a = observed.outcome, observed.treatment
    members = []
    with threadpool_limits(limits=1):
        for word, weight in used(mean_weights([fit.outcome_stack for fit in cross_fits])):
            learner = LEARNERS[word]
            basis = observed.matrix(learner.basis)
            fitted = observed.arm_design.fit(learner, basis, a, y, observed.is_binary)
            members.append(Member(word, weight, *fitted))
        is_bare = observed.is_binary or isinstance(settings, ForestSettings)
        noise = () if is_bare else _noise(table, observed, cross_fits)
    return OutcomeModel(
        schema=schema,
        is_binary=observed.is_binary,
        lowest=float(y.min()),
        highest=float(y.max()),
        arm_design=observed.arm_design,
        basis=observed.basis,
        members=tuple(members),
        noise=noise,
    )


def _noise(
    table: pd.DataFrame, observed: Observed, cross_fits: tuple[CrossFit, ...]
) -> tuple[ArmNoise, ...]:
    means = np.mean([fit.outcome_observed_arm for fit in cross_fits], axis=0)
    residuals = observed.outcome - means
    main_effects = observed.basis.matrices(table, {"linear"})["linear"]
    arms = [observed.treatment == arm for arm in (0, 1)]
    return tuple(ArmNoise.fit(main_effects[rows], residuals[rows]) for rows in arms)
