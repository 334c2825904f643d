from pathlib import Path

import pytest

from warehouse import Provenance, Warehouse

SEED_VERSION = "5eed" * 16


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "project" / "hybrid"


@pytest.fixture
def warehouse(home: Path) -> Warehouse:
    return Warehouse(home, "nhefs", wait_seconds=20.0)


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
