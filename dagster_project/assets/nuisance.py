"""Propensity and outcome models that generate rows, and the seed's own effect."""

import dagster as dg
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.column_lineage import lineage
from dagster_project.display import small_table
from dagster_project.workers import fits_hand_out, workers
from hybrid_assets.effects import EFFECT_COMMENTS, effect_rows, seed_tmle
from hybrid_assets.estimators import (
    EffectEstimate,
    estimate_effects,
    estimate_subgroup_effects,
    strata_of,
)
from hybrid_assets.nuisance import AnyNuisanceSettings, CrossFit, cross_fit_draws
from hybrid_assets.nuisance.outcome_model import fit_outcome_model
from hybrid_assets.nuisance.propensity_model import fit_propensity_model
from hybrid_assets.nuisance.stacking import Stack
from hybrid_assets.positivity import OverlapDiagnostics, overlap
from hybrid_assets.report.figures import overlap_plot
from hybrid_assets.schema import TableSchema


def nuisance_assets(make: AssetFactory) -> list[dg.AssetsDefinition]:
    """Declare ``propensity_model``, ``outcome_model`` and ``seed_estimates``."""
    positivity = make.check(
        "propensity_model",
        "positivity",
        "Few enough people whose treatment was all but certain: beyond that share the effect "
        "rests on extrapolation.",
        blocking=False,
    )

    hands_out = fits_hand_out(make.study)

    @make.asset(
        "propensity_model",
        deps=["splits"],
        kinds={"scikitlearn"},
        privacy="confidential",
        checks=[positivity],
        hands_out=hands_out,
    )
    def propensity_model(run: AssetRun) -> AssetResult:
        """P(treatment | covariates): the design's coin, or a model fitted to the training rows."""
        schema, train, fits = _cross_fits(run)
        model = fit_propensity_model(train, schema, run.study.nuisance_models, fits)
        found = overlap(fits[0].propensity_unbounded, fits[0].treatment, train, schema)
        return run.record_model(
            model.to_files(),
            drawn=overlap_plot(fits[0].propensity_unbounded, fits[0].treatment, bound=found.bound),
            metadata={**_overlap_metadata(found), **lineage(run, schema)},
            checks=[_positivity(found, run.study.gates.max_extreme_share)],
        )

    @make.asset(
        "outcome_model",
        deps=["splits"],
        kinds={"scikitlearn"},
        privacy="confidential",
        hands_out=hands_out,
    )
    def outcome_model(run: AssetRun) -> AssetResult:
        """E[outcome | treatment, covariates] in each arm, and the spread around it."""
        schema, train, fits = _cross_fits(run)
        model = fit_outcome_model(train, schema, run.study.nuisance_models, fits)
        seen = "out-of-fold" if run.study.recipe == "targeted" else "in-sample"
        stack = _stack_table([fit.outcome_stack for fit in fits], seen)
        return run.record_model(model.to_files(), metadata={"stack": stack, **lineage(run, schema)})

    @make.asset(
        "seed_estimates", deps=["splits"], kinds={"duckdb"}, privacy="derived", hands_out=hands_out
    )
    def seed_estimates(run: AssetRun) -> AssetResult:
        """The study's own effect: what every hybrid table must keep."""
        rows = _seed_effects(run)
        target = seed_tmle(rows)
        return run.record_table(
            rows,
            comments={name: EFFECT_COMMENTS[name] for name in rows.columns},
            metadata={
                "estimates": small_table(rows[SHOWN]),
                "tmle": float(target["estimate"]),
                "tmle_standard_error": float(target["standard_error"]),
                **lineage(run, run.schema()),
            },
        )

    return [propensity_model, outcome_model, seed_estimates]


SHOWN = [
    "nuisances",
    "estimator",
    "estimand",
    "subgroup",
    "subgroup_level",
    "estimate",
    "standard_error",
    "ci_low",
    "ci_high",
    "n_rows",
    "interval_note",
]


def _cross_fits(run: AssetRun) -> tuple[TableSchema, pd.DataFrame, tuple[CrossFit, ...]]:
    """Cross-fit the training rows; both models use the same folds."""
    study, schema = run.study, run.schema()
    train = run.part("train", schema)
    rng = study.random_generator("nuisance_models")
    with workers(fits_hand_out(study)) as pool:
        fits = cross_fit_draws(
            train, schema, study.nuisance_models, rng, study.known_propensity, workers=pool
        )
    return schema, train, fits


def _stack_table(stacks: list[Stack], seen: str) -> dg.MarkdownMetadataValue:
    """Show what each learner weighs and loses, averaged over the fold draws.

    The loss is ``out-of-fold`` or ``in-sample``.
    """
    shown = {
        "weight": pd.DataFrame([stack.weights for stack in stacks]).mean(),
        f"{seen} loss": pd.DataFrame([stack.losses for stack in stacks]).mean(),
    }
    return small_table(pd.DataFrame(shown).rename_axis("learner").reset_index())


def _seed_effects(run: AssetRun) -> pd.DataFrame:
    study = run.study
    own = study.nuisance_models
    rows = [effect_rows(_answers(run, own), kind="seed", nuisances=own.kind)]
    if study.reference_model is not None:
        book = _answers(run, study.reference_model)
        rows.append(effect_rows(book, kind="seed", nuisances="parametric"))
    return pd.concat(rows, ignore_index=True)


def _answers(run: AssetRun, settings: AnyNuisanceSettings) -> list[EffectEstimate]:
    study, schema = run.study, run.schema()
    seed = run.part("seed", schema)
    with workers(fits_hand_out(study)) as pool:
        fits = cross_fit_draws(
            seed, schema, settings, run.rng, study.known_propensity, workers=pool
        )
    strata = strata_of(seed, schema, study.subgroups)
    return [
        *estimate_effects(fits, study.questions),
        *estimate_subgroup_effects(fits, strata, study.questions),
    ]


def _overlap_metadata(found: OverlapDiagnostics) -> dict[str, object]:
    quantiles = pd.DataFrame(
        {"share": found.propensity_quantiles.keys(), "g": found.propensity_quantiles.values()}
    )
    inner = quantiles[quantiles["share"].between(0.05, 0.95)]
    return {
        "propensity_quantiles": small_table(inner),
        "balance": small_table(found.balance),
    }


def _positivity(found: OverlapDiagnostics, largest_share: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="positivity",
        passed=found.share_extreme <= largest_share,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "share_extreme": found.told_extreme,
            "extreme_beyond": found.extreme_threshold,
            "clipped_share": found.told_clipped,
            "effective_sample_size_treated": found.ess_treated,
            "effective_sample_size_control": found.ess_control,
            "clipped_at": found.bound,
            "largest_share_extreme": largest_share,
        },
    )
