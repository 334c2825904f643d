"""A study's database as DuckLake: Parquet files, and a PostgreSQL catalog that hosts share."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb

from warehouse.connection import BoundedWait, empty_database, schema_sql
from warehouse.errors import InvalidName, StorageUnavailable
from warehouse.lake_instances import catalog_errors, catalog_rows, lent_instance, session_of
from warehouse.names import quoted, quoted_text

_PREFIX = "hybrid_"
_LONGEST_STUDY = 63 - len(_PREFIX)  # of a PostgreSQL identifier
_REFUSALS = (duckdb.OperationalError, duckdb.FatalException, duckdb.InternalException)
_NEVER_WRITTEN = "creating a new DuckLake is explicitly disabled"


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
        Folder or bucket, the same for all hosts; the Parquet files are in ``tables/`` of it.

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
        with (
            self._instance() as instance,
            session_of(instance) as lock,
            self._turn(lock, wait),
            session_of(instance) as connection,
        ):
            with self._errors():
                self._attach(connection, create=True)
                connection.begin()
                _apply_schema(connection)
                connection.execute(
                    f"CALL {quoted(self._alias)}.set_commit_message('', {quoted_text(run_id)})"
                )
            with self._errors(_REFUSALS):
                yield connection
            with self._errors():
                catalog_rows(lock, "SELECT 1")  # fails if the turn is lost
                connection.commit()

    @contextmanager
    def reading(self, wait: BoundedWait) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the last snapshot; a study never written reads as an empty one.

        Raises
        ------
        StorageUnavailable
            If the catalog or the files refuse.
        """
        with self._instance() as instance, session_of(instance) as connection:
            with self._errors():
                is_there = self._attach(connection, create=False)
            if is_there:
                connection.begin()
                with self._errors(_REFUSALS):
                    yield connection
                return
        with empty_database() as connection:
            yield connection

    def snapshot(self) -> int | None:
        """Return the number of the last snapshot, None if the study was never written."""
        with (
            self._instance() as instance,
            session_of(instance) as connection,
            self._errors(),
        ):
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
            self._instance() as instance,
            session_of(instance) as lock,
            self._turn(lock, wait),
            session_of(instance) as session,
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
    def _instance(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with ExitStack() as lending:
            with self._errors():
                instance = lending.enter_context(lent_instance(self.catalog, self.data_path))
            yield instance

    @contextmanager
    def _turn(self, session: duckdb.DuckDBPyConnection, wait: BoundedWait) -> Iterator[None]:
        query = f"SELECT pg_try_advisory_xact_lock(hashtext('{_PREFIX}'), hashtext('{self.study}'))"
        with self._errors():
            session.begin()
        while True:
            with self._errors():
                taken = catalog_rows(session, query)
            if taken[0][0]:
                break
            wait.pause()
        yield

    def _attach(self, session: duckdb.DuckDBPyConnection, *, create: bool) -> bool:
        """Use the study's catalog, attaching it at first; False if there is none."""
        options = f"DATA_PATH {quoted_text(f'{self.data_path}/tables/{self.study}')}, "
        options += f"METADATA_SCHEMA {quoted_text(_PREFIX + self.study)}, "
        options += f"CREATE_IF_NOT_EXISTS {str(create).lower()}"
        source = quoted_text(f"ducklake:postgres:{self.catalog}")
        try:
            session.execute(f"ATTACH IF NOT EXISTS {source} AS {quoted(self._alias)} ({options})")
        except duckdb.InvalidInputException as error:
            if _NEVER_WRITTEN in str(error):
                return False
            raise
        session.execute(f"USE {quoted(self._alias)}")
        return True

    @contextmanager
    def _errors(self, kinds: tuple[type[duckdb.Error], ...] = (duckdb.Error,)) -> Iterator[None]:
        try:
            yield
        except kinds as error:
            # never its words: a refused commit quotes the smallest and largest cell of each column
            raise StorageUnavailable(
                f"the lake refused while using study {self.study!r}, which keeps its last "
                f"snapshot ({type(error).__name__}); check that the catalog and {self.data_path} "
                "can be reached and written, then run again"
            ) from None


def studies_in(catalog: str) -> list[str]:
    """Name the studies of a lake, sorted.

    Raises
    ------
    StorageUnavailable
        If the catalog cannot be reached.
    """
    query = f"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, '{_PREFIX}')"
    with catalog_errors(), lent_instance(catalog) as instance:
        found = catalog_rows(instance, query)
    return sorted(str(name).removeprefix(_PREFIX) for (name,) in found)


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
