"""A release put together: its rows laid aside, its files, its signature."""

import os
from pathlib import Path
from typing import IO

from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.release_contents import ReleaseContents, release_contents
from hybrid_assets.errors import ReleaseError
from hybrid_assets.release.attestation import signed
from hybrid_assets.release.bundle import TableFiles, bundle_files, write_rows
from hybrid_assets.release.card import AuditHead
from hybrid_assets.release.release_file import ReleaseFile
from hybrid_assets.release.verify import predicate_of
from warehouse import ReleaseSlot

KEY_VARIABLE = "HYBRID_SIGNING_KEY"


def written_release(run: AssetRun) -> AssetResult:
    """Write the release of a run's branch; its rows lie in files without a name until then.

    Raises
    ------
    ReleaseError
        If the key cannot be read, or the log has grown since the release was checked.
    """
    contents, key = release_contents(run), _signing_key()
    columns, laid_aside = contents.draft.columns, run.warehouse.unnamed_file
    with laid_aside() as parquet, laid_aside() as csv:
        rows = write_rows(contents.rows.blocks(), columns, parquet, csv)
        with rows.writer:  # ends before its file is closed, refused or not
            return run.record_release(lambda slot: _files(contents, rows, slot, key))


def _files(
    contents: ReleaseContents, rows: TableFiles, slot: ReleaseSlot, key: bytes | None
) -> dict[str, IO[bytes]]:
    if slot.n_entries != contents.n_entries:
        raise ReleaseError(
            f"study {contents.draft.study!r}: expected nothing new in the audit log since the "
            "release was checked; got an entry of another run: release again"
        )
    head = AuditHead(n_entries=slot.n_entries, entry_hash=slot.entry_hash, snapshot=slot.snapshot)
    numbered = {"number": slot.number, "audit_head": head}
    card = contents.draft.model_copy(update=numbered)
    files = bundle_files(card, rows, contents.others)
    if key:
        made = signed(files, predicate_of(card), key)
        files |= {name: ReleaseFile.of(content) for name, content in made.items()}
    return {name: file.open() for name, file in files.items()}


def _signing_key() -> bytes | None:
    """Read the key that ``$HYBRID_SIGNING_KEY`` names; None if it names none."""
    path = os.environ.get(KEY_VARIABLE)
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError:
        raise ReleaseError(f"{KEY_VARIABLE}: expected a readable file; got none") from None
