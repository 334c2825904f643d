"""From a fitted generator to hybrid triplets, and the generator alone beside them."""

import dagster as dg

from dagster_project.asset_factory import AssetFactory, Privacy
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.private_nuisance import private_nuisance_assets
from dagster_project.column_lineage import lineage
from dagster_project.display import comments_of
from dagster_project.fitting import fit_metadata, fitted
from dagster_project.hybrid_recipe import generating_models, hybrid_settings
from dagster_project.hybrid_results import (
    CALIBRATION,
    CALIBRATION_FILE,
    effect_checks,
    effect_results,
    hybrid_metadata,
    largest_shift,
)
from dagster_project.privacy_spending import loss_metadata, privacy_loss
from dagster_project.private_branch import is_private, made_with
from dagster_project.private_fit import paid_law
from dagster_project.row_scores import can_score
from dagster_project.stored_generator import stored_generator
from dagster_project.truth_columns import TRUTH_COMMENTS, with_truth
from hybrid_assets.generators import GENERATORS, CovariateGenerator, DrawReport, ValidRows
from hybrid_assets.hybrid_draw import HybridDraw
from hybrid_assets.report.figures import learning_curve_plot
from hybrid_assets.schema import TableSchema

KINDS = {
    "bootstrap": "python",
    "cart": "scikitlearn",
    "gan": "pytorch",
    "llm": "huggingface",
    "great": "huggingface",
    "dp": "python",
}
GPU_KINDS = ("gan", "llm", "great")


def generation_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare one generator's branch, from its fit to its two synthetic tables."""
    kind = make.study.generators[generator].kind
    pool = "gpu" if kind in GPU_KINDS else None
    # bootstrapped covariates are people's own
    privacy: Privacy = "confidential" if kind == "bootstrap" else "derived"
    model_asset, covariates, triplets, full = (
        f"{generator}/{name}"
        for name in (
            "fitted_generator",
            "synthetic_covariates",
            "hybrid_triplets",
            "full_synthetic",
        )
    )

    private, behind = is_private(make.study, generator), made_with(make.study, generator)

    @make.asset(
        model_asset,
        deps=["splits"],
        kinds={KINDS[kind]},
        privacy="confidential",
        pool=pool,
        once=private,
    )
    def fitted_generator(run: AssetRun) -> AssetResult:
        """The generator, fitted to the training rows' covariates (a private one: whole rows)."""
        schema = run.schema()
        if private:
            files, told = paid_law(run, schema)
            recorded = run.record_model(files, metadata={**told, **lineage(run, schema)})
            run.unfinished_parts().remove()
            return recorded
        model = _fit(run, schema.covariates)
        recorded = run.record_model(
            model.to_files(),
            drawn=_learning_curve(model),
            metadata={**fit_metadata(run, model), **lineage(run, schema)},
        )
        run.unfinished_parts().remove()
        return recorded

    @make.asset(
        covariates,
        deps=["splits", model_asset],
        kinds={"duckdb", KINDS[kind]},
        privacy=privacy,
        pool=pool,
    )
    def synthetic_covariates(run: AssetRun) -> AssetResult:
        """Covariates drawn from the fitted generator; rows that break the schema are dropped."""
        whole = run.schema()
        schema = whole.covariates
        model = stored_generator(run, schema)
        parts = run.unfinished_parts()
        drawn = ValidRows(model, schema, run.study.n_synthetic, run.rng, parts)
        rows = run.in_blocks(map(schema.stored, drawn.blocks()))
        recorded = run.record_table(
            rows,
            comments=comments_of(schema),
            metadata={**_yield(drawn.report), **lineage(run, whole)},
        )
        parts.remove()
        return recorded

    @make.asset(
        triplets,
        deps=[*dict.fromkeys([covariates, *behind, "seed_estimates", "splits"])],
        kinds={"duckdb"},
        privacy=privacy,
        checks=effect_checks(make, triplets, private=private),
    )
    def hybrid(run: AssetRun) -> AssetResult:
        """Covariates, then treatment from its own model, then the outcome, targeted to the seed."""
        schema = run.schema()
        pool = run.rows(covariates, schema.covariates)
        settings = hybrid_settings(run.study)
        drawn = HybridDraw(pool, generating_models(run, schema), settings=settings, rng=run.rng)
        rows = run.in_blocks(with_truth(made, schema.stored(made.table)) for made in drawn.blocks())
        made = drawn.summary
        return run.record_table(
            rows,
            files={CALIBRATION_FILE: CALIBRATION.dump_json(largest_shift(made))},
            comments={**comments_of(schema), **TRUTH_COMMENTS},
            metadata={
                **hybrid_metadata(made),
                **loss_metadata(privacy_loss(run)),
                **lineage(run, schema),
            },
            checks=effect_results(run, made),
        )

    # a model that scores rows stays beside its table
    keeps_model = can_score(make.study, generator)

    @make.asset(
        full,
        deps=["splits", *([model_asset] if private else [])],
        kinds={"duckdb", KINDS[kind]},
        privacy="confidential" if keeps_model else privacy,
        pool=pool,
    )
    def full_synthetic(run: AssetRun) -> AssetResult:
        """The generator alone, treatment and outcome included: the baseline that fails."""
        schema = run.schema()
        model = stored_generator(run, schema) if private else _fit(run, schema)
        rng = run.study.random_generator(f"{full}/rows")
        parts = run.unfinished_parts()
        drawn = ValidRows(model, schema, run.study.n_synthetic, rng, parts)
        rows = run.in_blocks(map(schema.stored, drawn.blocks()))
        recorded = run.record_table(
            rows,
            files=model.to_files() if keeps_model else None,
            comments=comments_of(schema),
            drawn=_learning_curve(model),
            metadata={
                **_yield(drawn.report),
                **fit_metadata(run, model),
                **lineage(run, schema),
            },
        )
        parts.remove()
        return recorded

    own = private_nuisance_assets(make, generator) if private else []
    return [fitted_generator, synthetic_covariates, *own, hybrid, full_synthetic]


def _fit(run: AssetRun, schema: TableSchema) -> CovariateGenerator:
    settings = run.study.generators[run.generator]
    return fitted(run, GENERATORS[settings.kind](settings), schema)


def _learning_curve(model: CovariateGenerator) -> bytes | None:
    return None if model.learning_curve_ is None else learning_curve_plot(model.learning_curve_)


def _yield(report: DrawReport) -> dict[str, object]:
    return {
        "rows_drawn": report.n_drawn,
        "rows_dropped": report.n_dropped,
        "valid_share": round(report.valid_share, 6),
        "violations_by_column": report.dropped_by_column,
        "valid_mass_by_column": {c: round(mass, 6) for c, mass in report.valid_mass.items()},
    }
