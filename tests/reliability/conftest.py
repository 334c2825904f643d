"""Homes that hold a complete version, and what the next undisturbed run makes of them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.pipeline import FIRST, LONG, SECOND, Versions, every_version, run, versions


@dataclass(frozen=True)
class Undisturbed:
    """A home, and its versions before and after a run that nothing disturbed; and all of them."""

    before: Path
    first: Versions
    second: Versions
    complete: set[tuple[str, str, str]]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    before = tmp_path_factory.mktemp("undisturbed") / "home"
    assert run(before, FIRST, LONG).success
    after = before.with_name("after")
    shutil.copytree(before, after)
    assert run(after, SECOND, LONG).success
    return Undisturbed(before, versions(before), versions(after), every_version(after))


@pytest.fixture
def home(undisturbed: Undisturbed, tmp_path: Path) -> Path:
    """Give a copy of a home that holds the first version, whole."""
    shutil.copytree(undisturbed.before, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def require_recovery(undisturbed: Undisturbed, home: Path) -> Callable[[], None]:
    """Check that a run finishes and gives, byte for byte, what an undisturbed one does."""

    def check() -> None:
        finished = run(home, SECOND, LONG)
        assert finished.success, finished.said
        assert versions(home) == undisturbed.second

    return check
