"""What makes A and Y on a private branch: fitted to rows of its law, never to people's."""

import dagster as dg
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.column_lineage import lineage
from dagster_project.display import small_table
from dagster_project.privacy_spending import loss_metadata, privacy_loss
from dagster_project.private_branch import made_with
from dagster_project.stored_generator import stored_generator
from hybrid_assets.effects import EFFECT_COMMENTS, effect_rows, seed_tmle
from hybrid_assets.estimators import estimate_effects
from hybrid_assets.generators import draw_valid
from hybrid_assets.nuisance import CrossFit, cross_fit_draws
from hybrid_assets.nuisance.outcome_model import fit_outcome_model
from hybrid_assets.nuisance.propensity_model import fit_propensity_model
from hybrid_assets.schema import TableSchema

FITTED_ROWS = 20_000  # drawn from the private law for fits alone: they cost nothing


def private_nuisance_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare a private branch's models and target: post-processing, which costs no privacy."""
    names, law = made_with(make.study, generator), f"{generator}/fitted_generator"

    @make.asset(names.propensity, deps=["splits", law], kinds={"scikitlearn"}, privacy="derived")
    def propensity_model(run: AssetRun) -> AssetResult:
        """P(treatment | covariates) in rows of the private law, or the design's coin."""
        schema, rows, fits = _cross_fits(run)
        model = fit_propensity_model(rows, schema, run.study.nuisance_models, fits)
        return run.record_model(model.to_files(), metadata=lineage(run, schema))

    @make.asset(names.outcome, deps=["splits", law], kinds={"scikitlearn"}, privacy="derived")
    def outcome_model(run: AssetRun) -> AssetResult:
        """E[outcome | treatment, covariates] in each arm of rows of the private law."""
        schema, rows, fits = _cross_fits(run)
        model = fit_outcome_model(rows, schema, run.study.nuisance_models, fits)
        return run.record_model(model.to_files(), metadata=lineage(run, schema))

    @make.asset(names.target, deps=["splits", law], kinds={"duckdb"}, privacy="derived")
    def private_estimates(run: AssetRun) -> AssetResult:
        """The private law's own effect: what this hybrid keeps in place of the seed's."""
        schema, _, fits = _cross_fits(run)
        estimates = effect_rows(
            estimate_effects(fits, run.study.questions),
            kind="full synthetic",
            generator=generator,
            nuisances=run.study.nuisance_models.kind,
            n_seed=run.n_people("train"),
        )
        return run.record_table(
            estimates,
            comments={name: EFFECT_COMMENTS[name] for name in estimates.columns},
            metadata={
                "estimates": small_table(estimates[SHOWN]),
                "tmle": float(seed_tmle(estimates)["estimate"]),
                **loss_metadata(privacy_loss(run)),
                **lineage(run, schema),
            },
        )

    return [propensity_model, outcome_model, private_estimates]


SHOWN = ["estimator", "estimand", "estimate", "ci_low_adjusted", "ci_high_adjusted", "n_rows"]


def _cross_fits(run: AssetRun) -> tuple[TableSchema, pd.DataFrame, tuple[CrossFit, ...]]:
    """Draw private rows and cross-fit them; all three assets use the same rows and folds."""
    study, schema = run.study, run.schema()
    drawing, folding = study.random_generator(f"{run.generator}/nuisance_models").spawn(2)
    rows, _ = draw_valid(stored_generator(run, schema), schema, FITTED_ROWS, drawing)
    fits = cross_fit_draws(rows, schema, study.nuisance_models, folding, study.known_propensity)
    return schema, rows, fits
