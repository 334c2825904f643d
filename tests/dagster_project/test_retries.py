"""What heals by waiting is tried again, a bounded number of times; nothing else is."""

import errno
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import retries
from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.resources import ComputeDevice, StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import SourceError
from warehouse import StorageUnavailable, WarehouseBusy

Make = Callable[..., StudyFile]


@pytest.mark.parametrize(
    ("error", "does"),
    [
        (WarehouseBusy("held"), True),
        (OSError(errno.ESTALE, "stale"), True),
        (OSError(errno.ENOSPC, "full"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (StorageUnavailable("no"), False),
        (SourceError("no"), False),
        (MemoryError(), False),
    ],
)
def test_what_heals(error: Exception, does: bool) -> None:
    assert retries.heals(error) is does


def n_tries(
    study: StudyFile, folder: Path, errors: list[Exception]
) -> tuple[int, dg.ExecuteInProcessResult]:
    """Materialize an asset that fails with each of `errors` in turn, then succeeds."""
    tries = 0

    @AssetFactory(study, folder).asset("seed_table", deps=[], kinds={}, privacy="derived")
    def seed_table(run: AssetRun) -> AssetResult:
        """Fails a while."""
        nonlocal tries
        tries += 1
        if tries <= len(errors):
            raise errors[tries - 1]
        return dg.MaterializeResult()

    result = dg.materialize(
        [seed_table],
        resources={"storage": StorageResource(home=str(folder)), "compute": ComputeDevice()},
        raise_on_error=False,
    )
    return tries, result


def test_a_lock_is_waited_for(
    small_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "WAITS", (0, 0, 0))
    tries, result = n_tries(small_study(), tmp_path, [WarehouseBusy("held"), OSError(11, "x")])
    assert (tries, result.success) == (3, True)


def test_waiting_ends(small_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WAITS", (0, 0, 0))
    tries, result = n_tries(small_study(), tmp_path, [WarehouseBusy("held by 12")] * 9)
    assert (tries, result.success) == (4, False)
    (failed,) = result.filter_events(lambda event: event.is_step_failure)
    assert failed.step_failure_data.user_failure_data.description == (
        "held by 12; gave up after 4 tries"
    )


def test_what_does_not_heal_is_tried_once(small_study: Make, tmp_path: Path) -> None:
    tries, result = n_tries(small_study(), tmp_path, [StorageUnavailable("no disk")])
    assert (tries, result.success) == (1, False)
