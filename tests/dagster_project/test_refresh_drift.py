"""`refresh_drift` compares versions of the seed, not runs, and its own past changes no bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.resources import StorageResource
from dagster_project.study_file import StudyFile

Make = Callable[..., StudyFile]


def test_versions_of_the_seed_are_compared(
    small_study: Make,
    materialize: Callable[..., dg.ExecuteInProcessResult],
    trial_rows: Any,
    tmp_path: Path,
) -> None:
    study = small_study(source={"kind": "csv", "path": "seed.csv"}, generators=["bootstrap"])
    warehouse = StorageResource(home=str(tmp_path / "home")).warehouse("small")

    def refresh(shift: float) -> tuple[str, dg.AssetCheckEvaluation]:
        trial_rows.assign(W4=trial_rows["W4"] + shift).to_csv(tmp_path / "seed.csv", index=False)
        result = materialize(study)
        assert result.success
        (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == "steady")
        return warehouse.table_version("refresh_drift").data_version, check

    first, check = refresh(0.0)
    assert check.passed
    assert check.metadata["compared"].value == 0
    assert refresh(0.0)[0] == first  # the same seed again: the same bytes

    _, check = refresh(2.0)
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert "covariate mean W4" in check.metadata["moved"].value
    rows = warehouse.read_table("refresh_drift").set_index(["metric", "of"])
    assert abs(rows.loc[("covariate mean", "W4"), "difference"] - 2.0) < 0.01
    assert abs(rows.loc[("covariate spread", "W4"), "difference"]) < 0.01
