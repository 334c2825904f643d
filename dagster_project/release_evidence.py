"""What the gates of a release candidate are decided on, read from the study's evaluations."""

from dagster_project.asset_run import AssetRun
from dagster_project.assets.positivity import OVERLAP_FILE, OVERLAP_SHARE
from dagster_project.distance_results import DCR_EVALUATIONS, HYBRID_W
from dagster_project.hybrid_results import CALIBRATION, CALIBRATION_FILE
from dagster_project.privacy_results import evaluation_before_release
from dagster_project.privacy_spending import privacy_loss
from dagster_project.release_permission import require_same_settings, seed_version
from dagster_project.released_rows import rows_released_before
from dagster_project.suites import broken_rules, frames
from dagster_project.synthetic_tables import hybrid_probability
from dagster_project.truth_columns import exact_effect
from hybrid_assets.effects import seed_tmle
from hybrid_assets.errors import EvaluationError
from hybrid_assets.gates import (
    ReleaseEvidence,
    ReleaseFacts,
    cells_beyond,
    columns_not_guessed,
)
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.release.table_files import formula_columns
from hybrid_assets.schema import TableSchema
from hybrid_assets.small_cells import told_share
from warehouse import TableBlocks, latest_entry, trace


def require_current(run: AssetRun, *assets: str) -> None:
    """Refuse evidence of other tables, models, settings or code than the present ones.

    Raises
    ------
    EvaluationError
        Naming what has another version.
    ReleaseError
        Naming what was made under other settings or by other code.
    """
    moved = sorted({origin for asset in assets for origin in run.warehouse.moved_upstream(asset)})
    if moved:
        raise EvaluationError(
            f"study {run.study.name!r}: expected {', '.join(assets)} to be made from the present "
            f"{', '.join(moved)}; got earlier versions: run hybrid run {run.study.name} again"
        )
    entries = run.storage.audit_trail(run.study.name).entries()
    for asset in assets:
        require_same_settings(run.study, trace(entries, latest_entry(entries, asset)))


def release_evidence(run: AssetRun, table: TableBlocks, schema: TableSchema) -> ReleaseEvidence:
    """Gather what is known about a generator's table that may leave.

    Parameters
    ----------
    run : AssetRun
        Of the candidate.
    table : TableBlocks
        As it would leave; columns that are not of `schema` were not attacked.
    schema : TableSchema
        Of the study's tables.
    """
    privacy, label_audit = evaluation_before_release(run, run.generator)
    distances = run.files(f"{run.generator}/privacy_evaluation")["distances.json"]
    overlap = OVERLAP_SHARE.validate_json(run.files("positivity_evaluation")[OVERLAP_FILE])
    triplets = f"{run.generator}/hybrid_triplets"
    shift = run.files(triplets)[CALIBRATION_FILE]
    return ReleaseEvidence(
        facts=_facts(run, table, privacy, told_share(*overlap)),
        privacy=privacy,
        label_audit=label_audit,
        copies=DCR_EVALUATIONS.validate_json(distances)[HYBRID_W],
        calibration_shift=CALIBRATION.validate_json(shift),
        extreme_share=overlap[0],
        cells_beyond=cells_beyond(run.rows(triplets, schema), schema),
        broken_rules=broken_rules(table, schema, run.study.n_synthetic),
        formula_columns=formula_columns(frames(table, table.column_names)),
        columns_not_attacked=tuple(n for n in table.column_names if n not in schema.names),
        columns_not_guessed=columns_not_guessed(privacy, schema),
    )


def _facts(
    run: AssetRun, table: TableBlocks, privacy: PrivacyEvaluation, extreme_share: float | str
) -> ReleaseFacts:
    generator, study = run.generator, run.study
    entries = run.audit_trail.entries()
    target = seed_tmle(run.table("seed_estimates"))
    return ReleaseFacts(
        generator_kind=study.generators[generator].kind,
        label=study.label,
        assignment=study.assignment,
        treated_probability=hybrid_probability(run),
        n_rows=table.n_rows,
        n_rows_released_before=rows_released_before(
            run.warehouse.audit_entries(), table.data_version
        ),
        n_seed=int(target["n_rows"]),
        n_members=privacy.n_members,
        n_holdout=privacy.n_holdout,
        extreme_share=extreme_share,
        psi_exact=exact_effect(run.stored(f"{generator}/hybrid_triplets")),
        seed_estimate=float(target["estimate"]),
        seed_standard_error=float(target["standard_error"]),
        privacy_verdict=privacy.verdict.value,
        privacy_policy=privacy.policy.name,
        privacy_loss=privacy_loss(run),
        seed_version=seed_version(trace(entries, latest_entry(entries, "splits"))),
    )
