"""The propensity model that assigns synthetic treatments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from hybrid_assets.nuisance.basis import CovariateBasis
from hybrid_assets.nuisance.cross_fitting import CrossFit
from hybrid_assets.nuisance.library import LEARNERS, ArmDesign
from hybrid_assets.nuisance.observed import Observed
from hybrid_assets.nuisance.settings import AnyNuisanceSettings
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
class PropensityModel:
    """P(A = 1 | W), known by design or a stack fitted on all rows.

    Attributes
    ----------
    schema : TableSchema
        The study's whole table.
    known : float or None
        The probability of a randomised trial.
    treated_share : float
        Share of treated rows in the table it was fitted on.
    basis : CovariateBasis
    members : tuple of Member
        Empty if the probability is known.
    """

    schema: TableSchema
    known: float | None
    treated_share: float
    basis: CovariateBasis
    members: tuple[Member, ...]

    def predict(self, covariates: pd.DataFrame) -> np.ndarray:
        """Give the propensity of each row, shape (n,), not bounded: a forest gives 0 and 1 too."""
        if self.known is not None:
            return np.full(len(covariates), self.known)
        return predict_arm(self.members, self.basis, ArmDesign(is_pooled=False), covariates, 0)

    def to_files(self) -> dict[str, bytes]:
        """Give the model as one JSON file; floats keep every bit."""
        return dump(
            "propensity_model.json",
            {
                "known": self.known,
                "treated_share": self.treated_share,
                "basis": self.basis.to_json(),
                "members": [member.to_json() for member in self.members],
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
            "propensity_model.json",
            files,
            lambda state: cls(
                schema=schema,
                known=state["known"],
                treated_share=state["treated_share"],
                basis=CovariateBasis.from_json(state["basis"], schema.covariates),
                members=tuple(Member.from_json(each) for each in state["members"]),
            ),
        )


def fit_propensity_model(
    table: pd.DataFrame,
    schema: TableSchema,
    settings: AnyNuisanceSettings,
    cross_fits: tuple[CrossFit, ...],
) -> PropensityModel:
    """Refit the propensity on all rows with the stack weights of the cross-fits.

    Parameters
    ----------
    table : DataFrame
        The rows that `cross_fits` were made from.
    schema, settings : TableSchema, AnyNuisanceSettings
        Those of the cross-fits.
    cross_fits : tuple of CrossFit
        A known propensity is taken over; weights are averaged over the draws.
    """
    from threadpoolctl import threadpool_limits

    require_same_rows(table, cross_fits)
    observed = Observed.from_table(table, schema, settings)
    stacks = [fit.propensity_stack for fit in cross_fits if fit.propensity_stack is not None]
    known = None if stacks else float(cross_fits[0].propensity_unbounded[0])
    members = []
    with threadpool_limits(limits=1):
        for word, weight in used(mean_weights(stacks)) if stacks else ():
            learner = LEARNERS[word]
            fitted = learner.fit(observed.matrix(learner.basis), observed.treatment, True)
            members.append(Member(word, weight, fitted, fitted))
    share = float(observed.treatment.mean())
    return PropensityModel(schema, known, share, observed.basis, tuple(members))
