"""What each generator's tables are worth: privacy, fidelity, effects."""

from concurrent.futures import Executor
from itertools import product

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.effect_diagnosis import (
    DIAGNOSES_FILE,
    EFFECT_DIAGNOSES,
    effect_diagnoses,
    measure_rows,
    shown_measures,
)
from dagster_project.display import small_table
from dagster_project.distance_results import (
    DCR_EVALUATIONS,
    HYBRID_W,
    distance_checks,
    distance_rows,
    distances,
)
from dagster_project.privacy_results import (
    CHECK,
    CHECK_MEANING,
    EVALUATION_FILE,
    EVALUATIONS,
    RISK_COMMENTS,
    attacked_hybrid,
    finding_rows,
    risk_metadata,
    verdict_check,
)
from dagster_project.row_scores import block_loss_rows, can_score
from dagster_project.synthetic_tables import (
    FULL,
    HYBRID,
    SyntheticKind,
    hybrid_probability,
    sampled_rows,
    synthetic_tables,
)
from dagster_project.workers import fits_hand_out, workers
from hybrid_assets.blocks import sampling_note
from hybrid_assets.effects import EFFECT_COMMENTS, effect_rows
from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import (
    estimate_effects,
    estimate_subgroup_effects,
    strata_of,
)
from hybrid_assets.fidelity import (
    EffectDiagnosis,
    PredictiveScore,
    marginals,
    train_on_synthetic_test_on_real,
)
from hybrid_assets.nuisance import cross_fit
from hybrid_assets.privacy.ledger import WITHOUT_PRIVACY_NOISE
from hybrid_assets.privacy.nearest import POINTS_HANDED_OUT
from hybrid_assets.published import PUBLISHED_GENERATOR_LABEL
from hybrid_assets.report.figures import dcr_box_plot, marginals_plot

PREDICTIVE_SCORES = TypeAdapter(dict[str, PredictiveScore | None])
SHOWN = [
    "table_name",
    "estimator",
    "estimand",
    "subgroup",
    "subgroup_level",
    "estimate",
    "ci_low_adjusted",
    "ci_high_adjusted",
]


def evaluation_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare a generator's ``privacy_``, ``fidelity_evaluation`` and ``effect_estimates``."""
    tables = [f"{generator}/hybrid_triplets", f"{generator}/full_synthetic"]
    return [
        _privacy_evaluation(make, generator, tables),
        _fidelity_evaluation(make, generator, tables),
        _effect_estimates(make, generator, tables),
    ]


def _privacy_evaluation(
    make: AssetFactory, generator: str, tables: list[str]
) -> dg.AssetsDefinition:
    scorer = [f"{generator}/fitted_generator"] if can_score(make.study, generator) else []
    privacy_asset = f"{generator}/privacy_evaluation"
    copies = make.check(
        privacy_asset,
        "copies",
        "Synthetic covariate rows equal a training row no more often than unseen people do.",
        blocking=False,
    )
    share = make.check(
        privacy_asset,
        "dcr_share",
        "Synthetic covariate rows are not closer to training people than chance allows.",
        blocking=False,
    )
    verdict = make.check(privacy_asset, CHECK, CHECK_MEANING, blocking=False)
    hands_out = make.study.n_synthetic > POINTS_HANDED_OUT

    @make.asset(
        privacy_asset,
        deps=["splits", *tables, *scorer],
        kinds={"duckdb"},
        privacy="derived",
        checks=[copies, share, verdict],
        pool="memory",
        hands_out=hands_out,
    )
    def privacy_evaluation(run: AssetRun) -> AssetResult:
        """Distances and attacks, each with what unseen people would give beside it."""
        with workers(hands_out) as pool:
            found = distances(run, pool)
            risks = attacked_hybrid(
                run, covariates=found[HYBRID_W].share, rows=found[HYBRID].share, workers=pool
            )
        attacks = finding_rows(risks.findings, HYBRID)
        return run.record_table(
            pd.concat([distance_rows(found), attacks], ignore_index=True),
            files={
                "distances.json": DCR_EVALUATIONS.dump_json(found),
                EVALUATION_FILE: EVALUATIONS.dump_json(risks),
            },
            drawn=dcr_box_plot(found),
            comments=RISK_COMMENTS,
            metadata={**risk_metadata(risks), **sampled_rows(run)},
            checks=[*distance_checks(found[HYBRID_W], run.study), verdict_check(risks)],
        )

    return privacy_evaluation


def _fidelity_evaluation(
    make: AssetFactory, generator: str, tables: list[str]
) -> dg.AssetsDefinition:
    @make.asset(
        f"{generator}/fidelity_evaluation",
        deps=["splits", "propensity_model", "outcome_model", *tables],
        kinds={"duckdb", "scikitlearn"},
        privacy="derived",
        hands_out=fits_hand_out(make.study),
    )
    def fidelity_evaluation(run: AssetRun) -> AssetResult:
        """Column laws, outcomes predicted for unseen people, and where the effect went."""
        with workers(fits_hand_out(run.study)) as pool:
            rows, scores = _fidelity(run, pool)
        found, left_out = _effect_diagnoses(run)
        of_hybrid = rows[rows["table_kind"] == HYBRID]
        losses = block_loss_rows(run, run.sample(synthetic_tables(run)[HYBRID], run.schema()))
        return run.record_table(
            pd.concat([rows, *measure_rows(found), *losses], ignore_index=True),
            files={
                "predictive_scores.json": PREDICTIVE_SCORES.dump_json(scores),
                DIAGNOSES_FILE: EFFECT_DIAGNOSES.dump_json(found),
            },
            drawn=marginals_plot(of_hybrid),
            metadata={
                "predictive_scores": _score_table(scores),
                "effect": shown_measures(found),
                **({"log_loss_by_block": small_table(losses[0])} if losses else {}),
                "left_out": left_out,
                **sampled_rows(run),
            },
        )

    return fidelity_evaluation


