"""Versions of the seed are partitions of a job; what it makes has the study's own hash."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_project.factory import study_definitions
from dagster_project.instance import SETTINGS
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from dagster_project.trial import at_version
from hybrid_assets.errors import SourceError
from warehouse import Warehouse

Make = Callable[..., StudyFile]
SOURCE = {"kind": "csv", "path": "seed_{version}.csv"}


@pytest.fixture
def definitions(small_study: Make, trial_rows: Any, tmp_path: Path) -> dg.Definitions:
    for version in ("2026-02", "2026-01"):
        rows = trial_rows.assign(W4=trial_rows["W4"] + int(version[-1]))
        rows.to_csv(tmp_path / f"seed_{version}.csv", index=False)
    home = str(tmp_path / "home")
    resources = {
        "storage": StorageResource.configure_at_launch(home=home),
        "compute": ComputeDevice(device="cpu"),
        "io_manager": RefusingIOManager(),
    }
    made = study_definitions(small_study(source=SOURCE), tmp_path)
    return dg.Definitions.merge(made, dg.Definitions(resources=resources))


def test_each_version_is_refreshed_from_its_own_file(
    definitions: dg.Definitions, trial_rows: Any, tmp_path: Path
) -> None:
    job = definitions.resolve_job_def("backfill_small")
    assert job.partitions_def is not None
    assert job.partitions_def.get_partition_keys() == ["2026-01", "2026-02"]
    warehouse, seed = Warehouse(tmp_path / "home", "small"), dg.AssetKey(["small", "seed_table"])
    for key in ("2026-01", "2026-02"):
        result = job.execute_in_process(partition_key=key, asset_selection=[seed])
        assert result.dagster_run.tags["study"] == "small"
        moved = (warehouse.read_table("seed_table")["W4"] - trial_rows["W4"]).round(9)
        assert set(moved) == {float(key[-1])}
        (made,) = result.asset_materializations_for_node("small__seed_table")
        assert made.metadata["seed_version"].value == key
    entries = warehouse.audit_entries().query("asset == 'seed_table' and kind == 'table'")
    assert entries["data_version"].nunique() == 2
    assert entries["study_hash"].nunique() == 1
    told = [json.loads(upstream) for upstream in entries["upstream"]]
    assert told == [{"seed version (source)": key} for key in ("2026-01", "2026-02")]


def test_older_versions_go_first(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("backfill_small")
    tags = [job.get_tags_for_partition_key(key, None) for key in ("2026-01", "2026-02")]
    assert [each["dagster/priority"] for each in tags] == ["0", "-1"]


def test_a_study_whose_seed_has_no_versions_has_no_backfill(
    small_study: Make, tmp_path: Path
) -> None:
    jobs = study_definitions(small_study(), tmp_path).jobs or ()
    assert "backfill_small" not in {job.name for job in jobs}
    with pytest.raises(SourceError, match="'small': seed version '1': expected a file source"):
        at_version(small_study(), "1", tmp_path)


def test_a_holdout_with_versions_is_read_at_the_same_one(
    small_study: Make, trial_rows: Any, tmp_path: Path
) -> None:
    people = {"kind": "csv", "path": "unseen_{version}.csv"}
    study = small_study(source=SOURCE, holdout={"source": people})
    for version in ("2026-01", "2026-02"):
        for name in ("seed", "unseen"):
            rows = trial_rows.assign(W4=float(version[-1]))
            rows.to_csv(tmp_path / f"{name}_{version}.csv", index=False)
    first = at_version(study, "2026-01", tmp_path)
    assert first.holdout.source is not None
    assert set(first.holdout.source.read(tmp_path, tmp_path)["W4"]) == {1.0}
    assert first.content_hash == study.content_hash
    (tmp_path / "unseen_2026-01.csv").unlink()
    with pytest.raises(SourceError, match="source csv: version '2026-01': expected 2026-02"):
        at_version(study, "2026-01", tmp_path)


def test_runs_of_one_study_wait_for_each_other() -> None:
    runs = yaml.safe_load(SETTINGS.read_text())["concurrency"]["runs"]
    assert runs["tag_concurrency_limits"] == [
        {"key": "study", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]
