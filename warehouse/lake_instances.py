"""DuckDB in memory with what a lake needs: lent to one session at a time, kept for the next."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from typing import Any

import duckdb

from warehouse.connection import CONFINED
from warehouse.errors import StorageUnavailable
from warehouse.names import quoted, quoted_text

_EXTENSIONS = ("postgres_scanner", "ducklake")
_CATALOG = "shared catalog"
_IDLE: dict[tuple[int, str], list[duckdb.DuckDBPyConnection]] = {}


@contextmanager
def lent_instance(catalog: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a DuckDB in which the catalog is attached.

    Loading the extensions takes a third of a second, so that it is kept for the next who asks;
    not after an error, since its connections may be dead. Nobody shares it meanwhile: readers
    and a writer of one attached lake in two threads end the process (DuckLake of DuckDB 1.5.5).

    Parameters
    ----------
    catalog : str
        libpq connection string.

    Raises
    ------
    StorageUnavailable
        If an extension is not installed.
    duckdb.Error
        If the catalog cannot be reached.
    """
    # what a forked process inherited belongs to its parent: never used, never closed
    idle = _IDLE.setdefault((os.getpid(), catalog), [])
    try:
        instance = idle.pop()
    except IndexError:
        instance = _new_instance(catalog)
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


def _new_instance(catalog: str) -> duckdb.DuckDBPyConnection:
    instance = duckdb.connect(":memory:", config=CONFINED)
    for name in _EXTENSIONS:
        instance.execute(f"LOAD {quoted_text(_extension(name))}")
    instance.execute(
        f"ATTACH {quoted_text(catalog)} AS {quoted(_CATALOG)} (TYPE postgres, READ_ONLY)"
    )
    return instance


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
