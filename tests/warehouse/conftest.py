from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from warehouse import Provenance, Warehouse, use_storage
from warehouse.connection import BoundedWait
from warehouse.databases import study_database

SEED_VERSION = "5eed" * 16
Opened: TypeAlias = Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]


@pytest.fixture(params=["file", pytest.param("lake", marks=pytest.mark.lake)])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a home that keeps its studies in files, and one that keeps them in a lake."""
    home = tmp_path / "project" / "hybrid"
    if request.param == "lake":
        if request.node.get_closest_marker("file_only"):
            pytest.skip("about files")
        use_storage(home, request.getfixturevalue("new_lake"))
    return home


@pytest.fixture
def warehouse(home: Path) -> Warehouse:
    return Warehouse(home, "nhefs", wait_seconds=20.0)


@pytest.fixture
def reading() -> Opened:
    """Look past the warehouse into the database of the study nhefs."""
    return lambda home: study_database(home, "nhefs").reading(BoundedWait("test", 5.0))


@pytest.fixture
def writing() -> Opened:
    """Write past the warehouse into the database of the study nhefs."""
    return lambda home: study_database(home, "nhefs").writing(BoundedWait("test", 5.0), "past it")


@pytest.fixture(scope="session")
def origin() -> Provenance:
    return Provenance(
        run_id="run-1",
        code_version="1.2.3",
        study_hash="abc",
        random_seed=7,
        upstream={"seed_table": SEED_VERSION},
        seconds=1.5,
        user="ada",
        started_at="2026-01-31T12:00:00+00:00",
    )
