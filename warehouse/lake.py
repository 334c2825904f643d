"""A study's database as DuckLake: Parquet files, and a PostgreSQL catalog that hosts share."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import duckdb

from warehouse.connection import CONFINED, BoundedWait, empty_database, schema_sql
from warehouse.errors import InvalidName, StorageUnavailable
from warehouse.names import quoted, quoted_text

_EXTENSIONS = ("postgres_scanner", "ducklake")
_CATALOG = "shared catalog"
_PREFIX = "hybrid_"
_LONGEST_STUDY = 63 - len(_PREFIX)  # of a PostgreSQL identifier
_NEVER_WRITTEN = "creating a new DuckLake is explicitly disabled"
_OPENING = threading.Lock()
_INSTANCES: dict[tuple[int, str], duckdb.DuckDBPyConnection] = {}


@dataclass(frozen=True)
class LakeDatabase:
    """The database of one study in a lake that several hosts read and write.

    Writers of a study take turns by an advisory lock of PostgreSQL, which ends with their
    connection: a host that dies keeps nobody waiting. Readers wait for nobody: each sees the last
    committed snapshot from its first statement on.

    Parameters
    ----------
    study : str
        Its name, at most 56 characters.
    catalog : str
        libpq connection string, without a password: libpq takes it from PGPASSWORD or PGPASSFILE.
    data_path : str
        Folder of the Parquet files, the same for all hosts.

    Raises
    ------
    InvalidName
        If the study's name is too long for a PostgreSQL schema.
    """

    study: str
    catalog: str
    data_path: str

    def __post_init__(self) -> None:
        """Refuse names that PostgreSQL would cut."""
        if len(self.study) > _LONGEST_STUDY:
            raise InvalidName(
                f"study {self.study!r} cannot name a schema of the shared catalog; use at most "
                f"{_LONGEST_STUDY} characters"
            )

    @contextmanager
    def writing(self, wait: BoundedWait, run_id: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run the body in one transaction, alone on all hosts; `run_id` names its snapshot.

        Raises
        ------
        WarehouseBusy
            If other writers hold the study for longer than `wait` allows.
        StorageUnavailable
            If the catalog or the files refuse; the last snapshot stays.
        """
        with self._session() as lock, self._turn(lock, wait), self._session() as connection:
            with self._errors():
                self._attach(connection, create=True)
                connection.begin()
                _apply_schema(connection)
                connection.execute(
                    f"CALL {quoted(self._alias)}.set_commit_message('', {quoted_text(run_id)})"
                )
            with self._forgetting():
                yield connection
            with self._errors():
                _catalog_rows(lock, "SELECT 1")  # fails if the turn is lost
                connection.commit()

    @contextmanager
    def reading(self, wait: BoundedWait) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the last snapshot; a study never written reads as an empty one.

        Raises
        ------
        StorageUnavailable
            If the catalog or the files refuse.
        """
        with self._session() as connection:
            with self._errors():
                is_there = self._attach(connection, create=False)
            if is_there:
                connection.begin()
                with self._forgetting():
                    yield connection
                return
        with empty_database() as connection:
            yield connection

    def snapshot(self) -> int | None:
        """Return the number of the last snapshot, None if the study was never written."""
        with self._session() as connection, self._errors():
            if not self._attach(connection, create=False):
                return None
            found = connection.execute(
                f"SELECT id FROM ducklake_current_snapshot({quoted_text(self._alias)})"
            )
            return int(found.fetchall()[0][0])

    def forget(self, before: datetime, wait: BoundedWait) -> int:
        """Delete the snapshots older than `before`, and the files that only they need.

        What the last snapshot holds stays. Rows that were replaced, or erased from the seed, are
        in the lake until this is done. Whoever reads an older snapshot meanwhile fails.

        Returns
        -------
        int
            Number of snapshots deleted.
        """
        name = quoted_text(self._alias)
        with (
            self._session() as lock,
            self._turn(lock, wait),
            self._session() as session,
            self._errors(),
        ):
            if not self._attach(session, create=False):
                return 0
            forgotten = session.execute(
                f"CALL ducklake_expire_snapshots({name}, older_than => ?)", [before]
            ).fetchall()
            session.execute(f"CALL ducklake_cleanup_old_files({name}, cleanup_all => true)")
        return len(forgotten)

    @property
    def _alias(self) -> str:
        # a space: no other catalog of the session can be called so
        return f"study {self.study}"

    @contextmanager
    def _session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._errors():
            session = _instance(self.catalog).cursor()
        try:
            yield session
        finally:
            with suppress(duckdb.Error):  # without a transaction there is nothing to roll back
                session.rollback()
            session.close()

    @contextmanager
    def _turn(self, session: duckdb.DuckDBPyConnection, wait: BoundedWait) -> Iterator[None]:
        query = f"SELECT pg_try_advisory_xact_lock(hashtext('{_PREFIX}'), hashtext('{self.study}'))"
        with self._errors():
            session.begin()
        while True:
            with self._errors():
                taken = _catalog_rows(session, query)
            if taken[0][0]:
                break
            wait.pause()
        yield

    def _attach(self, session: duckdb.DuckDBPyConnection, *, create: bool) -> bool:
        """Use the study's catalog, attaching it at first; False if there is none."""
        options = f"DATA_PATH {quoted_text(f'{self.data_path}/{self.study}')}, "
        options += f"METADATA_SCHEMA {quoted_text(_PREFIX + self.study)}, "
        options += f"CREATE_IF_NOT_EXISTS {str(create).lower()}"
        source = quoted_text(f"ducklake:postgres:{self.catalog}")
        with _OPENING:
            try:
                session.execute(
                    f"ATTACH IF NOT EXISTS {source} AS {quoted(self._alias)} ({options})"
                )
            except duckdb.InvalidInputException as error:
                if _NEVER_WRITTEN in str(error):
                    return False
                raise
        session.execute(f"USE {quoted(self._alias)}")
        return True

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Let errors of the body pass, but do not trust the connections after them."""
        try:
            yield
        except duckdb.Error:
            _forget(self.catalog)
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            _forget(self.catalog)
            raise StorageUnavailable(
                f"the lake refused while using study {self.study!r}, which keeps its last "
                f"snapshot; check that the catalog and {self.data_path} can be reached, then run "
                f"again ({error})"
            ) from error


def studies_in(catalog: str) -> list[str]:
    """Name the studies of a lake, sorted.

    Raises
    ------
    StorageUnavailable
        If the catalog cannot be reached.
    """
    query = f"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, '{_PREFIX}')"
    try:
        found = _catalog_rows(_instance(catalog).cursor(), query)
    except duckdb.Error as error:
        _forget(catalog)
        raise StorageUnavailable(f"the lake's catalog cannot be reached ({error})") from error
    return sorted(str(name).removeprefix(_PREFIX) for (name,) in found)


def _catalog_rows(session: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """Ask PostgreSQL itself."""
    asked = f"FROM postgres_query({quoted_text(_CATALOG)}, {quoted_text(query)})"
    return session.execute(asked).fetchall()


def _instance(catalog: str) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the extensions once a process: loading them takes a third of a second."""
    with _OPENING:
        # what a forked process inherited belongs to its parent: never used, never closed
        key = (os.getpid(), catalog)
        if key not in _INSTANCES:
            instance = duckdb.connect(":memory:", config=CONFINED)
            for name in _EXTENSIONS:
                instance.execute(f"LOAD {quoted_text(_extension(name))}")
            instance.execute(
                f"ATTACH {quoted_text(catalog)} AS {quoted(_CATALOG)} (TYPE postgres, READ_ONLY)"
            )
            _INSTANCES[key] = instance
        return _INSTANCES[key]


