"""Why a table keeps or loses the effect: every measure with the holdout's own beside it."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, fields

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.fidelity.causal_similarity import (
    LearntEffects,
    effect_dissimilarity,
    learn_effects,
    propensity_similarity,
)
from hybrid_assets.fidelity.drift_attribution import WeightedTable, attribute_drift
from hybrid_assets.fidelity.loss_decomposition import loss_decomposition
from hybrid_assets.fidelity.refitting import arm_table, refit, weighted_table
from hybrid_assets.fidelity.sample_coverage import sample_coverage
from hybrid_assets.nuisance import OutcomeModel, PropensityModel
from hybrid_assets.privacy.records import RecordEncoder

N_BATCHES = 5
MAX_ROWS = 1000
MIN_ROWS = 50


@dataclass(frozen=True)
class EffectMeasures:
    """What one table's rows say of its effect.

    Attributes
    ----------
    main_error, effect_error, effect_error_unweighted, ate_error : float
        See `LossDecomposition`; the first three in squared units of the outcome.
    drift_covariate_law, drift_contrast, drift_assignment, drift_noise, drift_total : float
        See `DriftAttribution`; in units of the outcome.
    alpha_precision, beta_recall : float
        See `SampleCoverage`; at most 1.
    propensity_similarity : float
        1 − mean Jensen–Shannon distance, in [0, 1].
    effect_dissimilarity : float
        U_PEHE in units of the outcome; 0 is best.
    """

    main_error: float
    effect_error: float
    effect_error_unweighted: float
    ate_error: float
    drift_covariate_law: float
    drift_contrast: float
    drift_assignment: float
    drift_noise: float
    drift_total: float
    alpha_precision: float
    beta_recall: float
    propensity_similarity: float
    effect_dissimilarity: float


@dataclass(frozen=True)
class EffectDiagnosis:
    """Where a table's effect went.

    Attributes
    ----------
    n_rows : int
        Rows of one batch: everything is fitted and measured on as many rows
        as the holdout has (at most 1000), so that the holdout is comparable.
    n_batches : int
        Disjoint random batches of the synthetic table.
    measures : EffectMeasures
        Means over the batches.
    standard_errors : EffectMeasures
        Spread of the batches over the square root of their number: what the
        draw of rows and the fits to them leave open, given the training rows.
    holdout : EffectMeasures or None
        The same of one batch of people whom no generator saw; None if an arm
        of theirs is too small.
    outcome_variance : float
        Of the training rows: what a squared loss is a share of.
    """

    n_rows: int
    n_batches: int
    measures: EffectMeasures
    standard_errors: EffectMeasures
    holdout: EffectMeasures | None
    outcome_variance: float

    def loss_shares(self, measures: EffectMeasures) -> tuple[float, float]:
        """Give main and effect error as shares of the outcome's variance."""
        return (
            measures.main_error / self.outcome_variance,
            measures.effect_error / self.outcome_variance,
        )


@dataclass(frozen=True, eq=False, repr=False)
class SeedReference:
    """The real side of the comparison. Confidential.

    Attributes
    ----------
    train, holdout : DataFrame
        Canonical rows.
    outcome : OutcomeModel
        Of the training rows: its learners, with its weights, are refitted to
        every table compared.
    propensity : PropensityModel
        The study's g, known or fitted to the training rows.
    """

    train: pd.DataFrame
    holdout: pd.DataFrame
    outcome: OutcomeModel
    propensity: PropensityModel


