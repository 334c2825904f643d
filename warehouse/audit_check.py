"""Whether a home still holds what its audit log says: the log, tables, models, files, releases."""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from warehouse import audit_log, catalog
from warehouse.checksums import CHECKSUMS, altered, folder_digests, sha256_of
from warehouse.connection import BoundedWait
from warehouse.databases import lake_settings, shared_files, study_database, use_storage
from warehouse.decisions import Decision, DecisionStore
from warehouse.errors import (
    CorruptAuditLog,
    CorruptModel,
    CorruptRelease,
    CorruptTable,
    ModelNotFound,
)
from warehouse.log_entries import LogEntry, read_log
from warehouse.models import ModelStore
from warehouse.names import table_name
from warehouse.pages import PageStore
from warehouse.private_files import make_private_folder
from warehouse.sealed_records import SEALED_ASSETS, broken_seals
from warehouse.tables import Warehouse

BUNDLE = "/release_bundle"
RELEASE_FILE = "release.json"
_COPY, _LEFTOVER_SECONDS = ".check-", 24 * 60 * 60.0


@dataclass(frozen=True)
class AuditCheck:
    """What was compared with the audit log, and what differs.

    Attributes
    ----------
    n_entries, n_tables, n_models, n_documents, n_releases : int
        How many of each were compared.
    faults : tuple of str
        One sentence each, naming the entry, table, model, document or release.
    """

    n_entries: int
    n_tables: int
    n_models: int
    n_documents: int
    n_releases: int
    faults: tuple[str, ...]


def check_audit(home: Path, study: str, *, wait_seconds: float = 120.0) -> AuditCheck:
    """Recompute every hash that the log of a study vouches for.

    A log that was rewritten as a whole, or cut at its end, is consistent in itself: the heads that
    releases hold tell. Where there is no release, a cut shows only in what is stored.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state.
    study : str
    wait_seconds : float
        How long to wait for other processes.
    """
    with _checked_files(Path(home), study) as files:
        return _compared(Path(home), files, study, wait_seconds)


@contextmanager
def _checked_files(home: Path, study: str) -> Iterator[Path]:
    """Give the home; where hosts share its files, a copy of what they share, gone afterwards."""
    lake = lake_settings(home)
    if lake is None:
        yield home
        return
    shared = shared_files(home)
    for leftover in home.glob(f"{_COPY}*"):  # of a check that was killed
        if leftover.stat().st_ctime < time.time() - _LEFTOVER_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(prefix=_COPY, dir=home) as folder:
        copy = Path(folder)
        use_storage(copy, lake)  # models are fetched into it
        releases = shared.names(f"releases/{study}")
        whole = {name.rpartition("/")[0] for name in releases if name.endswith(f"/{CHECKSUMS}")}
        wanted = [name for name in releases if name.rpartition("/")[0] in whole]
        for name in wanted:
            make_private_folder((copy / name).parent)
            shared.get_file(name, copy / name)
        yield copy


def _compared(home: Path, files: Path, study: str, wait_seconds: float) -> AuditCheck:
    database = study_database(home, study)
    wait = BoundedWait(f"the warehouse of study {study!r}", wait_seconds)
    with database.reading(wait) as connection:
        entries = read_log(connection)
        models = catalog.current_models(connection)
        faults = [*_chain_faults(connection), *broken_seals(connection)]
    warehouse = Warehouse(home, study, wait_seconds=wait_seconds)
    documents = [e for e in entries if e.kind == "document" and _is_file(e.asset)]
    kept = DecisionStore(home, study)
    decided = kept.table_names()
    decisions = [kept.of(e) for e in documents if table_name(e.asset) in decided]
    pages = [e for e in documents if table_name(e.asset) not in decided]
    releases = sorted((files / "releases" / study).glob("*/[0-9]*"))
    faults += _table_faults(warehouse)
    faults += _model_faults(files, entries, models)
    faults += PageStore(home, study).faults(pages)
    faults += _decision_faults(decisions)
    faults += _release_faults(releases, entries)
    return AuditCheck(
        n_entries=len(entries),
        n_tables=len(warehouse.table_names()),
        n_models=len(models),
        n_documents=len({e.asset for e in pages}) + len(decisions),
        n_releases=len(releases),
        faults=tuple(faults),
    )


