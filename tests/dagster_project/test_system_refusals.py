"""What the system refuses is told with what to do about it, and nothing of what was handled."""

import errno
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from dagster_project.resources import HOME_VARIABLE
from dagster_project.system_refusals import PERMISSION, READABLE, SPACE, STAYS, refused_by_system

ROW = "Ada Lovelace, 1815"


def test_a_seed_that_may_not_be_read_is_not_taken_for_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    for file, advice in ((tmp_path / "home" / "a.duckdb", PERMISSION), (tmp_path / "a", READABLE)):
        told = refused_by_system(PermissionError(errno.EACCES, "", str(file)))
        assert told == f"Permission denied: {file}; {advice}, {STAYS}"
    assert refused_by_system(OSError(errno.ENOSPC, "")) == (
        f"No space left on device; {SPACE}, {STAYS}"
    )


def test_the_words_of_a_database_are_not_told() -> None:
    told = refused_by_system(OperationalError("INSERT", (ROW,), Exception(f"locked: {ROW}")))
    assert told is not None
    assert "the record of runs in" in told
    assert ROW not in told
    assert refused_by_system(IntegrityError("INSERT", (ROW,), Exception(ROW))) is None


def test_a_killed_worker_is_said_to_lack_memory() -> None:
    told = refused_by_system(BrokenProcessPool(f"terminated abruptly {ROW}"))
    assert told is not None
    assert told.startswith("a worker process was killed, most likely for its memory: free memory")
    assert ROW not in told
