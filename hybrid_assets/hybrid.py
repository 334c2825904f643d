"""Hybrid tables: how they are made, from what, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hybrid_assets.nuisance.outcome_model import OutcomeModel
from hybrid_assets.nuisance.propensity_model import PropensityModel
from hybrid_assets.targeting import Calibration


class HybridSettings(BaseModel):
    """How synthetic treatments and outcomes are made.

    Parameters
    ----------
    assignment : {"observed", "randomised"}
        ``observed`` keeps the study's confounding; ``randomised`` gives an
        interventional table. A table carries this label everywhere.
    calibrate : bool
        Move the outcome model's arm means to the seed's TMLE arm means; the
        published recipe does not.
    treated_probability : float in (0, 1), optional
        For ``randomised`` only; the trial's probability, or the seed's share
        of treated rows, if not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    assignment: Literal["observed", "randomised"] = "observed"
    calibrate: bool = True
    treated_probability: float | None = Field(default=None, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.assignment == "observed" and self.treated_probability is not None:
            raise ValueError("treated_probability needs assignment: randomised")
        return self


@dataclass(frozen=True, eq=False, repr=False)
class GeneratingModels:
    """What makes A and Y: the fitted nuisances and the arm means to keep.

    Attributes
    ----------
    propensity : PropensityModel
    outcome : OutcomeModel
    mean_treated, mean_control : float
        The seed's TMLE arm means, targets of the calibration.
    """

    propensity: PropensityModel
    outcome: OutcomeModel
    mean_treated: float
    mean_control: float


@dataclass(frozen=True, eq=False, repr=False)
class HybridTable:
    """A synthetic table whose true effect is known exactly.

    Attributes
    ----------
    table : DataFrame
        W, A and Y in the schema's order and canonical dtypes.
    assignment : str
        ``observed`` or ``randomised``.
    propensity : ndarray, shape (n,)
        Probability that each row's A was drawn with.
    outcome_control, outcome_treated : ndarray, shape (n,)
        True mean of Y under each arm, given the row's W.
    calibration : Calibration or None
        None if the study turned it off.
    bounded_share : float
        Share of rows whose Y was moved to the seed's lowest or highest value.
        Means are kept: the noise is re-centred for it.
    """

    table: pd.DataFrame
    assignment: str
    propensity: np.ndarray
    outcome_control: np.ndarray
    outcome_treated: np.ndarray
    calibration: Calibration | None
    bounded_share: float

    @property
    def true_ate(self) -> float:
        """Average treatment effect of the pool of rows, exactly."""
        return float(self.outcome_treated.mean() - self.outcome_control.mean())

    @property
    def cate(self) -> np.ndarray:
        """True effect given each row's covariates, shape (n,)."""
        return np.asarray(self.outcome_treated - self.outcome_control)


@dataclass(frozen=True)
class HybridSummary:
    """What is known of a hybrid table as a whole.

    Attributes
    ----------
    assignment, calibration, bounded_share
        See `HybridTable`.
    true_ate : float
        Average treatment effect of all rows, exactly.
    outcome_sd : float
        Standard deviation of Y over all rows.
    """

    assignment: str
    calibration: Calibration | None
    true_ate: float
    bounded_share: float
    outcome_sd: float
