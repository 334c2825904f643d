"""Release candidates as they lie in the warehouse, and reviewers' decisions on them."""

from dataclasses import dataclass

from dagster_project.check_log import provenance
from dagster_project.gate_results import GATE_FILE
from dagster_project.resources import StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.approval import Approval, Signed
from hybrid_assets.gates import GATE_REPORT, GateReport
from hybrid_assets.release.public_settings import public_settings
from warehouse import KeyedHash, TableNotFound


@dataclass(frozen=True)
class Candidate:
    """A generator's release candidate as it is now.

    Attributes
    ----------
    asset : str
        Such as ``"cart/release_candidate"``.
    signed : Signed
        What an approval is bound to.
    report : GateReport
    moved : tuple of str
        What it was made from that has another version now.
    """

    asset: str
    signed: Signed
    report: GateReport
    moved: tuple[str, ...]


def read_candidate(storage: StorageResource, study: StudyFile, generator: str) -> Candidate | None:
    """Read a generator's candidate; None if none was made."""
    asset, warehouse = f"{generator}/release_candidate", storage.warehouse(study.name)
    try:
        version = warehouse.table_version(asset).data_version
    except TableNotFound:
        return None
    files = warehouse.model(asset)
    gates = (storage.models().open(files) / GATE_FILE).read_bytes()
    keyed = KeyedHash(storage.path).of("candidate files", files.sha256)
    return Candidate(
        asset=asset,
        signed=Signed.of(version, gates, public_settings(study, generator), keyed),
        report=GATE_REPORT.validate_json(gates),
        moved=tuple(warehouse.moved_upstream(asset)),
    )


def read_approval(storage: StorageResource, study: str, generator: str) -> Approval | None:
    """Read the latest decision on a generator's candidate; None if there is none.

    Raises
    ------
    CorruptDocument
        If its file is not what was logged.
    """
    history = storage.decisions(study).history(f"{generator}/approval")
    return Approval.model_validate_json(history[-1].read()) if history else None


def record_approval(storage: StorageResource, study: StudyFile, approval: Approval) -> None:
    """Keep a decision beside the earlier ones and log it, with what was signed as upstream."""
    asset, signed = f"{approval.generator}/release_candidate", approval.signed
    upstream = {asset: signed.data_version, f"{asset} ({GATE_FILE})": signed.gates_sha256}
    made = provenance(study, "hybrid approve", upstream, seconds=0.0)
    document = approval.model_dump_json(indent=1).encode()
    storage.decisions(study.name).record(f"{approval.generator}/approval", document, made)
