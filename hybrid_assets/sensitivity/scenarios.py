"""What is done to one seed, and what becomes of the hybrid's effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.generators.cart import CartGenerator, CartSettings
from hybrid_assets.nuisance import NuisanceSettings
from hybrid_assets.privacy.dcr import distance_to_closest_record
from hybrid_assets.privacy.nearest import TIE_TOLERANCE
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.schema import TableSchema
from hybrid_assets.sensitivity.hybrid_effect import SeedAnalysis, analyse_seed, hybrid_contrast
from hybrid_assets.sensitivity.population import KnownPopulation

Question = Literal["misspecification", "bent truth", "seed size", "dimension", "DCR filter"]
N_HYBRID = 2000
N_DROPPED_CONFOUNDERS = 3
FILTER_QUANTILES = (0.05, 0.1, 0.25, 0.5)
FULL, CRUDE = "study's library", "no adjustment"
LINEAR = NuisanceSettings(
    n_fold_draws=1, propensity_library=("constant", "linear"), outcome_library=("linear",)
)


@dataclass(frozen=True)
class ScenarioEffect:
    """The effect of one hybrid population; not a number where it cannot be had.

    Attributes
    ----------
    question, scenario : str
    is_reference : bool
        What the other scenarios of the question are compared with.
    n_rows, n_covariates : int
        Of the seed.
    true_effect : float
        Of the population the seed is from.
    calibrated, uncalibrated : float
    """

    question: Question
    scenario: str
    is_reference: bool
    n_rows: int
    n_covariates: int
    true_effect: float
    calibrated: float
    uncalibrated: float


@dataclass(frozen=True, eq=False, repr=False)
class SeedDraw:
    """One seed, and what all its scenarios share.

    Attributes
    ----------
    population : KnownPopulation
    nuisance : NuisanceSettings
        The study's library.
    table : DataFrame
        The largest seed of the replicate; smaller ones are its first rows.
    n_rows : int
        The study's own seed size.
    random_seed : int
        Starts every scenario's stream anew, so that folds and draws are paired.
    """

    population: KnownPopulation
    nuisance: NuisanceSettings
    table: pd.DataFrame
    n_rows: int
    random_seed: int

    @property
    def rng(self) -> np.random.Generator:
        """A stream from its start."""
        return np.random.default_rng(self.random_seed)

    @property
    def seed(self) -> pd.DataFrame:
        """Rows of the study's own seed size."""
        return self.table.iloc[: self.n_rows]

    @cached_property
    def analysis(self) -> SeedAnalysis:
        """What the study's library makes of the seed."""
        return analyse_seed(self.seed, self.population.schema, self.nuisance, self.rng)

    def effect(
        self,
        question: Question,
        scenario: str,
        table: pd.DataFrame,
        *,
        settings: NuisanceSettings,
        schema: TableSchema | None = None,
        is_reference: bool = False,
    ) -> ScenarioEffect:
        """Run the study's steps on a seed; covariates are drawn from its rows."""
        known = self.population.schema if schema is None else schema
        is_own = schema is None and len(table) == self.n_rows and settings == self.nuisance
        rng = self.rng.spawn(1)[0]
        try:
            analysed = self.analysis if is_own else analyse_seed(table, known, settings, self.rng)
            drawn = table.iloc[rng.integers(0, len(table), N_HYBRID)].reset_index(drop=True)
            made = hybrid_contrast(drawn, analysed)
            values = float(made.calibrated.mean()), float(made.uncalibrated.mean())
        except EstimationError:
            values = (np.nan, np.nan)
        size = len(table), len(known.covariate_names)
        truth = self.population.true_ate
        return ScenarioEffect(question, scenario, is_reference, *size, truth, *values)


def misspecified(draw: SeedDraw, question: Question) -> Iterator[ScenarioEffect]:
    """Leave out interactions and curves, from one model or both; leave out every covariate."""
    full = draw.nuisance
    smooth: dict[str, tuple[str, ...]] = {
        "propensity_library": ("constant", "linear", "spline"),
        "outcome_library": ("linear", "spline"),
    }
    libraries = {
        FULL: full,
        "no interactions": full.model_copy(update=smooth),
        "outcome linear": full.model_copy(update={"outcome_library": LINEAR.outcome_library}),
        "propensity linear": full.model_copy(
            update={"propensity_library": LINEAR.propensity_library}
        ),
        "both linear": LINEAR,
    }
    for name, settings in libraries.items():
        yield draw.effect(question, name, draw.seed, settings=settings, is_reference=name == FULL)
    schema = draw.population.schema
    arms = draw.seed.groupby(schema.treatment)[schema.outcome].mean()
    crude, truth = float(arms[1] - arms[0]), draw.population.true_ate
    yield ScenarioEffect(question, CRUDE, False, draw.n_rows, 0, truth, crude, crude)


