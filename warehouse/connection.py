"""The only place that opens DuckDB files: locks, a bounded wait, short transactions."""

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path

import duckdb

from warehouse.errors import StorageUnavailable, WarehouseBusy, reason
from warehouse.private_files import FILE_MODE, make_private_folder, sync

# No statement may reach the network, load an extension, read a Python variable as a table, or
# find or leave a secret on the disk. Tables pass in blocks, whatever their size.
CONFINED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "secret_directory": "/dev/null",
    "python_enable_replacements": "false",
    "memory_limit": "1GB",
}
_HELD_ELSEWHERE = ("Could not set lock", "different configuration")
_REFUSALS = (duckdb.OperationalError, duckdb.FatalException, duckdb.InternalException, OSError)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25
_IF_DAMAGED = (
    "if it is damaged, restore it from a backup, or move it away with its .wal and run the study "
    "again: the same file, seed and code give the same tables, and releases stay as they are; "
    "leave decisions/ where it is: a generator dp is fitted anew, and what it spent before counts"
)


class BoundedWait:
    """Pauses that grow, are jittered, and end.

    Parameters
    ----------
    what : str
        What is waited for, as the error names it.
    limit_seconds : float
        Time after which `pause` raises instead of pausing.

    Attributes
    ----------
    waited_seconds : float
        Time spent in pauses so far.
    """

    def __init__(self, what: str, limit_seconds: float) -> None:
        self._what = what
        self._limit_seconds = limit_seconds
        self._end = time.monotonic() + limit_seconds
        self._next_pause = _FIRST_PAUSE
        self.waited_seconds = 0.0

    def pause(self) -> None:
        """Sleep a little, or raise `WarehouseBusy` when the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise WarehouseBusy(
                f"{self._what} was in use by another process for the whole "
                f"{self._limit_seconds:.1f} s that we wait (paused {self.waited_seconds:.1f} s); "
                "close programs that hold it open, or wait longer (wait_seconds), and run again"
            )
        seconds = min(left, self._next_pause * random.uniform(0.5, 1.5))
        time.sleep(seconds)
        self.waited_seconds += seconds
        self._next_pause = min(2 * self._next_pause, _LONGEST_PAUSE)


@contextmanager
def write_transaction(database: Path, wait: BoundedWait) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open `database` alone, run the body in one transaction, commit, close.

    The file is created on first use. An exception in the body, or a killed process, leaves the
    last committed content. The write-ahead log that a killed process leaves is protected by the
    mode of the folder, and the next writer folds it in.

    Raises
    ------
    WarehouseBusy
        If others hold the file for longer than `wait` allows.
    StorageUnavailable
        If the disk or the file refuses.
    """
    with _storage_errors(database):
        make_private_folder(database.parent)
    with _locked(database, fcntl.LOCK_EX, wait), _storage_errors(database):
        if not database.exists():
            _create(database)
        with closing(_open_own(database, read_only=False, wait=wait)) as connection:
            connection.begin()
            _apply_schema(connection)
            yield connection
            connection.commit()


@contextmanager
def read_connection(database: Path, wait: BoundedWait) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open `database` read-only, beside other readers; one never written reads as an empty one.

    Raises
    ------
    WarehouseBusy
        If a writer holds the file for longer than `wait` allows.
    StorageUnavailable
        If the disk or the file refuses.
    """
    if not database.exists():
        with empty_database() as connection:
            yield connection
        return
    with (
        _locked(database, fcntl.LOCK_SH, wait),
        _storage_errors(database),
        closing(_open_own(database, read_only=True, wait=wait)) as connection,
    ):
        yield connection


@contextmanager
def empty_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give what a study reads as that was never written."""
    with closing(_connect(":memory:")) as connection:
        connection.execute(schema_sql())
        yield connection


def open_duckdb(database: Path, *, read_only: bool, wait: BoundedWait) -> duckdb.DuckDBPyConnection:
    """Connect with the confined configuration, waiting for programs that hold DuckDB's own lock.

    Raises
    ------
    WarehouseBusy
        If another program holds the file for longer than `wait` allows.
    StorageUnavailable
        If the file is not a database that this DuckDB can open.
    """
    while True:
        try:
            return _connect(database, read_only=read_only)
        except duckdb.Error as error:
            if not any(sign in str(error) for sign in _HELD_ELSEWHERE):
                raise StorageUnavailable(
                    f"{database} cannot be opened; check its permissions and that it is a DuckDB "
                    f"file written by DuckDB {duckdb.__version__} or older ({reason(error)})"
                ) from None
        wait.pause()


def _open_own(database: Path, *, read_only: bool, wait: BoundedWait) -> duckdb.DuckDBPyConnection:
    """Open a database of the project, which can be made again if it is lost."""
    try:
        return open_duckdb(database, read_only=read_only, wait=wait)
    except StorageUnavailable as error:
        raise StorageUnavailable(f"{error}; {_IF_DAMAGED}") from None


def _connect(database: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(database), read_only=read_only, config=CONFINED)


@contextmanager
def _locked(database: Path, operation: int, wait: BoundedWait) -> Iterator[None]:
    # Everyone passes the queue one by one, and a writer keeps it while it waits for readers to
    # leave: without it a steady stream of overlapping readers would keep writers out for ever.
    with _lock_file(database, ".lock") as lock:
        with _lock_file(database, ".queue") as queue:
            _flock(queue, operation, wait)
            _flock(lock, operation, wait)
        yield


@contextmanager
def _lock_file(database: Path, suffix: str) -> Iterator[int]:
    path = database.with_name(database.name + suffix)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise StorageUnavailable(f"{path} cannot be opened; check its permissions") from error
    try:
        yield descriptor
    finally:
        # Unlocked by name, because a forked child may still hold a copy of the descriptor.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _flock(descriptor: int, operation: int, wait: BoundedWait) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            wait.pause()


def schema_sql() -> str:
    """Return the statements that make what a database holds beside its tables."""
    return _statements("schema.sql")


def _apply_schema(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(schema_sql() + _statements("view_comments.sql"))


def _statements(name: str) -> str:
    return resources.files("warehouse").joinpath(name).read_text("utf-8")


@contextmanager
def _storage_errors(database: Path) -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise StorageUnavailable(
            f"storage refused while using {database}, which keeps its last complete content "
            f"({reason(error)}); check permissions, free disk space and memory, then run again; "
            f"{_IF_DAMAGED}"
        ) from None


def _create(database: Path) -> None:
    """Create the file with its audit schema aside and move it into place, whole and private."""
    unfinished = database.with_name(f".{database.name}.unfinished")
    for leftover in (unfinished, unfinished.with_name(unfinished.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with closing(_connect(unfinished)) as connection:
        _apply_schema(connection)
    unfinished.chmod(FILE_MODE)
    sync(unfinished)
    unfinished.replace(database)
    sync(database.parent)
