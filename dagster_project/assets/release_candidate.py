"""The rows and columns that would leave, and every gate before them."""

import dagster as dg
import pandas as pd

from dagster_project.asset_factory import AssetFactory, Privacy
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.evaluation import DCR_EVALUATIONS, HYBRID_W
from dagster_project.assets.generation import CALIBRATION, CALIBRATION_FILE
from dagster_project.assets.positivity import OVERLAP_FILE, OVERLAP_SHARE
from dagster_project.display import columns_from, comments_of
from dagster_project.gate_results import (
    GATE_FILE,
    gate_check_results,
    gate_checks,
    gate_metadata,
)
from dagster_project.privacy_results import EVALUATIONS
from dagster_project.released_rows import rows_released_before
from dagster_project.suites import broken_rules
from dagster_project.truth_columns import exact_effect
from hybrid_assets.effects import seed_tmle
from hybrid_assets.errors import EvaluationError
from hybrid_assets.gates import (
    GATE_REPORT,
    GateReport,
    ReleaseEvidence,
    ReleaseFacts,
    cells_beyond,
    evaluate_gates,
)
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.schema import TableSchema


def release_candidate_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare a generator's ``release_candidate``."""
    asset, triplets = f"{generator}/release_candidate", f"{generator}/hybrid_triplets"
    is_bootstrap = make.study.generators[generator].kind == "bootstrap"
    privacy: Privacy = "confidential" if is_bootstrap else "derived"

    @make.asset(
        asset,
        deps=["splits", triplets, f"{generator}/privacy_evaluation", *STUDY_LEVEL],
        kinds={"duckdb"},
        privacy=privacy,
        checks=gate_checks(make, asset),
        job="release",
    )
    def release_candidate(run: AssetRun) -> AssetResult:
        """Exactly the rows and columns that would leave; a blocking check for each gate."""
        _require_current(run, triplets, f"{generator}/privacy_evaluation", *STUDY_LEVEL)
        schema = run.schema()
        table = schema.stored(schema.rounded(run.canonical(triplets, schema)))
        report = _gates(run, table, schema)
        for override in report.overrides:
            decision = override.model_dump_json().encode()
            run.record_decision(f"{generator}/override_{override.gate}", decision)
        lineage = {name: {make.key(triplets): [name]} for name in schema.names}
        return run.record_table(
            table,
            files={GATE_FILE: GATE_REPORT.dump_json(report, indent=1)},
            comments=comments_of(schema),
            metadata={**gate_metadata(report), "dagster/column_lineage": columns_from(lineage)},
            checks=gate_check_results(report),
        )

    return [release_candidate]


STUDY_LEVEL = ("positivity_evaluation", "seed_estimates")


def _require_current(run: AssetRun, *assets: str) -> None:
    """Refuse evidence that was not made from the tables and models as they are now."""
    moved = {asset: run.warehouse.moved_upstream(asset) for asset in assets}
    for asset, upstream in moved.items():
        if upstream:
            raise EvaluationError(
                f"study {run.study.name!r}, {asset}: expected it to be made from the present "
                f"{', '.join(upstream)}; got earlier versions: hybrid run {run.study.name}"
            )


def _gates(run: AssetRun, table: pd.DataFrame, schema: TableSchema) -> GateReport:
    generator = run.generator
    evaluations = run.files(f"{generator}/privacy_evaluation")
    privacy = EVALUATIONS.validate_json(evaluations["privacy.json"])
    share_extreme, n_people = OVERLAP_SHARE.validate_json(
        run.files("positivity_evaluation")[OVERLAP_FILE]
    )
    shift = run.files(f"{generator}/hybrid_triplets")[CALIBRATION_FILE]
    found = ReleaseEvidence(
        facts=_facts(run, table, privacy),
        privacy=privacy,
        copies=DCR_EVALUATIONS.validate_json(evaluations["distances.json"])[HYBRID_W],
        calibration_shift=CALIBRATION.validate_json(shift),
        share_extreme=share_extreme,
        n_people=n_people,
        cells_beyond=cells_beyond(table, schema),
        broken_rules=broken_rules(table, schema, run.study.n_synthetic),
    )
    return evaluate_gates(run.study.name, generator, found, run.study.gates)


def _facts(run: AssetRun, table: pd.DataFrame, privacy: PrivacyEvaluation) -> ReleaseFacts:
    generator, study = run.generator, run.study
    target = seed_tmle(run.table("seed_estimates"))
    return ReleaseFacts(
        generator_kind=study.generators[generator].kind,
        label=study.label,
        assignment=study.assignment,
        n_rows=len(table),
        n_rows_released_before=rows_released_before(
            run.warehouse.audit_entries(), people=run.version("splits"), table=table
        ),
        n_members=privacy.n_members,
        n_holdout=privacy.n_holdout,
        psi_exact=exact_effect(run.table(f"{generator}/hybrid_triplets")),
        seed_estimate=float(target["estimate"]),
        seed_standard_error=float(target["standard_error"]),
        privacy_verdict=privacy.verdict.value,
        privacy_policy=privacy.policy.name,
    )