def without_confounders(draw: SeedDraw) -> Iterator[ScenarioEffect]:
    """Leave each of the strongest confounders out of every model, one at a time."""
    schema = draw.population.schema
    for name in draw.population.strongest_confounders(N_DROPPED_CONFOUNDERS):
        rest = schema.select(each for each in schema.names if each != name)
        if rest.covariate_names:
            yield draw.effect(
                "misspecification",
                f"without {name}",
                draw.seed[rest.names],
                settings=draw.nuisance,
                schema=rest,
            )


def seed_sizes(draw: SeedDraw, sizes: tuple[int, ...]) -> Iterator[ScenarioEffect]:
    """Take the first rows of the largest seed."""
    for size in sizes:
        yield draw.effect(
            "seed size",
            f"{size} rows",
            draw.table.iloc[:size],
            settings=draw.nuisance,
            is_reference=size == sizes[-1],
        )


def dimensions(draw: SeedDraw, totals: tuple[int, ...]) -> Iterator[ScenarioEffect]:
    """Add noise covariates: the study's own, drawn for other people.

    All with the linear library, which takes 0.2 CPU s at 100 covariates where
    the whole library takes 8.
    """
    own = len(draw.population.schema.covariate_names)
    rng = draw.rng
    wider, schema = draw.seed, draw.population.schema
    for total in (own, *(each for each in totals if each > own)):
        wider, schema = with_noise(wider, schema, draw.population.covariates, total, rng)
        yield draw.effect(
            "dimension",
            f"{total} covariates",
            wider,
            settings=LINEAR,
            schema=schema,
            is_reference=total == own,
        )


def with_noise(
    table: pd.DataFrame,
    schema: TableSchema,
    pool: pd.DataFrame,
    n_covariates: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, TableSchema]:
    """Widen a table to so many covariates with columns of `pool`, rows drawn independently."""
    columns = list(schema.columns)
    added = {}
    for position in range(len(schema.covariate_names), n_covariates):
        source = str(pool.columns[position % pool.shape[1]])
        name = f"noise_{position}_{source}"
        columns.insert(0, schema[source].model_copy(update={"name": name}))
        added[name] = pool[source].to_numpy()[rng.integers(0, len(pool), len(table))]
    wider = TableSchema(study=schema.study, columns=tuple(columns))
    rows = table.reset_index(drop=True)
    return wider.canonical(pd.concat([rows, pd.DataFrame(added)], axis="columns")), wider


def filtered(draw: SeedDraw) -> Iterator[ScenarioEffect]:
    """Drop finished hybrid rows whose covariates are nearest to a person's, as the papers do.

    Rows equally near are dropped at random. Where all are, nothing is filtered
    and the effects are missing.
    """
    covariates = draw.population.schema.covariates
    people = draw.seed[covariates.names]
    fitting, drawing, choosing = draw.rng.spawn(3)
    generator = CartGenerator(CartSettings()).fit(people, covariates, fitting)
    rows = covariates.canonical(generator.sample(N_HYBRID, drawing))
    distance = distance_to_closest_record(rows, people, RecordEncoder.fit(people, covariates))
    try:
        made = hybrid_contrast(rows, draw.analysis)
        effects = np.array([made.calibrated, made.uncalibrated])
    except EstimationError:
        effects = np.full((2, N_HYBRID), np.nan)
    nearest_first = order_of_distances(distance, choosing)
    all_tied = distance.max() - distance.min() <= TIE_TOLERANCE
    for quantile in (0.0, *FILTER_QUANTILES):
        kept = nearest_first[int(quantile * N_HYBRID) :]
        means = effects[:, kept].mean(axis=1)
        if all_tied and quantile > 0.0:
            means = np.full(2, np.nan)
        yield ScenarioEffect(
            "DCR filter",
            f"nearest {quantile:.0%} dropped" if quantile else "no row dropped",
            quantile == 0.0,
            draw.n_rows,
            len(covariates.names),
            draw.population.true_ate,
            *map(float, means),
        )


def order_of_distances(distances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give row positions by increasing distance, tied rows in random order.

    Parameters
    ----------
    distances : ndarray, shape (n,)
        Not negative, in standard deviations; those within 1e-9 are tied.
    rng : numpy Generator

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    return np.lexsort((rng.random(len(distances)), np.round(distances / TIE_TOLERANCE)))
