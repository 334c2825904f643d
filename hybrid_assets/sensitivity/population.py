"""A population made from a study, whose effect is known exactly, to draw seeds from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.location_scale import draw_continuous
from hybrid_assets.nuisance import OutcomeModel
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

PLANTED_STRENGTH = 0.8  # log odds of treatment per standard deviation of prognosis


@dataclass(frozen=True, eq=False, repr=False)
class KnownPopulation:
    """A finite population of synthetic people with both mean outcomes; arrays of shape (n,).

    Attributes
    ----------
    covariates : DataFrame, shape (n, p)
    outcome : OutcomeModel
        Gives a continuous outcome its noise.
    propensity : ndarray
        P(A = 1 | W) in (0, 1).
    mean_control, mean_treated : ndarray
        E[Y | A = a, W], calibrated to the study's effect.
    """

    covariates: pd.DataFrame
    outcome: OutcomeModel
    propensity: np.ndarray
    mean_control: np.ndarray
    mean_treated: np.ndarray

    @property
    def schema(self) -> TableSchema:
        """Of the tables drawn."""
        return self.outcome.schema

    @property
    def true_ate(self) -> float:
        """Average effect of the population, exactly."""
        return float((self.mean_treated - self.mean_control).mean())

    def draw(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw people with replacement, then their treatment, then their outcome."""
        rows = rng.integers(0, len(self.covariates), n_rows)
        covariates = self.covariates.iloc[rows].reset_index(drop=True)
        treatment = (rng.random(n_rows) < self.propensity[rows]).astype("int64")
        means = np.where(treatment == 1, self.mean_treated[rows], self.mean_control[rows])
        if self.outcome.is_binary:
            outcome = (rng.random(n_rows) < means).astype(float)
        else:
            outcome, _ = draw_continuous(covariates, treatment, means, self.outcome, rng)
        drawn = {self.schema.treatment: treatment, self.schema.outcome: outcome}
        return self.schema.canonical(covariates.assign(**drawn))

    def strongest_confounders(self, n_strongest: int) -> tuple[str, ...]:
        """Name the covariates that explain most of both treatment and outcome, strongest first.

        Ranked by the product of the shares of variance that a covariate alone
        explains in the propensity and in the mean outcome.
        """
        mean = self.propensity * self.mean_treated + (1.0 - self.propensity) * self.mean_control
        strength = {
            column.name: _explained(self.covariates[column.name], column, self.propensity)
            * _explained(self.covariates[column.name], column, mean)
            for column in self.schema.covariates.columns
        }
        return tuple(sorted(strength, key=lambda name: -strength[name])[:n_strongest])


def known_population(
    covariates: pd.DataFrame,
    models: GeneratingModels,
    *,
    plants_confounding: bool,
    rng: np.random.Generator,
) -> KnownPopulation:
    """Give covariates the study's propensity and calibrated mean outcomes.

    Parameters
    ----------
    covariates : DataFrame, shape (n, p)
        Canonical, from a generator.
    models : GeneratingModels
        Fitted to the study.
    plants_confounding : bool
        For a trial, where no model of treatment can be wrong: the log odds of
        treatment rise by 0.8 per standard deviation of the outcome expected
        under control (on the logit scale if binary).
    rng : numpy Generator
    """
    made = hybrid_triplets(covariates, models, settings=HybridSettings(), rng=rng)
    propensity = made.propensity
    if plants_confounding:
        propensity = _planted(made.outcome_control, propensity, models.outcome.is_binary)
    return KnownPopulation(
        covariates=covariates.reset_index(drop=True),
        outcome=models.outcome,
        propensity=propensity,
        mean_control=made.outcome_control,
        mean_treated=made.outcome_treated,
    )


def bent(population: KnownPopulation) -> KnownPopulation:
    """Bend propensity and outcome together, so that linear models of either are wrong.

    With z the standardised prognosis, b = (z² − 1)/2 limited to [−1, 1] is
    added to the log odds of treatment and to both mean outcomes (on the logit
    scale, or in standard deviations of a continuous outcome's mean).
    """
    from scipy.special import expit, logit

    model, means = population.outcome, (population.mean_control, population.mean_treated)
    z = _standardised(population.mean_control, model.is_binary)
    bend = np.clip(0.5 * (z**2 - 1.0), -1.0, 1.0)
    if model.is_binary:
        control, treated = (expit(logit(mean) + bend) for mean in means)
    else:
        moved = means[0].std() * bend
        control, treated = (np.clip(mean + moved, model.lowest, model.highest) for mean in means)
    propensity = np.asarray(expit(logit(population.propensity) + bend))
    return replace(population, propensity=propensity, mean_control=control, mean_treated=treated)


def _planted(prognosis: np.ndarray, propensity: np.ndarray, is_binary: bool) -> np.ndarray:
    from scipy.special import expit, logit

    log_odds = logit(propensity) + PLANTED_STRENGTH * _standardised(prognosis, is_binary)
    return np.asarray(expit(log_odds))


def _standardised(prognosis: np.ndarray, is_binary: bool) -> np.ndarray:
    """Centre and scale the outcome expected under control, on the logit scale if binary."""
    from scipy.special import logit

    index = logit(prognosis) if is_binary else prognosis
    spread = index.std()
    return np.asarray((index - index.mean()) / spread if spread > 0 else np.zeros(len(index)))


def _explained(values: pd.Series, column: ColumnSchema, target: np.ndarray) -> float:
    """Give the share of `target`'s variance that a covariate explains: by level, or linearly."""
    if target.std() == 0.0 or values.nunique() < 2:
        return 0.0
    if column.kind is ColumnKind.CATEGORICAL:
        by_level = pd.Series(target).groupby(values.to_numpy(), observed=True).transform("mean")
        return float(by_level.var() / target.var())
    is_ordinal = column.kind is ColumnKind.ORDINAL
    numbers = values.cat.codes if is_ordinal else values
    return float(np.corrcoef(numbers.to_numpy(float), target)[0, 1] ** 2)
