"""Moving every study between a home and a lake: the home switches when everything is there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

import duckdb

from warehouse import audit_log, catalog
from warehouse.connection import BoundedWait
from warehouse.databases import (
    FileDatabase,
    LakeSettings,
    StudyDatabase,
    database_in,
    files_in,
    lake_settings,
    stored_studies,
    use_storage,
)
from warehouse.errors import CorruptTable, StorageUnavailable, WarehouseBusy
from warehouse.file_migration import copy_files, protect_releases
from warehouse.home_marker import free_home, hold_home, mark_home
from warehouse.keyed_hash import KeyedHash
from warehouse.names import quoted
from warehouse.table_blocks import TableBlocks
from warehouse.tables import Warehouse

_AUDIT_TABLES = ("log", "chain_end", "current_model", "check_result", "subject")
_INCOMING = "incoming content"
_MESSAGE, _MOVED = "migration", ".moved"


@dataclass(frozen=True)
class Migration:
    """What was moved.

    Attributes
    ----------
    studies : tuple of str
    n_tables, n_entries, n_files : int
        Tables and entries of audit logs of all studies, and files of models, releases, pages,
        decisions and unfinished parts; each was hashed in both places.
    """

    studies: tuple[str, ...]
    n_tables: int
    n_entries: int
    n_files: int


def migrate(home: Path, lake: LakeSettings | None, *, wait_seconds: float = 120.0) -> Migration:
    """Copy the database of every study and all files, compare every hash, then switch the home.

    Nobody else can write these studies meanwhile, and to a lake that was moved to files no more. A
    move that is cut off changes nothing for the home; the next one goes over the copies that it
    left. One to files holds the lake until then, or until a move to the lake undoes it. The old
    content stays: a database gets
    the ending ``.moved``, other files are from then on the home's copies, a lake is left as it is.
    The key of keyed hashes stays where it is; a lake learns its name.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state.
    lake : LakeSettings or None
        Where to; None for files.
    wait_seconds : float
        How long to wait for the writers of each study.

    Raises
    ------
    StorageUnavailable
        If the home keeps its studies there already, a study is there, or the place for files
        belongs to another catalog.
    CorruptTable, CorruptAuditLog
        If something is not what its audit log says, before or after the copy.
    """
    before, mover = lake_settings(home), f"{gethostname()}:{Path(home).resolve()}"
    was_cut_off = before is not None and free_home(before.catalog, before.data_path, mover)
    if before == lake:
        if was_cut_off:
            return Migration((), 0, 0, 0)
        raise StorageUnavailable(f"{home} keeps its studies there already; nothing was moved")
    studies = tuple(stored_studies(home))
    for study in studies:
        Warehouse(home, study, wait_seconds=wait_seconds).verify_tables()
    if lake is not None:
        mark_home(lake.catalog, lake.data_path, mover)
    n_tables = n_entries = 0
    with _held(home, before, mover), ExitStack() as sources:
        for study in studies:
            wait = BoundedWait(f"the warehouse of study {study!r}", wait_seconds)
            now, then = (database_in(home, study, at) for at in (before, lake))
            origin = sources.enter_context(now.writing(wait, _MESSAGE))
            with then.writing(wait, _MESSAGE) as copy:
                n_tables += _copy_study(study, origin, copy, Path(home))
                n_entries += audit_log.check_chain(copy)
        if tuple(stored_studies(home)) != studies:
            raise WarehouseBusy("a study was written first meanwhile; stop runs, and move again")
        n_files = copy_files(files_in(home, before), files_in(home, lake), Path(home))
        if lake is None:
            protect_releases(Path(home))
        else:
            KeyedHash(home).announce(files_in(home, lake))
        use_storage(home, lake)
        if lake is not None:
            free_home(lake.catalog, lake.data_path, mover)
        for study in studies:
            _put_aside(database_in(home, study, None), lake)
    return Migration(studies, n_tables, n_entries, n_files)


@contextmanager
def _held(home: Path, lake: LakeSettings | None, mover: str) -> Iterator[None]:
    """Hold the place that a home moves away from; freed again if it is still there."""
    if lake is None:
        yield
        return
    hold_home(lake.catalog, lake.data_path, mover)
    try:
        yield
    except BaseException:
        if lake_settings(home) == lake:
            free_home(lake.catalog, lake.data_path, mover)
        raise


def _copy_study(
    study: str,
    origin: duckdb.DuckDBPyConnection,
    copy: duckdb.DuckDBPyConnection,
    aside: Path,
) -> int:
    if not _is_older_copy(origin, copy):
        raise StorageUnavailable(f"another study {study!r} is there already; nothing was moved")
    names = catalog.table_names(origin)
    for name in names:
        content = _content(origin, f"main.{quoted(name)}", aside)
        catalog.replace_table(copy, name, content.blocks())
        catalog.comment_table(copy, name, *catalog.comments(origin, name))
    for table in _AUDIT_TABLES:
        _replace_rows(copy, f"audit.{table}", _content(origin, f"audit.{table}", aside))
    copied = [*(f"main.{quoted(name)}" for name in names), *(f"audit.{t}" for t in _AUDIT_TABLES)]
    versions = ((_content(each, t, aside).data_version for each in (origin, copy)) for t in copied)
    differing = [table for table, (was, now) in zip(copied, versions, strict=True) if was != now]
    if differing:
        raise CorruptTable(
            f"study {study!r}: {', '.join(differing)} read differently after the copy; nothing "
            "was moved"
        )
    return len(names)


def _is_older_copy(origin: duckdb.DuckDBPyConnection, copy: duckdb.DuckDBPyConnection) -> bool:
    """Whether a place is empty, or holds what a move that was cut off left there."""
    n_entries, entry_hash = audit_log.chain_end(copy)
    found = origin.execute(
        "SELECT count(*) FROM audit.log WHERE sequence = ? AND entry_hash = ?",
        [n_entries, entry_hash],
    ).fetchall()
    return n_entries == 0 or found[0][0] == 1


def _content(connection: duckdb.DuckDBPyConnection, table: str, aside: Path) -> TableBlocks:
    return TableBlocks(catalog.table_blocks(connection, table), aside)


def _replace_rows(connection: duckdb.DuckDBPyConnection, table: str, content: TableBlocks) -> None:
    columns = ", ".join(quoted(column) for column in content.column_names)
    connection.execute(f"DELETE FROM {table}")
    for block in content.blocks():
        connection.register(_INCOMING, block)
        connection.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM temp.{quoted(_INCOMING)}"
        )
        connection.unregister(_INCOMING)


def _put_aside(database: StudyDatabase, lake: LakeSettings | None) -> None:
    if lake is not None and isinstance(database, FileDatabase) and database.path.exists():
        database.path.rename(database.path.with_name(database.path.name + _MOVED))
