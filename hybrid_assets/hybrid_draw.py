"""Hybrid triplets: synthetic W, then A from the propensity, then Y from the outcome model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from hybrid_assets.blocks import BLOCK_ROWS, RunningMoments, blocks_of_one_size, streams_of
from hybrid_assets.errors import EstimationError
from hybrid_assets.hybrid import GeneratingModels, HybridSettings, HybridSummary, HybridTable
from hybrid_assets.location_scale import bare_predictions, draw_continuous
from hybrid_assets.nuisance.outcome_model import OutcomeModel
from hybrid_assets.nuisance.propensity_model import PropensityModel
from hybrid_assets.targeting import Calibration, calibrate


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
    models, settings, rng
        See `HybridDraw`, whose rows these are; raises as that does.
    """
    blocks = list(HybridDraw([covariates], models, settings=settings, rng=rng).blocks())
    if len(blocks) == 1:
        return blocks[0]
    columns = [(b.propensity, b.outcome_control, b.outcome_treated) for b in blocks]
    propensity, control, treated = (np.concatenate(each) for each in zip(*columns, strict=True))
    return HybridTable(
        table=pd.concat([block.table for block in blocks], ignore_index=True),
        assignment=settings.assignment,
        propensity=propensity,
        outcome_control=control,
        outcome_treated=treated,
        calibration=blocks[0].calibration,
        bounded_share=sum(b.bounded_share * len(b.table) for b in blocks) / len(propensity),
    )


class HybridDraw:
    """Treatments and outcomes for synthetic covariates, block by block.

    Outcome models are calibrated over all rows before the first is drawn; of
    each row two means are kept meanwhile, 16 bytes. Blocks hold `BLOCK_ROWS`
    rows, each with a random stream of its own where there are several, so that
    no number depends on how the covariates come or on how much memory there is.

    Parameters
    ----------
    covariates : iterable of DataFrame, of shapes (n_k, p)
        Canonical synthetic covariates in order; read twice.
    models : GeneratingModels
    settings : HybridSettings
    rng : numpy Generator

    Raises
    ------
    EstimationError
        If covariates are missing or not valid, or an arm mean is out of range.
    """

    def __init__(
        self,
        covariates: Iterable[pd.DataFrame],
        models: GeneratingModels,
        *,
        settings: HybridSettings,
        rng: np.random.Generator,
    ) -> None:
        self._covariates, self._models, self._settings = covariates, models, settings
        self._plug_in = _plug_in(covariates, models.outcome)
        self._streams = streams_of(rng, len(self._plug_in[0]))
        self.calibration = _calibration(self._plug_in, models) if settings.calibrate else None
        self._means: list[list[float]] = [[], []]
        self._outcome, self._n_bounded = RunningMoments(), 0.0

    def blocks(self) -> Iterator[HybridTable]:
        """Give the rows, `BLOCK_ROWS` at a time; once."""
        blocks = blocks_of_one_size(self._covariates)
        for number, (covariates, stream) in enumerate(zip(blocks, self._streams, strict=True)):
            first = number * BLOCK_ROWS
            plug_in = [each[first : first + len(covariates)] for each in self._plug_in]
            means = _means(plug_in, self._models.outcome, self.calibration)
            made = _drawn(covariates, means, self._models, self._settings, stream)
            self._add(made)
            yield replace(made, calibration=self.calibration)
        self._plug_in = []  # 16 bytes a row, not needed while the table is recorded

    @property
    def summary(self) -> HybridSummary:
        """What the blocks given so far are together."""
        control, treated = (math.fsum(sums) / self._outcome.n_values for sums in self._means)
        return HybridSummary(
            assignment=self._settings.assignment,
            calibration=self.calibration,
            true_ate=treated - control,
            bounded_share=self._n_bounded / self._outcome.n_values,
            outcome_sd=self._outcome.standard_deviation(ddof=1),
        )

    def _add(self, made: HybridTable) -> None:
        for sums, means in zip(
            self._means, (made.outcome_control, made.outcome_treated), strict=True
        ):
            sums.append(float(means.sum()))
        outcome = self._models.outcome.schema.outcome
        self._outcome.add(made.table[outcome].to_numpy(dtype=float))
        self._n_bounded += made.bounded_share * len(made.table)


def _plug_in(covariates: Iterable[pd.DataFrame], model: OutcomeModel) -> list[np.ndarray]:
    """Predict each arm's means at all rows: two arrays of shape (n,)."""
    found: list[list[np.ndarray]] = [[], []]
    for block in covariates:
        if not block.empty:
            for arm in (0, 1):
                found[arm].append(model.predict(block, arm))
    if not found[0]:
        raise EstimationError("hybrid triplets need at least one row of covariates")
    means = []
    for each in found:
        means.append(np.concatenate(each))
        each.clear()  # one arm at a time is there twice
    return means


def _drawn(
    covariates: pd.DataFrame,
    means: list[np.ndarray],
    models: GeneratingModels,
    settings: HybridSettings,
    rng: np.random.Generator,
) -> HybridTable:
    outcome_model, schema = models.outcome, models.outcome.schema
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
    columns = covariates.assign(**{schema.treatment: treatment, schema.outcome: outcome})
    return HybridTable(
        table=schema.canonical(columns),
        assignment=settings.assignment,
        propensity=propensity,
        outcome_control=means[0],
        outcome_treated=means[1],
        calibration=None,
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
