"""The asset `estimator_benchmark`: recorded, observed, resumed to the same bytes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from dagster_project.assets.benchmark import RECOMMENDATIONS
from dagster_project.factory import study_definitions
from dagster_project.study_file import StudyFile, read_study_file
from hybrid_assets.benchmark import PERFORMANCE_COMMENTS
from warehouse import ModelStore, Warehouse

BENCHMARK = {"n_replicates": 100, "sample_sizes": [100, 300]}
UPSTREAM = ("seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates")
UPSTREAM += ("bootstrap/fitted_generator", "bootstrap/synthetic_covariates")
ASSET = "bootstrap/estimator_benchmark"
PROJECT = Path(__file__).parents[2]

StudyOf = Callable[..., StudyFile]
Materialize = Callable[..., dg.ExecuteInProcessResult]


def test_the_asset_holds_performance_picture_and_recommendation(
    small_study: StudyOf, materialize: Materialize, tmp_path: Path
) -> None:
    study = small_study(benchmark=BENCHMARK)
    assert materialize(study, *UPSTREAM).success
    result = materialize(study, ASSET)
    assert result.success
    warehouse = Warehouse(tmp_path / "home", "small")
    table = warehouse.read_table(ASSET)
    assert list(table.columns) == list(PERFORMANCE_COMMENTS)
    assert sorted(set(table["n_rows"])) == [100, 300]
    seed = warehouse.read_table("seed_estimates").set_index("estimator")
    fitted = table[table["scenario"] == "as fitted"]
    assert fitted["true_effect"].to_numpy() == pytest.approx(seed.loc["tmle", "estimate"])
    assert (table.loc[table["scenario"] == "no effect", "true_effect"] == 0.0).all()
    model = ModelStore(tmp_path / "home").open(warehouse.model(ASSET))
    found = RECOMMENDATIONS.validate_json((model / "recommendations.json").read_bytes())
    assert [each.n_rows for each in found] == [100, 300]
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert metadata["recommendation"].value == found[-1].sentence
    assert "picture" in metadata
    assert not list((tmp_path / "home").glob("unfinished/small/*"))
    told = observations(result)
    assert told[-1]["share_done"].value == 1.0
    assert {key for one in told for key in one} == {
        "share_done",
        "blocks",
        "scenario",
        "n_rows",
        "seconds_left",
    }


def observations(result: dg.ExecuteInProcessResult) -> list[dict[str, dg.MetadataValue]]:
    return [
        dict(event.asset_observation_data.asset_observation.metadata)
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
    ]


def test_actg175_has_the_learning_curve_of_paper_2() -> None:
    study = read_study_file(PROJECT / "dagster_project" / "defs" / "actg175" / "defs.yaml")
    assert study.benchmark.sizes(1046) == tuple(range(100, 1001, 100))


def test_a_dial_that_the_study_cannot_turn_is_told(
    small_study: StudyOf, materialize: Materialize
) -> None:
    study = small_study(benchmark={**BENCHMARK, "dials": [{"effect_shift": 0.9}]})
    materialize(study, *UPSTREAM)
    result = materialize(study, ASSET)
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert re.match(r"dial 'effect .*0\.9': .* not a probability", said), said
    assert not result.success


ALONE = """
import sys, pathlib
import dagster as dg
from dagster_project.factory import study_definitions
from dagster_project.resources import RefusingIOManager, StorageResource
from dagster_project.factory import study_definitions
from dagster_project.study_file import StudyFile
if __name__ == "__main__":
    home, asset, study = sys.argv[1:]
    definitions = study_definitions(StudyFile.model_validate_json(study), pathlib.Path(home))
    dg.materialize(
        definitions.assets,
        selection=[dg.AssetKey(["small", *asset.split("/")])],
        resources={"storage": StorageResource(home=home), "io_manager": RefusingIOManager()},
    )
"""


@pytest.mark.slow
def test_a_killed_benchmark_goes_on_from_its_parts_to_the_same_bytes(
    small_study: StudyOf, materialize: Materialize, tmp_path: Path
) -> None:
    """Killed with signal 9 by its process id; its workers end by themselves."""
    slow = {"n_replicates": 400, "sample_sizes": [300], "dials": [{}]}
    boosting = {"n_fold_draws": 1, "outcome_library": ["boosting"]}
    study = small_study(benchmark=slow, nuisance=boosting)
    materialize(study, *UPSTREAM)
    home, clean = tmp_path / "home", tmp_path / "clean"
    shutil.copytree(home, clean)
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    stated = study.model_dump_json(exclude_unset=True)
    alone = subprocess.Popen([sys.executable, script, str(home), ASSET, stated])
    kept = wait_for(lambda: list(home.glob("unfinished/small/*/*/*.parquet")))
    workers = Path(f"/proc/{alone.pid}/task/{alone.pid}/children").read_text().split()
    os.kill(alone.pid, signal.SIGKILL)
    assert alone.wait() == -signal.SIGKILL
    wait_for(lambda: not any(map(is_alive, workers)))
    assert ASSET.replace("/", "__") not in Warehouse(home, "small").table_names()
    resumed = materialize(study, ASSET)
    assert int(observations(resumed)[0]["blocks"].value.split()[0]) > len(kept)
    version = Warehouse(home, "small").read_versioned(ASSET)[1]
    home.rename(tmp_path / "resumed")
    clean.rename(home)
    materialize(study, ASSET)
    assert Warehouse(home, "small").read_versioned(ASSET)[1] == version


def wait_for(condition: Callable[[], Any], *, seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def is_alive(process: str) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_published_recipe_has_no_benchmark_and_no_job_for_it(
    small_study: StudyOf, tmp_path: Path
) -> None:
    own = small_study().model_dump(mode="json", exclude_unset=True)
    published = {k: v for k, v in own.items() if k != "nuisance"}
    labelled = StudyFile.model_validate(published | {"recipe": "published"})
    for study, simulations in ((labelled, set()), (small_study(), {"simulate_small"})):
        definitions = study_definitions(study, tmp_path)
        jobs = {"refresh_small", "evaluate_small", "release_small"} | simulations
        assert {job.name for job in definitions.jobs or ()} == jobs
        names = {spec.key.path[-1] for asset in definitions.assets or () for spec in asset.specs}
        assert ("estimator_benchmark" in names) == bool(simulations)
    with pytest.raises(ValidationError, match="recipe published has none; expected no benchmark"):
        StudyFile.model_validate(published | {"recipe": "published", "benchmark": {}})
