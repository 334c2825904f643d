"""Reviewers' decisions, kept in the warehouse and its audit log."""

import getpass
from datetime import UTC, datetime

from dagster_project.code_version import science_version
from dagster_project.study_file import StudyFile
from hybrid_assets.approval import Approval
from warehouse import DocumentNotFound, Provenance, Warehouse

SUFFIX = ".json"


def approval_asset(generator: str) -> str:
    """Name a generator's decision, as the audit log does."""
    return f"{generator}/approval"


def read_approval(warehouse: Warehouse, generator: str) -> Approval | None:
    """Read the latest decision on a generator's candidate; None if there is none.

    Raises
    ------
    CorruptDocument
        If its file is not what was logged.
    """
    try:
        document = warehouse.read_document(approval_asset(generator), suffix=SUFFIX)
    except DocumentNotFound:
        return None
    return Approval.model_validate_json(document)


def record_approval(warehouse: Warehouse, study: StudyFile, approval: Approval) -> None:
    """Keep a decision and log it, with the candidate as what it was made from."""
    candidate = f"{approval.generator}/release_candidate"
    signed = {candidate: approval.data_version, f"{candidate} (gates.json)": approval.gates_sha256}
    provenance = Provenance(
        run_id="hybrid approve",
        code_version=science_version(),
        study_hash=study.content_hash,
        random_seed=study.random_seed,
        upstream=signed,
        seconds=0.0,
        user=getpass.getuser(),
        started_at=datetime.now(UTC).isoformat(),
    )
    document = approval.model_dump_json(indent=1).encode()
    name = approval_asset(approval.generator)
    warehouse.record_document(name, document, provenance, suffix=SUFFIX)
