"""How the hybrid's effect answers to wrong models, small seeds, many covariates, filters."""

import dagster as dg
import numpy as np
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.display import small_table
from dagster_project.earlier_settings import earlier_settings
from hybrid_assets.effects import seed_tmle
from hybrid_assets.generators import draw_valid
from hybrid_assets.generators.cart import CartGenerator, CartSettings
from hybrid_assets.hybrid import GeneratingModels
from hybrid_assets.nuisance import OutcomeModel, PropensityModel
from hybrid_assets.report.sensitivity_plot import sensitivity_plot
from hybrid_assets.sensitivity import (
    SENSITIVITY_COMMENTS,
    KnownPopulation,
    known_population,
    sensitivity_answers,
    simulate_sensitivity,
)

N_POPULATION = 20_000
SHOWN = ["question", "scenario", "is_calibrated", "mean_error", "ci_low", "ci_high", "rmse"]


def sensitivity_assets(make: AssetFactory) -> list[dg.AssetsDefinition]:
    """Declare ``sensitivity``; not for the published recipe, whose forests make no population."""
    if make.study.recipe == "published":
        return []

    @make.asset(
        "sensitivity",
        deps=["splits", "propensity_model", "outcome_model", "seed_estimates"],
        kinds={"duckdb", "scikitlearn"},
        privacy="derived",
        job="simulate",
    )
    def sensitivity(run: AssetRun) -> AssetResult:
        """Errors of the hybrid's effect when models, seed size, dimension or filter change."""
        rows = _errors(run)
        return run.record_table(
            rows,
            comments=SENSITIVITY_COMMENTS,
            drawn=sensitivity_plot(rows),
            metadata={
                "answers": _answers(rows),
                "errors": small_table(rows[SHOWN]),
                **earlier_settings(run),
            },
        )

    return [sensitivity]


def _errors(run: AssetRun) -> pd.DataFrame:
    drawing, simulating = run.rng.spawn(2)
    population = _population(run, drawing)
    n_rows = run.n_people("train")
    return simulate_sensitivity(
        population, run.study.nuisance, run.study.sensitivity, n_rows=n_rows, rng=simulating
    )


def _population(run: AssetRun, rng: np.random.Generator) -> KnownPopulation:
    schema = run.schema()
    train = schema.rounded(run.part("train", schema))
    fitting, sampling, planting = rng.spawn(3)
    covariates = schema.covariates
    generator = CartGenerator(CartSettings()).fit(train[covariates.names], covariates, fitting)
    drawn, _ = draw_valid(generator, covariates, N_POPULATION, sampling)
    target = seed_tmle(run.table("seed_estimates"))
    models = GeneratingModels(
        propensity=PropensityModel.from_files(run.files("propensity_model"), schema),
        outcome=OutcomeModel.from_files(run.files("outcome_model"), schema),
        mean_treated=float(target["mean_treated"]),
        mean_control=float(target["mean_control"]),
    )
    is_trial = run.study.known_propensity is not None
    return known_population(drawn, models, plants_confounding=is_trial, rng=planting)


def _answers(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    said = sensitivity_answers(rows)
    return dg.MetadataValue.md("\n".join(f"- **{name}**: {text}" for name, text in said.items()))
