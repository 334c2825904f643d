"""The sensitivity study: run when asked for, stored with its answers and picture."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

import dagster_project
from dagster_project.asset_factory import AssetFactory
from dagster_project.assets.sensitivity import sensitivity_assets
from dagster_project.factory import study_definitions
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile, read_study_file
from hybrid_assets.sensitivity import SensitivitySettings
from warehouse import Warehouse

SMALL = {
    "nuisance": {
        "n_fold_draws": 1,
        "outcome_library": ["linear"],
        "propensity_library": ["constant", "linear"],
    },
    "sensitivity": {"n_replicates": 5, "sample_sizes": [200, 300], "dimensions": [8]},
    "generators": ["bootstrap"],
}


def test_the_sensitivity_study_is_stored_with_its_answers(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    models = ["seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates"]
    result = materialize(small_study(**SMALL), *models, "sensitivity")
    assert result.success
    rows = Warehouse(tmp_path / "home", "small").read_table("sensitivity")
    assert list(rows["question"].unique()) == [
        "misspecification",
        "bent truth",
        "seed size",
        "dimension",
        "DCR filter",
        "calibration",
    ]
    assert set(rows["n_replicates"] + rows["n_failed"]) == {5}
    seed = Warehouse(tmp_path / "home", "small").read_table("seed_estimates")
    tmle = seed.loc[(seed["estimator"] == "tmle"), "estimate"].item()
    own = rows[rows["question"] == "misspecification"]
    assert own["true_effect"].to_numpy() == pytest.approx(tmle, abs=1e-9)
    key = dg.AssetKey(["small", "sensitivity"])
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
    shown = event.materialization.metadata
    assert "**DCR filter**: Dropping finished rows moves the effect by" in shown["answers"].value
    assert "data:image/png" in shown["picture"].value
    tags = event.materialization.tags or {}
    assert tags["dagster/data_version"]


def test_the_refresh_job_leaves_it_out(small_study: Callable[..., StudyFile]) -> None:
    resources = {
        "storage": StorageResource(home="unused"),
        "compute": ComputeDevice(device="cpu"),
        "io_manager": RefusingIOManager(),
    }
    definitions = dg.Definitions.merge(
        study_definitions(small_study(**SMALL), Path()), dg.Definitions(resources=resources)
    )
    graph = definitions.resolve_asset_graph()
    key = dg.AssetKey(["small", "sensitivity"])
    assert graph.get(key).tags["job"] == "simulate"
    job = definitions.resolve_job_def("refresh_small")
    assert key not in job.asset_layer.executable_asset_keys
    assert dg.AssetKey(["small", "seed_estimates"]) in job.asset_layer.executable_asset_keys


def test_the_published_recipe_has_none(small_study: Callable[..., StudyFile]) -> None:
    study = StudyFile.model_validate(
        small_study().model_dump(mode="json", exclude={"nuisance"}, exclude_unset=True)
        | {"recipe": "published"}
    )
    assert sensitivity_assets(AssetFactory(study, Path())) == []
    assert len(sensitivity_assets(AssetFactory(small_study(), Path()))) == 1


def test_each_option_is_set_by_a_packaged_study() -> None:
    files = (Path(dagster_project.__file__).parent / "defs").glob("*/defs.yaml")
    fields = set().union(*(read_study_file(file).sensitivity.model_fields_set for file in files))
    assert fields == set(SensitivitySettings.model_fields)