def _forget(catalog: str) -> None:
    """Let the next call open new connections: these may be dead."""
    with _OPENING:
        _INSTANCES.pop((os.getpid(), catalog), None)


def _extension(name: str) -> str:
    """Return the path of an extension that came as a wheel, of exactly this DuckDB's version."""
    package = f"duckdb_extension_{name}"
    file = f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
    try:
        found = resources.files(package).joinpath(file)
    except ModuleNotFoundError as error:
        raise StorageUnavailable(
            f"a lake needs the package {package}; pip install 'hybrid-assets[lake]'"
        ) from error
    return str(found)


def _apply_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Apply the schema where it is not there as it is now: every statement costs a change."""
    statements = schema_sql()
    version = hashlib.sha256(statements.encode()).hexdigest()
    applied = connection.execute(
        "SELECT sql FROM duckdb_views() WHERE database_name = current_database() "
        "AND schema_name = 'audit' AND view_name = 'schema_version'"
    ).fetchall()
    if not applied or version not in str(applied[0][0]):
        connection.execute(statements)
        connection.execute(
            f"CREATE OR REPLACE VIEW audit.schema_version AS SELECT '{version}' AS sha256"
        )
        connection.execute(
            "COMMENT ON VIEW audit.schema_version IS 'SHA-256 of the statements that made this.'"
        )
