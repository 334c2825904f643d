"""A donor study: its people's law, its outcome model, its own effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.columnwise import Columns, whole_table
from hybrid_assets.errors import SeedTableError
from hybrid_assets.estimators.arm_mean import efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimate_effects import estimate_from_cross_fits
from hybrid_assets.estimators.weights import arm_weights
from hybrid_assets.nuisance.cross_fitting import CrossFit, cross_fit_draws
from hybrid_assets.nuisance.outcome_model import OutcomeModel, fit_outcome_model
from hybrid_assets.nuisance.settings import AnyNuisanceSettings
from hybrid_assets.own_holdout import conform_holdout
from hybrid_assets.positivity.pairing import Donor
from hybrid_assets.schema import ColumnSchema, TableSchema
from hybrid_assets.small_cells import MIN_PEOPLE
from hybrid_assets.study import Study
from hybrid_assets.targeting import calibrate


@dataclass(frozen=True, eq=False, repr=False)
class DonorStudy:
    """An external table with support where the study has none. Confidential.

    Attributes
    ----------
    rows : DataFrame
        Canonical, with the study's columns.
    schema : TableSchema
    settings : NuisanceSettings or ParametricSettings
    cross_fits : tuple of CrossFit
    effect : EffectEstimate
        Its own TMLE.
    """

    rows: pd.DataFrame
    schema: TableSchema
    settings: AnyNuisanceSettings
    cross_fits: tuple[CrossFit, ...]
    effect: EffectEstimate

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        schema: TableSchema,
        settings: AnyNuisanceSettings,
        *,
        known_propensity: float | None,
        rng: np.random.Generator,
    ) -> DonorStudy:
        """Cross-fit the donor's rows and estimate its effect.

        Parameters
        ----------
        rows, schema, settings, known_propensity, rng
            As for `cross_fit_draws`.
        """
        fits = cross_fit_draws(rows, schema, settings, rng, known_propensity)
        effect = estimate_from_cross_fits(fits, ("tmle",))["tmle"]
        return cls(rows, schema, settings, fits, effect)

    def give(self, covariates: pd.DataFrame) -> Donor:
        """Turn synthetic covariates into donors: h* is calibrated to the study's arm means.

        Parameters
        ----------
        covariates : DataFrame, shape (n, p)
            Canonical; from a generator fitted to the donor's.
        """
        model = fit_outcome_model(self.rows, self.schema, self.settings, self.cross_fits)
        return _calibrated(model, covariates, (self.effect.mean_control, self.effect.mean_treated))

    def resampled(self, covariates: pd.DataFrame, rng: np.random.Generator) -> Donor:
        """Do the same as `give` from as many of its people, drawn with replacement.

        Stack weights, propensities and the synthetic covariates stay. Arm
        means are those of the refitted model plus its weighted residuals.
        """
        drawn = np.sort(rng.integers(0, len(self.rows), len(self.rows)))
        rows = self.rows.iloc[drawn].reset_index(drop=True)
        # `restricted` takes positions as well as flags
        fits = tuple(fit.restricted(drawn) for fit in self.cross_fits)
        model = fit_outcome_model(rows, self.schema, self.settings, fits)
        fit = fits[0]
        weights = arm_weights(fit.treatment, fit.propensity)
        means = [
            efficient_arm_mean(
                fit.outcome,
                np.ones_like(fit.outcome),
                weights[1 - arm],
                model.predict(rows, arm),
                is_corrected=True,
            ).mean
            for arm in (0, 1)
        ]
        return _calibrated(model, covariates, (means[0], means[1]))


def _calibrated(
    model: OutcomeModel, covariates: pd.DataFrame, arm_means: tuple[float, float]
) -> Donor:
    plug_in = [model.predict(covariates, arm) for arm in (0, 1)]
    shifts = calibrate(
        plug_in[0],
        plug_in[1],
        target_control=arm_means[0],
        target_treated=arm_means[1],
        limits=None if model.is_binary else (model.lowest, model.highest),
    )
    control, treated = (shifts.apply(means, arm) for arm, means in enumerate(plug_in))
    return Donor(covariates, control, treated, model)


def donor_rows(
    table: Columns, schema: TableSchema, seed_schema: TableSchema, study: Study
) -> tuple[pd.DataFrame, TableSchema]:
    """Give a donor's table the study's columns; its ranges may be wider.

    Parameters
    ----------
    table : Columns
        As read.
    schema, seed_schema : TableSchema
        Of the study's complete rows and of its seed table: flags of imputed
        cells are in the first only, and 0 for the donor.
    study : Study
        Its missing-value policies hold here too.

    Returns
    -------
    rows : DataFrame
        Canonical.
    wide : TableSchema
        The schema with ranges that hold both tables.

    Raises
    ------
    SeedTableError
        If a column is absent or incomplete, or holds a level the study lacks.
    """
    conformed = whole_table(conform_holdout(table, seed_schema, study, table="donor"))
    for name in seed_schema.names:
        n_missing = int(conformed[name].isna().sum())
        if n_missing:
            told = "some" if n_missing < MIN_PEOPLE else n_missing
            raise SeedTableError(
                study.name, name, expected="a complete donor column", got=f"{told} missing"
            )
    flags = {name: 0 for name in schema.names if name not in conformed.columns}
    rows = schema.canonical(conformed.assign(**flags))
    widened = tuple(_widened(column, rows[column.name]) for column in schema.columns)
    return rows, schema.model_copy(update={"columns": widened})


def _widened(column: ColumnSchema, values: pd.Series) -> ColumnSchema:
    if column.minimum is None or column.maximum is None:
        return column
    low, high = min(column.minimum, values.min()), max(column.maximum, values.max())
    return column.model_copy(update={"minimum": float(low), "maximum": float(high)})
