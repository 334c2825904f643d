"""All tables of a study side by side: effects, comparison, report."""

from dataclasses import replace

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.effect_diagnosis import DIAGNOSES_FILE, EFFECT_DIAGNOSES
from dagster_project.assets.evaluation import PREDICTIVE_SCORES
from dagster_project.assets.report import report_summary
from dagster_project.display import small_table
from dagster_project.distance_results import DCR_EVALUATIONS, HYBRID_W
from dagster_project.privacy_results import stored_evaluation
from dagster_project.synthetic_tables import FULL, HYBRID
from dagster_project.truth_columns import exact_effect
from hybrid_assets.effects import EFFECT_COMMENTS, compared
from hybrid_assets.report.comparison import (
    TableEvidence,
    TableKey,
    comparison_rows,
    flat_comparison,
)
from hybrid_assets.report.figures import dcr_box_plot
from hybrid_assets.report.forest_plot import ate_forest_plot
from hybrid_assets.report.page import study_report_html
from hybrid_assets.report.summary import ComparisonRow

# made anew after what they compare, once the automation sensor is turned on
FOLLOWS = dg.AutomationCondition.eager() & (
    dg.AutomationCondition.all_deps_blocking_checks_passed()
)
COMPARISON = TypeAdapter(tuple[ComparisonRow, ...])


def comparison_assets(
    make: AssetFactory, guards: list[dg.AssetCheckSpec]
) -> list[dg.AssetsDefinition]:
    """Declare ``ate_estimates``, ``generator_comparison`` and ``study_report``.

    The report tells how the last evaluation of each of `guards` ended.
    """
    generators = list(make.study.generators)

    @make.asset(
        "ate_estimates",
        deps=[
            "seed_estimates",
            *(f"{g}/{t}" for g in generators for t in ("effect_estimates", "hybrid_triplets")),
        ],
        kinds={"duckdb"},
        privacy="derived",
        condition=FOLLOWS,
    )
    def ate_estimates(run: AssetRun) -> AssetResult:
        """The effect in every table, beside the seed's and, where it is known, the truth."""
        rows = _all_effects(run)
        drawn = ate_forest_plot(comparison_rows(rows), true_effect=_truth(run))
        return run.record_table(rows, drawn=drawn, comments=EFFECT_COMMENTS)

    @make.asset(
        "generator_comparison",
        deps=[
            "ate_estimates",
            *(f"{g}/{t}" for g in generators for t in EVALUATIONS),
        ],
        kinds={"duckdb"},
        privacy="derived",
        condition=FOLLOWS,
    )
    def generator_comparison(run: AssetRun) -> AssetResult:
        """One line for each table: prediction, effect, distance to people."""
        rows = _comparison(run)
        flat = flat_comparison(rows)
        distances = {row.table: row.dcr for row in rows if row.dcr is not None}
        return run.record_table(
            flat,
            files={"comparison.json": COMPARISON.dump_json(rows)},
            drawn=dcr_box_plot(distances),
            metadata={"comparison": small_table(flat[_shown(run.study.estimators)])},
        )

    @make.asset(
        "study_report",
        deps=[
            *("generator_comparison", "ate_estimates", "propensity_model", "splits"),
            *(f"{g}/privacy_evaluation" for g in generators),
        ],
        kinds={"html"},
        privacy="derived",
        condition=FOLLOWS,
    )
    def study_report(run: AssetRun) -> AssetResult:
        """One page for people who would rather look: comparison, risks, pictures, checks."""
        rows = COMPARISON.validate_json(run.files("generator_comparison")["comparison.json"])
        return run.record_document(study_report_html(report_summary(run, rows, guards)))

    return [ate_estimates, generator_comparison, study_report]


EVALUATIONS = ("privacy_evaluation", "fidelity_evaluation")


def _shown(estimators: tuple[str, ...]) -> list[str]:
    return [
        "table_name",
        "predictive_score",
        *(word for word in estimators if word != "outcome_regression"),
        "psi_exact",
        "difference_to_seed_in_se",
        "dcr_share",
        "privacy_verdict",
    ]


def _truth(run: AssetRun) -> float | None:
    known = run.study.known_effect
    return None if known is None else known.effect


def _all_effects(run: AssetRun) -> pd.DataFrame:
    exact = {g: exact_effect(run.stored(f"{g}/hybrid_triplets")) for g in run.study.generators}
    return compared(
        run.table("seed_estimates"),
        [run.table(f"{g}/effect_estimates") for g in run.study.generators],
        psi_exact=exact,
        true_effect=_truth(run),
    )


def _comparison(run: AssetRun) -> tuple[ComparisonRow, ...]:
    evidence: dict[TableKey, TableEvidence] = {}
    for g in run.study.generators:
        distances = run.files(f"{g}/privacy_evaluation")["distances.json"]
        fidelity = run.files(f"{g}/fidelity_evaluation")
        dcr = DCR_EVALUATIONS.validate_json(distances)
        scores = PREDICTIVE_SCORES.validate_json(fidelity["predictive_scores.json"])
        diagnoses = EFFECT_DIAGNOSES.validate_json(fidelity[DIAGNOSES_FILE])
        hybrid, full = (
            TableEvidence(scores.get(kind), dcr[shown], diagnoses.get(kind))
            for kind, shown in ((HYBRID, HYBRID_W), (FULL, FULL))
        )
        verdict = stored_evaluation(run, g).verdict
        evidence |= {(g, HYBRID): replace(hybrid, privacy_verdict=verdict), (g, FULL): full}
    return comparison_rows(run.table("ate_estimates"), evidence)
