"""Whether a release candidate may leave: label, gates, present inputs, a reviewer's approval."""

from datetime import date, datetime
from pathlib import Path

from dagster_project.approvals import read_approval, read_candidate
from dagster_project.asset_inputs import SEED_VERSION
from dagster_project.asset_run import AssetRun
from dagster_project.code_version import science_version
from dagster_project.gate_results import GATE_FILE
from dagster_project.released_rows import rows_released_before
from dagster_project.study_file import StudyFile
from dagster_project.truth_columns import RELEASED_TRUTH
from hybrid_assets.approval import Approval
from hybrid_assets.errors import ReleaseError
from hybrid_assets.gates import GATE_REPORT, GateReport
from warehouse import Trace, Warehouse, latest_entry, trace


def candidate_of(generator: str) -> str:
    """Name the asset that a release is made of."""
    return f"{generator}/release_candidate"


def today() -> date:
    """Give the date of a decision or a release: this machine's, as its reviewer reads it."""
    return datetime.now().astimezone().date()


def require_passed(run: AssetRun) -> GateReport:
    """Read the gates of the candidate.

    Raises
    ------
    ReleaseError
        If the study's tables are marked, or a gate is shut that no named person overrides now.
    """
    study = run.study
    if study.label:
        raise ReleaseError(f"study {study.name!r}: {study.label}")
    report = GATE_REPORT.validate_json(run.files(candidate_of(run.generator))[GATE_FILE])
    if not report.is_passed:
        raise ReleaseError(f"study {study.name!r}, {run.generator}: {report.refusal}")
    require_judged_rows(study, run.warehouse, run.generator)
    require_same_gates(study, report)
    require_same_budget(run.warehouse, report, run.version(candidate_of(run.generator)))
    return report


def require_judged_rows(study: StudyFile, warehouse: Warehouse, generator: str) -> None:
    """Refuse a candidate whose stored rows or columns are not those that were judged.

    Raises
    ------
    ReleaseError
        If another program changed them, or the study file asks for other columns now.
    """
    asset = candidate_of(generator)
    rows, logged = warehouse.read_blocks(asset)
    if rows.data_version != logged:
        raise ReleaseError(
            f"study {study.name!r}, {asset}: the stored rows are not those that were logged; see "
            f"hybrid audit {study.name} --check"
        )
    if set(RELEASED_TRUTH).issubset(rows.column_names) != study.release.include_counterfactuals:
        raise ReleaseError(
            f"study {study.name!r}, {asset}: the study file says include_counterfactuals: "
            f"{str(study.release.include_counterfactuals).lower()}; the candidate was made "
            f"otherwise. {remake(study.name, generator)}"
        )


def require_same_gates(study: StudyFile, report: GateReport) -> None:
    """Refuse a candidate that other thresholds judged, or whose overrides were withdrawn.

    Raises
    ------
    ReleaseError
        Naming what the study file says differently now.
    """
    now, then = study.gates.of_generator(report.generator), report.settings
    other = [name for name in type(now).model_fields if getattr(now, name) != getattr(then, name)]
    if other:
        raise ReleaseError(
            f"study {study.name!r}, {report.generator}: the study file states other gates than "
            f"those the candidate was judged by: {', '.join(other)}. "
            f"{remake(study.name, report.generator)}"
        )


def require_same_budget(warehouse: Warehouse, report: GateReport, version: str) -> None:
    """Refuse a candidate whose row budget was judged before other rows left.

    Raises
    ------
    ReleaseError
        With both numbers.
    """
    then = report.facts.n_rows_released_before
    now = rows_released_before(warehouse.audit_entries(), version)
    if now != then:
        raise ReleaseError(
            f"study {report.study!r}, {report.generator}: {then:,} rows had been released when the "
            f"gates were judged, {now:,} by now. {remake(report.study, report.generator)}"
        )


def require_same_settings(study: StudyFile, found: Trace) -> None:
    """Refuse what was made under other settings than the study file's, or by other code.

    Raises
    ------
    ReleaseError
        Naming the assets.
    """
    present = (study.content_hash, science_version())
    other = {e.asset for e in found.entries if (e.study_hash, e.code_version) != present}
    if other:
        raise ReleaseError(
            f"study {study.name!r}: made under other settings of the study file, or by other code: "
            f"{', '.join(sorted(other))}; run the study again (hybrid run {study.name}) and then "
            "hybrid release"
        )


def seed_version(found: Trace) -> str:
    """Name the version of the seed that something was made from; empty if it has but one."""
    read = (found.sources[entry.sequence] for entry in found.versions_of("seed_table"))
    return ", ".join(sorted({each[SEED_VERSION] for each in read if SEED_VERSION in each}))


def require_last_version(study: StudyFile, folder: Path, found: Trace) -> None:
    """Refuse what was made from an earlier version of the seed, as a backfill may leave it.

    Raises
    ------
    ReleaseError
        With both versions.
    """
    versions, used = study.source.versions(folder), seed_version(found)
    if versions and used != versions[-1]:
        raise ReleaseError(
            f"study {study.name!r}: expected tables made from the last version of the seed, "
            f"{versions[-1]}; got {used or 'an unnamed one'}: run the study again "
            f"(hybrid run {study.name}) and then hybrid release"
        )


def remake(study: str, generator: str) -> str:
    """Say how a candidate is made again."""
    return f"Make it again: hybrid release {study} --generator {generator}"


def require_present(run: AssetRun) -> Trace:
    """Follow the candidate back to the seed table.

    Raises
    ------
    ReleaseError
        If anything on the way has another version now than when the candidate was made, or the
        seed is not the last of its versions.
    """
    entries = run.storage.audit_trail(run.study.name).entries()
    found = trace(entries, latest_entry(entries, candidate_of(run.generator)))
    newest = {(entry.asset, entry.kind): entry.data_version for entry in entries}
    moved = {e.asset for e in found.entries if newest[e.asset, e.kind] != e.data_version}
    if moved:
        raise ReleaseError(
            f"study {run.study.name!r}, {run.generator}: the release candidate was made from "
            f"earlier versions of {', '.join(sorted(moved))}; run the study again (hybrid run "
            f"{run.study.name}) and then hybrid release"
        )
    require_same_settings(run.study, found)
    require_last_version(run.study, run.folder, found)
    return found


def require_approval(run: AssetRun) -> Approval:
    """Read the approval of the candidate's present bytes.

    Raises
    ------
    ReleaseError
        If there is none, or it is a refusal, has expired, is of other bytes, or its reviewer
        overrides a gate.
    """
    approval = read_approval(run.storage, run.study.name, run.generator)
    candidate = read_candidate(run.storage, run.study, run.generator)
    objection = NOBODY
    if approval is not None and candidate is not None:
        objection = approval.objection(candidate.signed, today())
        if not objection:
            approval.require_signable(candidate.report)
            return approval
    raise ReleaseError(
        f"study {run.study.name!r}, {run.generator}: {objection}. A reviewer decides with: "
        f"{approval_command(run.study.name, run.generator)}"
    )


NOBODY = "nobody has approved these rows"


def approval_command(study: str, generator: str) -> str:
    """Say what a reviewer types."""
    return f'hybrid approve {study} --generator {generator} --reviewer "NAME" --reason "TEXT"'
