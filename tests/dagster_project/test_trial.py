"""A trial run is smaller, apart, labelled, and another study by its hash."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.factory import study_definitions
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from dagster_project.study_run import storage_config
from dagster_project.trial import TRIAL_LABEL, is_trial_run, launched_study, trial_of
from hybrid_assets.errors import StudyError

Make = Callable[..., StudyFile]


def test_a_trial_keeps_all_but_rows_and_generators(small_study: Make) -> None:
    study = small_study()
    trial = trial_of(study, 150, ["cart"])
    assert (trial.n_synthetic, list(trial.generators)) == (150, ["cart"])
    changed = {"n_synthetic": 400, "generators": study.generators}
    assert trial.model_copy(update=changed).model_dump(exclude={"is_trial"}) == study.model_dump()
    assert trial.label == TRIAL_LABEL


def test_a_trial_of_the_same_size_is_another_study_all_the_same(small_study: Make) -> None:
    study = small_study()
    trial = trial_of(study, study.n_synthetic, [])
    assert trial.content_hash != study.content_hash
    assert trial.random_generator("a").random() == study.random_generator("a").random()


def test_a_launch_says_where_its_tables_lie() -> None:
    trial = StorageResource(home="/a/b", trial_rows=150)
    said = storage_config(trial)["resources"]["storage"]["config"]  # type: ignore[index]
    assert StorageResource(**said).path == trial.path
    assert storage_config(StorageResource()) == {}


def test_an_unknown_generator_is_refused(small_study: Make) -> None:
    with pytest.raises(StudyError, match="expected generators of bootstrap, cart; got gan"):
        trial_of(small_study(), None, ["gan"])


def test_a_branch_that_the_trial_leaves_out_is_refused(small_study: Make) -> None:
    storage = StorageResource(trial_generators=["cart"])
    with pytest.raises(StudyError, match="'bootstrap/hybrid_triplets': expected a generator of"):
        launched_study(small_study(), storage, "bootstrap/hybrid_triplets")
    assert launched_study(small_study(), StorageResource(), "bootstrap/x") == small_study()


def test_its_tables_lie_apart_and_are_labelled(
    small_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, home = small_study(), tmp_path / "home"
    monkeypatch.setenv("HYBRID_HOME", str(home))
    definitions = study_definitions(study, tmp_path)
    branch = ("seed_table", "splits", "cart/fitted_generator", "cart/synthetic_covariates")
    instance = dg.DagsterInstance.ephemeral()
    result = dg.materialize(
        [*definitions.assets, *definitions.asset_checks],  # type: ignore[misc]
        selection=[dg.AssetKey(["small", *asset.split("/")]) for asset in branch],
        instance=instance,
        resources={
            "storage": StorageResource(),
            "compute": ComputeDevice(device="cpu"),
            "io_manager": RefusingIOManager(),
        },
        run_config=storage_config(StorageResource(trial_rows=150, trial_generators=["cart"])),
    )
    assert result.success
    assert not (home / "warehouse").exists()
    warehouse = StorageResource(home=str(home), trial_rows=150).warehouse("small")
    assert warehouse.row_count("cart/synthetic_covariates") == 150
    assert set(warehouse.audit_entries()["study_hash"]) == {
        trial_of(study, 150, ["cart"]).content_hash
    }
    (made,) = result.asset_materializations_for_node("small__cart__synthetic_covariates")
    assert made.metadata["recipe"].value == TRIAL_LABEL
    (run,) = instance.get_runs()
    assert is_trial_run(run)
