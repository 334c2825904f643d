"""From a fitted generator to hybrid triplets, and the generator alone beside them."""

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_factory import AssetFactory, Privacy
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.private_nuisance import private_nuisance_assets
from dagster_project.column_lineage import lineage
from dagster_project.display import comments_of, small_table
from dagster_project.fitting import fit_metadata, fitted
from dagster_project.privacy_spending import loss_metadata, privacy_loss
from dagster_project.private_branch import is_private, made_with
from dagster_project.private_fit import paid_law
from dagster_project.row_scores import can_score
from dagster_project.stored_generator import stored_generator
from dagster_project.study_file import StudyFile
from dagster_project.truth_columns import TRUTH_COMMENTS, with_truth
from hybrid_assets.effects import seed_tmle
from hybrid_assets.fidelity import effect_drift
from hybrid_assets.generators import GENERATORS, CovariateGenerator, DrawReport, draw_valid
from hybrid_assets.hybrid import GeneratingModels, HybridSettings, HybridTable, hybrid_triplets
from hybrid_assets.nuisance import OutcomeModel, PropensityModel
from hybrid_assets.published import IN_SAMPLE_INTERVALS
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
CALIBRATION_FILE = "calibration.json"
CALIBRATION = TypeAdapter(float | None)


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
        model_asset, deps=["splits"], kinds={KINDS[kind]}, privacy="confidential", pool=pool
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
        table, report = draw_valid(model, schema, run.study.n_synthetic, run.rng, parts)
        recorded = run.record_table(
            schema.stored(table),
            comments=comments_of(schema),
            metadata={**_yield(report), **lineage(run, whole)},
        )
        parts.remove()
        return recorded

    @make.asset(
        triplets,
        deps=[*dict.fromkeys([covariates, *behind, "seed_estimates", "splits"])],
        kinds={"duckdb"},
        privacy=privacy,
        checks=_effect_checks(make, triplets, private=private),
    )
    def hybrid(run: AssetRun) -> AssetResult:
        """Covariates, then treatment from its own model, then the outcome, targeted to the seed."""
        schema = run.schema()
        made = _hybrid(run, schema, covariates)
        return run.record_table(
            with_truth(made, schema.stored(made.table)),
            files={CALIBRATION_FILE: CALIBRATION.dump_json(_largest_shift(made, schema.outcome))},
            comments={**comments_of(schema), **TRUTH_COMMENTS},
            metadata={
                **_hybrid_metadata(made),
                **loss_metadata(privacy_loss(run)),
                **lineage(run, schema),
            },
            checks=_effect_results(run, made, schema.outcome),
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
        table, report = draw_valid(model, schema, run.study.n_synthetic, rng, parts)
        recorded = run.record_table(
            schema.stored(table),
            files=model.to_files() if keeps_model else None,
            comments=comments_of(schema),
            drawn=_learning_curve(model),
            metadata={
                **_yield(report),
                **fit_metadata(run, model),
                **lineage(run, schema),
            },
        )
        parts.remove()
        return recorded

    own = private_nuisance_assets(make, generator) if private else []
    return [fitted_generator, synthetic_covariates, *own, hybrid, full_synthetic]


def _effect_checks(make: AssetFactory, triplets: str, *, private: bool) -> list[dg.AssetCheckSpec]:
    """Declare what holds a hybrid table to the seed's effect, or shows that nothing does."""
    if make.study.recipe == "published":
        return [make.check(triplets, "effect_drift", UNCALIBRATED, blocking=False)]
    drift = make.check(
        triplets,
        "effect_drift",
        PRIVATE_EFFECT if private else "The hybrid population's exact effect is the seed's TMLE.",
        blocking=not private,
    )
    shift = make.check(
        triplets,
        "calibration_shift",
        "The outcome model had to be moved little to keep the effect: a large shift (logit scale, "
        "or standard deviations) means that the covariates or the outcome model are poor.",
        blocking=False,
    )
    return [drift, shift]


PRIVATE_EFFECT = (
    "The hybrid population's exact effect is near the seed's TMLE: it is held at the private "
    "table's own, and is off by what the noise costs. It blocks no evaluation; the gate before a "
    "release judges it as everyone else's."
)
UNCALIBRATED = (
    "Published recipe, not for release: the outcome model is not calibrated, so that nothing holds "
    "the hybrid population's effect at the seed's; the drift is shown and blocks nothing."
)


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


def _hybrid(run: AssetRun, schema: TableSchema, covariates: str) -> HybridTable:
    rows, models = run.canonical(covariates, schema.covariates), generating_models(run, schema)
    return hybrid_triplets(rows, models, settings=hybrid_settings(run.study), rng=run.rng)


def hybrid_settings(study: StudyFile) -> HybridSettings:
    """Say how the study's recipe makes A and Y."""
    is_randomised = study.assignment == "randomised"
    return HybridSettings(
        assignment=study.assignment,
        calibrate=study.recipe == "targeted",
        treated_probability=study.design_probability if is_randomised else None,
    )


def generating_models(run: AssetRun, schema: TableSchema) -> GeneratingModels:
    """Read what makes A and Y, and the arm means that it is to keep."""
    behind = made_with(run.study, run.generator)
    target = seed_tmle(run.table(behind.target))
    return GeneratingModels(
        propensity=PropensityModel.from_files(run.files(behind.propensity), schema),
        outcome=OutcomeModel.from_files(run.files(behind.outcome), schema),
        mean_treated=float(target["mean_treated"]),
        mean_control=float(target["mean_control"]),
    )


def _hybrid_metadata(made: HybridTable) -> dict[str, object]:
    return {
        "assignment": made.assignment,
        "psi_exact": made.true_ate,
        "outcomes_at_bounds_share": made.bounded_share,
        "calibration": _calibration_text(made),
    }


def _calibration_text(made: HybridTable) -> str | dg.MarkdownMetadataValue:
    """Show shifts and arm means; the outcome's range is two people's and stays out."""
    found = made.calibration
    if found is None:
        return "none: outcome means are as the model predicts them"
    return small_table(
        pd.DataFrame(
            {
                "arm": ["control", "treated"],
                "shift": [found.shift_control, found.shift_treated],
                "mean before": [found.uncalibrated_control, found.uncalibrated_treated],
                "mean after": [found.target_control, found.target_treated],
            }
        )
    )


def _effect_results(run: AssetRun, made: HybridTable, outcome: str) -> list[dg.AssetCheckResult]:
    if run.study.recipe == "published":
        return [_drift(run, made)]
    return [_drift(run, made), _shift(run, made, outcome)]


def _largest_shift(made: HybridTable, outcome: str) -> float | None:
    """Give the larger arm's shift: on the logit scale, or in standard deviations of the outcome."""
    found = made.calibration
    if found is None:
        return None
    unit = 1.0 if found.is_binary else float(made.table[outcome].std())
    return max(abs(found.shift_control), abs(found.shift_treated)) / unit


def _shift(run: AssetRun, made: HybridTable, outcome: str) -> dg.AssetCheckResult:
    largest = _largest_shift(made, outcome) or 0.0
    return dg.AssetCheckResult(
        check_name="calibration_shift",
        passed=largest <= run.study.gates.max_calibration_shift,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"largest_shift": largest, "limit": run.study.gates.max_calibration_shift},
    )


def _drift(run: AssetRun, made: HybridTable) -> dg.AssetCheckResult:
    target = seed_tmle(run.table("seed_estimates"))
    as_published, private = run.study.recipe == "published", is_private(run.study, run.generator)
    drift = effect_drift(made.true_ate, float(target["estimate"]), float(target["standard_error"]))
    return dg.AssetCheckResult(
        check_name="effect_drift",
        passed=drift <= run.study.gates.max_effect_drift,
        severity=dg.AssetCheckSeverity.WARN
        if as_published or private
        else dg.AssetCheckSeverity.ERROR,
        metadata={
            "psi_exact": made.true_ate,
            "seed_tmle": float(target["estimate"]),
            "drift": made.true_ate - float(target["estimate"]),
            "drift_in_standard_errors": drift,
            "largest_drift": run.study.gates.max_effect_drift,
            **({"why": f"{UNCALIBRATED} {IN_SAMPLE_INTERVALS}."} if as_published else {}),
            **({"why": PRIVATE_EFFECT} if private else {}),
        },
    )
