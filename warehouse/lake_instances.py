"""DuckDB in memory with what a lake needs: lent to one session at a time, kept for the next."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import resources
from typing import Any, TypeAlias

import duckdb

from warehouse.bucket_access import SCHEME, BucketAccess, bucket_access
from warehouse.connection import CONFINED
from warehouse.errors import StorageUnavailable
from warehouse.names import quoted, quoted_text

_EXTENSIONS = ("postgres_scanner", "ducklake")
_OF_BUCKETS = "httpfs"
_CATALOG = "shared catalog"
_Kind: TypeAlias = tuple[int, str, str, BucketAccess | None]
_IDLE: dict[_Kind, list[duckdb.DuckDBPyConnection]] = {}


@contextmanager
def lent_instance(catalog: str, data_path: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a DuckDB in which the catalog is attached.

    Loading the extensions takes a third of a second, so that it is kept for the next who asks;
    not after an error, since its connections may be dead. Nobody shares it meanwhile: readers
    and a writer of one attached lake in two threads end the process (DuckLake of DuckDB 1.5.5).

    Parameters
    ----------
    catalog : str
        libpq connection string.
    data_path : str
        Of the lake. Only for a bucket can the network be reached beside the catalog: by the
        protocol S3, with credentials that are sent nowhere but there.

    Raises
    ------
    StorageUnavailable
        If an extension is not installed, or the environment has no credentials of the bucket.
    duckdb.Error
        If the catalog cannot be reached.
    """
    # what a forked process inherited belongs to its parent: never used, never closed
    access = bucket_access() if data_path.startswith(SCHEME) else None
    idle = _IDLE.setdefault((os.getpid(), catalog, data_path, access), [])
    try:
        instance = idle.pop()
    except IndexError:
        instance = _new_instance(catalog)
        if access:
            _load(instance, _OF_BUCKETS)
            instance.execute("SET disabled_filesystems = 'HTTPFileSystem,HuggingFaceFileSystem'")
            access.give_to(instance, f"{data_path}/")
    try:
        yield instance
    except BaseException:
        instance.close()
        raise
    idle.append(instance)


@contextmanager
def session_of(instance: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a session of its own, whose transaction is rolled back unless it was committed."""
    session = instance.cursor()
    try:
        yield session
    finally:
        with suppress(duckdb.Error):  # without a transaction there is nothing to roll back
            session.rollback()
        session.close()


def catalog_rows(session: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """Ask PostgreSQL itself."""
    asked = f"FROM postgres_query({quoted_text(_CATALOG)}, {quoted_text(query)})"
    return session.execute(asked).fetchall()


def change_catalog(catalog: str, *statements: str) -> None:
    """Change PostgreSQL itself: what is lent may only read it there."""
    with closing(_new_instance(catalog, "")) as instance:
        for statement in statements:
            call = f"postgres_execute({quoted_text(_CATALOG)}, {quoted_text(statement)})"
            instance.execute(f"CALL {call}")


@contextmanager
def catalog_errors() -> Iterator[None]:
    """Say what to look at where PostgreSQL does not answer, and none of its words."""
    try:
        yield
    except duckdb.Error as error:
        raise StorageUnavailable(
            f"the lake's catalog cannot be reached, or refuses ({type(error).__name__}); check its "
            "address, PGPASSWORD or the file that PGPASSFILE names, and what the role may do"
        ) from None


def _new_instance(catalog: str, access: str = ", READ_ONLY") -> duckdb.DuckDBPyConnection:
    # nothing is spilled: DuckDB would do it in the working folder, outside the private home
    instance = duckdb.connect(":memory:", config={**CONFINED, "temp_directory": ""})
    for name in _EXTENSIONS:
        _load(instance, name)
    instance.execute(f"ATTACH {quoted_text(catalog)} AS {quoted(_CATALOG)} (TYPE postgres{access})")
    return instance


def _load(instance: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension that came as a wheel, of exactly this DuckDB's version."""
    package = f"duckdb_extension_{name}"
    file = f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
    try:
        found = resources.files(package).joinpath(file)
    except ModuleNotFoundError as error:
        raise StorageUnavailable(
            f"a lake needs the package {package}; pip install 'hybrid-assets[lake]'"
        ) from error
    instance.execute(f"LOAD {quoted_text(str(found))}")