def diagnose_effect(
    synthetic: pd.DataFrame,
    seed: SeedReference,
    *,
    known_propensity: float | None,
    rng: np.random.Generator,
) -> EffectDiagnosis:
    """Measure a synthetic table in batches, and the holdout as if it were one.

    Fitted regressions are compared at the training covariates.

    Parameters
    ----------
    synthetic : DataFrame
        Canonical, with the columns of the seed.
    seed : SeedReference
    known_propensity : float or None
        The coin that treated the synthetic rows, where there is one;
        otherwise the seed's propensity at their covariates is the study's.
    rng : numpy Generator
        Draws the batches.

    Raises
    ------
    EvaluationError
        If a table is too small to fit, or an arm of a batch is.
    """
    n_rows = min(len(seed.train), len(seed.holdout), MAX_ROWS, len(synthetic) // 2)
    if n_rows < MIN_ROWS:
        raise EvaluationError(
            f"study {seed.outcome.schema.study!r}: effects are compared on at least {MIN_ROWS} "
            f"rows of the training, holdout and half the synthetic table; got {n_rows}"
        )
    order = rng.permutation(len(synthetic))
    batches = [order[k * n_rows : (k + 1) * n_rows] for k in range(N_BATCHES)]
    measuring = _Measuring.of(seed, n_rows, rng)
    found = [
        measuring.measure(synthetic.iloc[rows].reset_index(drop=True), known_propensity)
        for rows in batches
        if len(rows) == n_rows
    ]
    values = np.array([astuple(each) for each in found])
    errors = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    unseen = seed.holdout.iloc[rng.permutation(len(seed.holdout))[:n_rows]].reset_index(drop=True)
    try:
        holdout = measuring.measure(unseen, None)
    except EvaluationError:
        holdout = None
    return EffectDiagnosis(
        n_rows=n_rows,
        n_batches=len(found),
        measures=EffectMeasures(*values.mean(axis=0).tolist()),
        standard_errors=EffectMeasures(*errors.tolist()),
        holdout=holdout,
        outcome_variance=float(seed.train[seed.outcome.schema.outcome].astype(float).var()),
    )


@dataclass(frozen=True, eq=False, repr=False)
class _Measuring:
    """What is the same for every table that is compared with the training rows."""

    seed: SeedReference
    seed_table: WeightedTable
    seed_propensity: np.ndarray
    encoder: RecordEncoder
    points: np.ndarray
    learnt: LearntEffects

    @classmethod
    def of(cls, seed: SeedReference, n_rows: int, rng: np.random.Generator) -> _Measuring:
        train, schema = seed.train, seed.outcome.schema
        encoder = RecordEncoder.fit(train, schema.covariates)
        sampled = train.iloc[rng.permutation(len(train))[:n_rows]]
        arrays = arm_table(train, seed.outcome)
        return cls(
            seed=seed,
            seed_table=weighted_table(train, seed.outcome, seed.propensity, None, len(train)),
            seed_propensity=seed.propensity.predict(train),
            encoder=encoder,
            points=encoder.encode(sampled),
            learnt=learn_effects(arrays, arrays.main_effects, arrays.curves),
        )

    def measure(self, table: pd.DataFrame, known_propensity: float | None) -> EffectMeasures:
        seed, model = self.seed, refit(self.seed.outcome, table)
        at_seed = (model.predict(seed.train, 0), model.predict(seed.train, 1))
        loss = loss_decomposition(at_seed, self.seed_table.means, self.seed_propensity)
        weighted = weighted_table(table, model, seed.propensity, known_propensity, len(seed.train))
        seed_contrast = seed.outcome.predict(table, 1) - seed.outcome.predict(table, 0)
        drift = attribute_drift(weighted, self.seed_table, seed_contrast)
        covered = sample_coverage(self.encoder.encode(table), self.points)
        of_seed = arm_table(seed.train, seed.outcome)
        learnt = learn_effects(arm_table(table, seed.outcome), of_seed.main_effects, of_seed.curves)
        return EffectMeasures(
            **asdict(loss),
            **{f"drift_{part}": moved for part, moved in asdict(drift).items()},
            **asdict(covered),
            propensity_similarity=propensity_similarity(self.learnt.propensity, learnt.propensity),
            effect_dissimilarity=effect_dissimilarity(self.learnt, learnt),
        )


def measure_table(diagnosis: EffectDiagnosis) -> pd.DataFrame:
    """Lay a diagnosis out: one row for each measure, with its error and the holdout's value."""
    holdout = diagnosis.holdout
    return pd.DataFrame(
        [
            {
                "measure": field.name,
                "value": getattr(diagnosis.measures, field.name),
                "standard_error": getattr(diagnosis.standard_errors, field.name),
                "holdout_value": np.nan if holdout is None else getattr(holdout, field.name),
                "n_rows": diagnosis.n_rows,
                "n_batches": diagnosis.n_batches,
            }
            for field in fields(EffectMeasures)
        ]
    )
