"""`refresh_drift` compares with releases and versions of the seed, not with runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from dagster_project.resources import StorageResource
from dagster_project.study_file import StudyFile
from dagster_project.verification import verified
from tests.dagster_project.test_release_bundle import BUNDLE, CANDIDATE, MADE, STUDY, Home

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
    assert check.metadata["compared_with"].value == []
    assert refresh(0.0)[0] == first  # the same seed again: the same bytes

    _, check = refresh(2.0)
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert check.metadata["compared_with"].value == ["the version of the seed that was run before"]
    assert "covariate mean W4" in check.metadata["moved"].value
    rows = warehouse.read_table("refresh_drift").set_index(["metric", "of"])
    assert abs(rows.loc[("covariate mean", "W4"), "difference"] - 2.0) < 0.01
    assert abs(rows.loc[("covariate spread", "W4"), "difference"]) < 0.01


def test_the_last_release_is_compared_with_and_stays_as_it_was(
    trial_rows: Any, tmp_path: Path
) -> None:
    source = {"kind": "csv", "path": str(tmp_path / "seed.csv")}
    home = Home(tmp_path / "home", StudyFile.model_validate(STUDY | {"source": source}))

    def refresh(shift: float) -> pd.DataFrame:
        trial_rows.assign(W4=trial_rows["W4"] + shift).to_csv(tmp_path / "seed.csv", index=False)
        assert home.make(*MADE, "refresh_drift") == ""
        return home.storage.warehouse("small").read_table("refresh_drift")

    refresh(0.0)
    assert home.make(CANDIDATE) == ""
    home.approve()
    assert home.make(BUNDLE) == ""
    released = home.storage.releases("small").read("cart", 1)

    again = refresh(0.0)  # what was released is what is there
    assert set(again["compared_with"].str[:-10]) == {"the release of cart, "}
    assert set(again["difference"]) == {0.0}
    refresh(1.0)
    moved = refresh(3.0).set_index(["metric", "of"])
    assert set(moved["compared_with"]) == set(again["compared_with"])
    assert abs(moved.loc[("covariate mean", "W4"), "difference"] - 3.0) < 0.01
    assert (
        moved.loc[("privacy", "cart"), "previous"]
        == (again.set_index("metric").loc["privacy", "value"])
    )

    assert home.storage.releases("small").read("cart", 1) == released
    assert all(check.passed for check in verified(home.releases[0].folder))
