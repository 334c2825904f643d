"""Hybrid triplets: synthetic W, then A from the propensity, then Y from the outcome model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hybrid_assets.errors import EstimationError
from hybrid_assets.location_scale import bare_predictions, draw_continuous
from hybrid_assets.nuisance.outcome_model import OutcomeModel
from hybrid_assets.nuisance.propensity_model import PropensityModel
from hybrid_assets.targeting import Calibration, calibrate


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


def hybrid_triplets(
    covariates: pd.DataFrame,
    models: GeneratingModels,
    *,
    settings: HybridSettings,
    rng: np.random.Generator,
) -> HybridTable:
    """Give synthetic covariates a treatment and an outcome.

    Parameters
    ----------
    covariates : DataFrame, shape (n, p)
        Canonical synthetic covariates.
    models : GeneratingModels
    settings : HybridSettings
    rng : numpy Generator

    Raises
    ------
    EstimationError
        If covariates are missing or not valid, or an arm mean is out of range.
    """
    if covariates.empty:
        raise EstimationError("hybrid triplets need at least one row of covariates")
    outcome_model, schema = models.outcome, models.outcome.schema
    plug_in = [outcome_model.predict(covariates, arm) for arm in (0, 1)]
    calibration = _calibration(plug_in, models) if settings.calibrate else None
    means = _means(plug_in, outcome_model, calibration)
    propensity = _assignment_probability(covariates, models.propensity, settings)
    treatment = (rng.random(len(covariates)) < propensity).astype("int64")
    observed_mean = np.where(treatment == 1, means[1], means[0])
    if outcome_model.is_binary:
        outcome, bounded_share = (rng.random(len(covariates)) < observed_mean).astype(float), 0.0
    elif not outcome_model.noise:
        outcome, bounded_share = bare_predictions(observed_mean, schema[schema.outcome]), 0.0
    else:
        outcome, bounded_share = draw_continuous(
            covariates, treatment, observed_mean, outcome_model, rng
        )
    columns = covariates.reset_index(drop=True).assign(
        **{schema.treatment: treatment, schema.outcome: outcome}
    )
    return HybridTable(
        table=schema.canonical(columns),
        assignment=settings.assignment,
        propensity=propensity,
        outcome_control=means[0],
        outcome_treated=means[1],
        calibration=calibration,
        bounded_share=bounded_share,
    )


def _calibration(plug_in: list[np.ndarray], models: GeneratingModels) -> Calibration:
    outcome = models.outcome
    return calibrate(
        *plug_in,
        target_control=models.mean_control,
        target_treated=models.mean_treated,
        limits=None if outcome.is_binary else (outcome.lowest, outcome.highest),
    )


def _means(
    plug_in: list[np.ndarray], model: OutcomeModel, calibration: Calibration | None
) -> list[np.ndarray]:
    if calibration is not None:
        return [calibration.apply(means, arm) for arm, means in enumerate(plug_in)]
    if model.is_binary:
        return plug_in
    return [np.clip(means, model.lowest, model.highest) for means in plug_in]


def _assignment_probability(
    covariates: pd.DataFrame, model: PropensityModel, settings: HybridSettings
) -> np.ndarray:
    if settings.assignment == "observed":
        return model.predict(covariates)
    by_design = model.treated_share if model.known is None else model.known
    return np.full(len(covariates), settings.treated_probability or by_design)