def _effect_estimates(make: AssetFactory, generator: str, tables: list[str]) -> dg.AssetsDefinition:
    @make.asset(
        f"{generator}/effect_estimates",
        deps=["splits", *tables],
        kinds={"duckdb", "scikitlearn"},
        privacy="derived",
        hands_out=fits_hand_out(make.study),
    )
    def effect_estimates(run: AssetRun) -> AssetResult:
        """The effect as an analyst would estimate it from the hybrid and full-synthetic tables."""
        with workers(fits_hand_out(run.study)) as pool:
            rows, left_out = _effects(run, pool)
        return run.record_table(
            rows,
            comments={name: EFFECT_COMMENTS[name] for name in rows.columns},
            metadata={
                "estimates": small_table(rows[SHOWN]),
                "left_out": left_out,
                **sampled_rows(run),
            },
        )

    return effect_estimates


def _fidelity(
    run: AssetRun, pool: Executor | None
) -> tuple[pd.DataFrame, dict[str, PredictiveScore | None]]:
    schema = run.schema()
    train, holdout = (run.part(part, schema) for part in ("train", "holdout"))
    rows: list[pd.DataFrame] = []
    scores: dict[str, PredictiveScore | None] = {}
    for kind, asset in synthetic_tables(run).items():
        table, sample = run.rows(asset, schema), run.sample(asset, schema)
        rows.append(marginals(train, holdout, table, schema).assign(table_kind=kind))
        scores[kind] = train_on_synthetic_test_on_real(
            sample,
            train,
            holdout,
            schema=schema,
            rng=run.rng,
            is_sample=len(sample) < len(table),
            workers=pool,
        )
    return pd.concat(rows, ignore_index=True), scores


def _effect_diagnoses(run: AssetRun) -> tuple[dict[str, EffectDiagnosis | None], list[str]]:
    coins: dict[SyntheticKind, float | None] = {HYBRID: hybrid_probability(run), FULL: None}
    schema = run.schema()
    tables = {kind: run.sample(asset, schema) for kind, asset in synthetic_tables(run).items()}
    return effect_diagnoses(run, tables, coins)


def _score_table(scores: dict[str, PredictiveScore | None]) -> dg.MarkdownMetadataValue:
    dumped = PREDICTIVE_SCORES.dump_python(scores)
    columns = ["table", *PredictiveScore.__dataclass_fields__]
    rows = [{"table": kind, **(score or {})} for kind, score in dumped.items()]
    return small_table(pd.DataFrame(rows, columns=columns))


def _effects(run: AssetRun, pool: Executor | None) -> tuple[pd.DataFrame, list[str]]:
    """Estimate as an analyst would who knows how treatment was drawn, where it was by design.

    One fold draw is enough: it moves an estimate by about 6 % of a naive
    standard error, which is then widened several times. What cannot be
    estimated in a subgroup of a generator's rows is left out and named.
    """
    study, schema, settings = run.study, run.schema(), run.study.nuisance_models
    learnt_from = {HYBRID: run.n_people("seed"), FULL: run.n_people("train")}
    by_design: dict[SyntheticKind, float | None] = {HYBRID: hybrid_probability(run), FULL: None}
    rows, left_out = [], []
    for kind, asset in synthetic_tables(run).items():
        table = run.sample(asset, schema)
        rng = study.random_generator(f"{run.asset}/{kind}")
        draw = rng.spawn(1)[0]
        fits = (cross_fit(table, schema, settings, draw, by_design[kind], workers=pool),)
        found = estimate_effects(fits, study.questions)
        for stratum, asked in product(
            strata_of(table, schema, study.subgroups), study.questions.one_by_one()
        ):
            try:
                found += estimate_subgroup_effects(fits, [stratum], asked)
            except EstimationError as refusal:
                left_out.append(f"{kind} table, {refusal}")
        made = effect_rows(
            found,
            kind=kind,
            generator=run.generator,
            nuisances=settings.kind,
            n_seed=learnt_from[kind],
        )
        note = sampling_note(len(run.rows(asset, schema)))
        rows.append(labelled(made, study.generators[run.generator].kind, note))
    return pd.concat(rows, ignore_index=True), left_out


def labelled(rows: pd.DataFrame, kind: str, sampled: str = "") -> pd.DataFrame:
    """Say which generator is there to compare with, and what intervals lack or are taken from."""
    label = f" ({PUBLISHED_GENERATOR_LABEL})" if kind == "great" else ""
    named = rows.assign(table_name=rows["table_name"] + label)
    notes = [WITHOUT_PRIVACY_NOISE] * (kind == "dp") + [f"estimated {sampled}"] * bool(sampled)
    return named.assign(interval_note="; ".join(notes)) if notes else named