def _chain_faults(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    try:
        audit_log.check_chain(connection)
    except CorruptAuditLog as fault:
        yield str(fault)


def _table_faults(warehouse: Warehouse) -> Iterator[str]:
    try:
        warehouse.verify_tables()
    except CorruptTable as fault:
        yield str(fault)


def _model_faults(
    home: Path, entries: Sequence[LogEntry], current: dict[str, str]
) -> Iterator[str]:
    logged = {entry.asset: entry.data_version for entry in entries if entry.kind == "model"}
    store = ModelStore(home)
    for asset in sorted(logged.keys() | current.keys()):
        if logged.get(asset) != current.get(asset):
            yield f"the model of {asset} is not the one that was logged last"
        try:
            store.open(logged.get(asset) or current[asset])
        except (CorruptModel, ModelNotFound) as fault:
            yield f"{asset}: {fault}"


def _is_file(asset: str) -> bool:
    return not asset.endswith((*SEALED_ASSETS.values(), BUNDLE))


def _decision_faults(decisions: Sequence[Decision]) -> Iterator[str]:
    for decision in decisions:
        if not decision.is_intact:
            yield (
                f"audit log entry {decision.entry.sequence}: the decision {decision.entry.asset} "
                "is missing or was altered"
            )


def _release_faults(folders: Sequence[Path], entries: Sequence[LogEntry]) -> Iterator[str]:
    """Compare the releases with the log: each anchors a head, and each has an entry."""
    sealed: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        generator, name = folder.parent.name, f"release {folder.parent.name}/{folder.name}"
        sums = folder / CHECKSUMS
        if sums.is_file():
            sealed.setdefault((generator, sha256_of(sums)), []).append(folder)
            yield from (f"{name}: {fault}" for fault in _file_faults(folder))
        else:
            yield f"{name} has lost its {CHECKSUMS}"
        yield from _anchor_faults(name, folder, entries)
    logged = [entry for entry in entries if entry.asset.endswith(BUNDLE)]
    for entry in logged:
        key = (entry.asset.removesuffix(BUNDLE), entry.data_version)
        if not sealed.get(key):
            yield (
                f"audit log entry {entry.sequence}: the release of {key[0]} that it describes is "
                "missing or altered"
            )
        sealed[key] = sealed.get(key, [])[1:]
    for folder in sorted(folder for folders in sealed.values() for folder in folders):
        yield (
            f"release {folder.parent.name}/{folder.name} is not in the audit log as it is now: its "
            "writer was killed before logging it, it was put there by hand, or it or the log was "
            "altered. Do not hand it out; move it out of releases/ and release again"
        )


def _file_faults(folder: Path) -> list[str]:
    try:
        return altered(folder, folder_digests(folder))
    except CorruptRelease as fault:
        return [str(fault)]


def _anchor_faults(name: str, folder: Path, entries: Sequence[LogEntry]) -> Iterator[str]:
    try:
        anchor = json.loads((folder / RELEASE_FILE).read_bytes())["audit_head"]
        n_entries, head = int(anchor["n_entries"]), str(anchor["entry_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        yield f"{name}: {RELEASE_FILE} cannot be read, or holds no head of the audit log"
        return
    heads = {entry.sequence: entry.entry_hash for entry in entries}
    if n_entries not in heads:
        last = max(heads, default=0)
        yield (
            f"{name} was made when the audit log had {n_entries} entries; it ends at {last} now: "
            f"entry {n_entries} was removed"
        )
    elif heads[n_entries] != head:
        yield f"{name}: audit log entry {n_entries}, or one before it, was rewritten since"
