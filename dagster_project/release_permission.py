"""Whether a release candidate may leave: label, gates, present inputs, a reviewer's approval."""

import hashlib
from datetime import UTC, date, datetime

from dagster_project.approvals import read_approval
from dagster_project.asset_run import AssetRun
from dagster_project.gate_results import GATE_FILE
from hybrid_assets.approval import Approval
from hybrid_assets.errors import ReleaseError
from hybrid_assets.gates import GATE_REPORT, GateReport
from warehouse import Trace, latest_entry, trace


def candidate_of(generator: str) -> str:
    """Name the asset that a release is made of."""
    return f"{generator}/release_candidate"


def today() -> date:
    """Give the date of a release: UTC."""
    return datetime.now(UTC).date()


def require_passed(run: AssetRun) -> GateReport:
    """Read the gates of the candidate.

    Raises
    ------
    ReleaseError
        If the study's tables are marked, or a gate is shut that no named person overrides.
    """
    study = run.study
    if study.label:
        raise ReleaseError(f"study {study.name!r}: {study.label}")
    report = GATE_REPORT.validate_json(run.files(candidate_of(run.generator))[GATE_FILE])
    if not report.is_passed:
        raise ReleaseError(f"study {study.name!r}, {run.generator}: {report.refusal}")
    return report


def require_present(run: AssetRun) -> Trace:
    """Follow the candidate back to the seed table.

    Raises
    ------
    ReleaseError
        If anything on the way has another version now than when the candidate was made.
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
    return found


def require_approval(run: AssetRun) -> Approval:
    """Read the approval of the candidate's present bytes.

    Raises
    ------
    ReleaseError
        If there is none, or it is a refusal, has expired, or is of other bytes.
    """
    candidate = candidate_of(run.generator)
    approval = read_approval(run.warehouse, run.generator)
    objection = NOBODY
    if approval is not None:
        gates = hashlib.sha256(run.files(candidate)[GATE_FILE]).hexdigest()
        objection = approval.objection(run.version(candidate), gates, today())
        if not objection:
            return approval
    raise ReleaseError(
        f"study {run.study.name!r}, {run.generator}: {objection}. A reviewer decides with: "
        f"{approval_command(run.study.name, run.generator)}"
    )


NOBODY = "nobody has approved these rows"


def approval_command(study: str, generator: str) -> str:
    """Say what a reviewer types."""
    return f'hybrid approve {study} --generator {generator} --reviewer "NAME" --reason "TEXT"'
