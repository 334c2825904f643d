"""Release candidates as they lie in the warehouse, and reviewers' decisions on them."""

import hashlib
from dataclasses import dataclass

from dagster_project.check_log import provenance
from dagster_project.gate_results import GATE_FILE
from dagster_project.resources import StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.approval import Approval
from hybrid_assets.gates import GATE_REPORT, GateReport
from warehouse import DocumentNotFound, TableNotFound, Warehouse

SUFFIX = ".json"


@dataclass(frozen=True)
class Candidate:
    """A generator's release candidate as it is now.

    Attributes
    ----------
    asset : str
        Such as ``"cart/release_candidate"``.
    data_version, gates_sha256 : str
        Of its table and of its ``gates.json``: what an approval is bound to.
    report : GateReport
    moved : tuple of str
        What it was made from that has another version now.
    """

    asset: str
    data_version: str
    gates_sha256: str
    report: GateReport
    moved: tuple[str, ...]


def read_candidate(storage: StorageResource, study: str, generator: str) -> Candidate | None:
    """Read a generator's candidate; None if none was made."""
    asset, warehouse = f"{generator}/release_candidate", storage.warehouse(study)
    try:
        version = warehouse.table_version(asset).data_version
    except TableNotFound:
        return None
    gates = (storage.models().open(warehouse.model(asset)) / GATE_FILE).read_bytes()
    return Candidate(
        asset=asset,
        data_version=version,
        gates_sha256=hashlib.sha256(gates).hexdigest(),
        report=GATE_REPORT.validate_json(gates),
        moved=tuple(warehouse.moved_upstream(asset)),
    )


def read_approval(warehouse: Warehouse, generator: str) -> Approval | None:
    """Read the latest decision on a generator's candidate; None if there is none.

    Raises
    ------
    CorruptDocument
        If its file is not what was logged.
    """
    try:
        document = warehouse.read_document(f"{generator}/approval", suffix=SUFFIX)
    except DocumentNotFound:
        return None
    return Approval.model_validate_json(document)


def record_approval(storage: StorageResource, study: StudyFile, approval: Approval) -> None:
    """Keep a decision and log it, with the candidate as what it was made from."""
    asset = f"{approval.generator}/release_candidate"
    signed = {asset: approval.data_version, f"{asset} ({GATE_FILE})": approval.gates_sha256}
    made = provenance(study, "hybrid approve", signed, seconds=0.0)
    document = approval.model_dump_json(indent=1).encode()
    warehouse = storage.warehouse(study.name)
    warehouse.record_document(f"{approval.generator}/approval", document, made, suffix=SUFFIX)
