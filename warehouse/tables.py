"""One DuckDB file per study: its tables, its current models and its audit log."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

import duckdb
import pandas as pd
import pyarrow as pa

from warehouse import audit_log, catalog
from warehouse.audit_log import Materialization
from warehouse.audit_trail import CheckRecord, append_checks
from warehouse.connection import BoundedWait
from warehouse.databases import study_database
from warehouse.errors import (
    CorruptTable,
    ModelNotFound,
    UnstorableTable,
)
from warehouse.model_folder import ModelVersion
from warehouse.names import check_study, table_name
from warehouse.private_files import unnamed_file
from warehouse.provenance import Provenance, TableVersion
from warehouse.table_blocks import TableBlocks, TableOfColumns

ADDED = "was added by another program"


class Warehouse:
    """Tables, model pointers and audit log of one study.

    Every write is one transaction, its audit-log entry included. The database is open only while
    a call reads or writes it; processes that meet wait for each other, up to `wait_seconds`. A
    study that was never written reads as an empty one.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state; created, private to its owner, at the first write.
    study : str
        Name of the study, ``[a-z][a-z0-9_]{0,62}``; the file is ``home/warehouse/<study>.duckdb``.
    wait_seconds : float
        How long a call waits for other processes before it raises `WarehouseBusy`.

    Raises
    ------
    InvalidName
        If `study` cannot name a file; from every method, if an asset cannot name a table.
    WarehouseBusy, StorageUnavailable
        From every method, if the database cannot be had; the last complete content stays.
    """

    def __init__(self, home: Path, study: str, *, wait_seconds: float = 120.0) -> None:
        self.study = check_study(study)
        self.wait_seconds = wait_seconds
        self._home = Path(home)
        self._database = study_database(home, study)

    def in_blocks(self, blocks: Iterable[pd.DataFrame | pa.Table]) -> TableBlocks:
        """Lay the blocks of a table aside, so that it can be recorded whole; see `TableBlocks`.

        Nobody waits meanwhile: the database is not open.
        """
        return TableBlocks(blocks, self._home)

    def in_columns(self, columns: Iterable[pd.Series]) -> TableBlocks:
        """Do the same with the columns of a table; see `TableOfColumns`."""
        return TableOfColumns(columns, self._home)

    def unnamed_file(self) -> IO[bytes]:
        """Open a file for what is written before its place is known; gone once it is closed."""
        return unnamed_file(self._home)

    def record_table(
        self,
        asset: str,
        table: pd.DataFrame | pa.Table | TableBlocks,
        provenance: Provenance,
        *,
        column_comments: Mapping[str, str] | None = None,
        model: ModelVersion | None = None,
        label: str = "",
        checks: Sequence[CheckRecord] = (),
    ) -> TableVersion:
        """Store `table` as the current content of `asset` and log where it came from.

        Parameters
        ----------
        asset : str
            Such as ``"seed_table"`` or ``"gan/hybrid_triplets"``.
        table : pandas.DataFrame, pyarrow.Table or TableBlocks
            Its row order and column order are kept; the index of a frame is not.
        provenance : Provenance
            Where it came from.
        column_comments : Mapping[str, str], optional
            Column -> one sentence on what it holds.
        model : ModelVersion, optional
            Saved files that belong to the table; becomes current with it.
        label : str
            Opens the table's comment, for what its reader must not miss.
        checks : sequence of CheckRecord
            How its own checks ended: no table is there without them.

        Raises
        ------
        UnstorableTable
            If a column cannot be kept exactly, or a comment names no column.
        """
        name, comments = table_name(asset), column_comments or {}
        content = table if isinstance(table, TableBlocks) else self.in_blocks([table])
        unknown = sorted(comments.keys() - set(content.column_names))
        if unknown:
            raise UnstorableTable(f"comments name no column of {asset!r}: {unknown}; fix the names")
        version, wait = content.data_version, self._wait()
        with self._database.writing(wait, provenance.run_id) as connection:
            catalog.replace_table(connection, name, content.blocks())
            made_by = f"Asset {asset}, data version {version}, run {provenance.run_id}."
            comment = f"{label[:1].upper()}{label[1:]}. {made_by}" if label else made_by
            catalog.comment_table(connection, name, comment, comments)
            if model is not None:
                _set_model(connection, asset, model, provenance)
            made = Materialization(asset, "table", version, content.n_rows, provenance)
            audit_log.append_entry(connection, made)
            append_checks(connection, asset, checks, provenance)
        size = content.n_rows, len(content.schema)
        return TableVersion(asset, name, version, *size, wait.waited_seconds)

    def record_model(
        self,
        asset: str,
        model: ModelVersion,
        provenance: Provenance,
        *,
        checks: Sequence[CheckRecord] = (),
    ) -> None:
        """Make `model` the current model of `asset`; log where it came from and its checks."""
        table_name(asset)
        with self._database.writing(self._wait(), provenance.run_id) as connection:
            _set_model(connection, asset, model, provenance)
            append_checks(connection, asset, checks, provenance)

    def moved_upstream(self, asset: str) -> list[str]:
        """Name what `asset` was made from, directly or not, that has another version now.

        An asset's ``(files)`` are named apart. Empty if `asset` was never made.
        """
        table_name(asset)
        with self._database.reading(self._wait()) as connection:
            return catalog.moved_upstream(connection, asset)

    def read_table(self, asset: str) -> pd.DataFrame:
        """Return the current content of `asset`, in the row order in which it was written.

        Raises
        ------
        TableNotFound
            If it was not written yet.
        """
        frame: pd.DataFrame = self._content_and_version(asset)[0].whole().to_pandas()
        return frame

    def read_blocks(self, asset: str) -> tuple[TableBlocks, str]:
        """Return the current content of `asset` in blocks, and its data version, read together.

        Writers wait while it is copied aside, not while its blocks are read.

        Raises
        ------
        TableNotFound
            If it was not written yet.
        CorruptTable
            If the audit log does not know it.
        """
        content, version = self._content_and_version(asset)
        return content, _logged(asset, version)

    def read_versioned(self, asset: str) -> tuple[pd.DataFrame, str]:
        """Return all rows of `asset` and its data version; raises as `read_blocks` does."""
        content, version = self.read_blocks(asset)
        return content.whole().to_pandas(), version

    def table_version(self, asset: str) -> TableVersion:
        """Return the version of `asset` that is stored now; raises as `read_table` does."""
        wait = self._wait()
        with self._database.reading(wait) as connection:
            table = catalog.require_table(connection, self.study, asset)
            version = catalog.logged_version(connection, asset)
            size = catalog.table_size(connection, table)
        name, logged = table_name(asset), _logged(asset, version)
        return TableVersion(asset, name, logged, *size, wait.waited_seconds)

    def table_names(self) -> list[str]:
        """Return the names of all tables of the study, sorted."""
        with self._database.reading(self._wait()) as connection:
            return catalog.table_names(connection)

    def row_count(self, asset: str) -> int:
        """Return the number of rows of `asset`; raises as `read_table` does."""
        return self.table_version(asset).n_rows

    def model(self, asset: str) -> ModelVersion:
        """Return the current model of `asset`.

        Raises
        ------
        ModelNotFound
            If none was recorded yet.
        """
        table_name(asset)
        with self._database.reading(self._wait()) as connection:
            model = catalog.current_model(connection, asset)
        if model is None:
            raise ModelNotFound(
                f"study {self.study!r} has no model of {asset!r}; materialize that asset first"
            )
        return model

    def audit_entries(self) -> pd.DataFrame:
        """Return the audit log, oldest entry first, times in UTC."""
        with self._database.reading(self._wait()) as connection:
            return audit_log.read_entries(connection)

    def snapshot(self) -> int | None:
        """Return the number of the lake's last snapshot, None for a file or before any write."""
        return self._database.snapshot()

    def check_audit_log(self) -> int:
        """Recompute every hash of the audit log and return the number of entries.

        Raises
        ------
        CorruptAuditLog
            Naming the first entry that is altered, missing or out of place.
        """
        with self._database.reading(self._wait()) as connection:
            return audit_log.check_chain(connection)

    def verify_tables(self) -> int:
        """Compare every table with the data version in the audit log; return how many agree.

        Raises
        ------
        CorruptTable
            Naming the tables that are altered, that are missing, or that another program added.
        """
        with self._database.reading(self._wait()) as connection:
            names = catalog.table_names(connection)
            logged = {table_name(asset): asset for asset in catalog.logged_assets(connection)}
        faults = [f"{name!r} {ADDED}" for name in names if name not in logged]
        faults += [f"{name} is logged but missing" for name in logged if name not in names]
        for name in (name for name in names if name in logged):
            # Content and version come from one short connection: a writer may pass in between.
            content, version = self._content_and_version(logged[name])
            if content.data_version != version:
                faults.append(f"{name} is not what was logged")
        if faults:
            raise CorruptTable.differing(faults)
        return len(names)

    def _content_and_version(self, asset: str) -> tuple[TableBlocks, str | None]:
        with self._database.reading(self._wait()) as connection:
            table = catalog.require_table(connection, self.study, asset)
            version = catalog.logged_version(connection, asset)
            content = self.in_blocks(catalog.table_blocks(connection, table))
        return content, version

    def _wait(self) -> BoundedWait:
        return BoundedWait(f"the warehouse of study {self.study!r}", self.wait_seconds)


def _logged(asset: str, version: str | None) -> str:
    if version is None:
        raise CorruptTable.differing([f"{table_name(asset)!r} {ADDED}"])
    return version


def _set_model(
    connection: duckdb.DuckDBPyConnection, asset: str, model: ModelVersion, provenance: Provenance
) -> None:
    catalog.set_current_model(connection, asset, model)
    made = Materialization(asset, "model", model.sha256, None, provenance)
    audit_log.append_entry(connection, made)
