import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pytest

from warehouse import Provenance, Warehouse, use_storage
from warehouse.connection import BoundedWait
from warehouse.databases import study_database

SEED_VERSION = "5eed" * 16
Opened: TypeAlias = Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]


LAKES = {"lake": "new_lake", "bucket": "new_bucket_lake"}
# what is written beside tables; the whole suite: HYBRID_TEST_BUCKETS=all (make check)
ABOUT_FILES = ("models", "release", "documents", "pages", "keyed_hash", "audit_check")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a home on files, on a lake, and on a lake in a bucket."""
    if "home" not in metafunc.fixturenames:
        return
    places: list[Any] = ["file"]
    if not any(metafunc.definition.iter_markers("file_only")):
        places.append(pytest.param("lake", marks=pytest.mark.lake))
        about_files = metafunc.module.__name__.endswith(ABOUT_FILES)
        if about_files or os.environ.get("HYBRID_TEST_BUCKETS") == "all":
            places.append(pytest.param("bucket", marks=pytest.mark.lake))
    metafunc.parametrize("home", places, indirect=True)


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a home that keeps its studies in files, in a lake, or in a lake in a bucket."""
    home = tmp_path / "project" / "hybrid"
    if request.param in LAKES:
        use_storage(home, request.getfixturevalue(LAKES[request.param]))
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
