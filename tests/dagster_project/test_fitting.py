"""A language model is fitted with a device, a checkpoint and listeners, and tells what it took."""

import os
import shutil
import signal
import subprocess
import sys
import time

import dagster as dg
import pandas as pd
import pytest

from dagster_project.assets.evaluation import labelled
from warehouse import Warehouse

LLM = {"llm": {"steps": 3, "batch_size": 8}}


def test_a_fit_is_described_and_leaves_no_checkpoint(small_study, materialize, tmp_path):
    study = small_study(generators=LLM)
    result = materialize(study, "seed_table", "splits", "llm/fitted_generator")
    assert result.success
    (event,) = result.asset_materializations_for_node(f"{study.name}__llm__fitted_generator")
    told = {name: entry.value for name, entry in event.metadata.items()}
    assert told["device"] == "cpu"
    assert told["tokens_per_second"] > 0
    assert told["peak_memory_bytes"] > 1e8
    assert isinstance(event, dg.AssetMaterialization)
    assert not list((tmp_path / "home" / "unfinished").rglob("training"))


def test_be_greats_own_generator_is_labelled(small_study, materialize, generic_gpt2):
    great = {"great": {"model": generic_gpt2, "epochs": 1, "batch_size": 100}}
    study = small_study(generators=great, covariates=["W1"])
    result = materialize(study, "seed_table", "splits", "great/fitted_generator")
    assert result.success
    (event,) = result.asset_materializations_for_node(f"{study.name}__great__fitted_generator")
    assert "be-great as published" in event.metadata["published_generator"].value


def test_tables_of_be_greats_own_generator_say_so():
    rows = pd.DataFrame(
        {"table_name": ["great hybrid", "great full synthetic"], "estimate": [1, 2]}
    )
    label = " (be-great as published: comparison only)"
    assert labelled(rows, "great")["table_name"].str.endswith(label).all()
    pd.testing.assert_frame_equal(labelled(rows, "llm"), rows)


ALONE = """
import sys
from pathlib import Path

import dagster as dg

from dagster_project.factory import study_definitions
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.generators import drawing

drawing.BLOCK_ROWS = 50
folder, assets = Path(sys.argv[1]), sys.argv[3:]
study = StudyFile.model_validate_json(sys.argv[2])
definitions = study_definitions(study, folder)
dg.materialize(
    [*definitions.assets, *definitions.asset_checks],
    selection=[dg.AssetKey([study.name, *asset.split("/")]) for asset in assets],
    instance=dg.DagsterInstance.ephemeral(),
    resources={
        "storage": StorageResource(home=str(folder / "home")),
        "compute": ComputeDevice(device="cpu"),
        "io_manager": RefusingIOManager(),
    },
)
"""


def killed_when_there(files, home, told):
    """Run a process until a file appears, then kill it; give the files that were there."""
    run = subprocess.Popen(told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 400
    while not (kept := list(home.glob(files))):
        assert run.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    return kept


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_fit_killed_after_a_checkpoint_goes_on_to_the_same_bytes(
    small_study, materialize, tmp_path
):
    study = small_study(
        generators={"llm": {"steps": 600, "batch_size": 8}}, covariates=["W1", "W4"]
    )
    assets = ("seed_table", "splits", "llm/fitted_generator")
    home = tmp_path / "home"
    told = [sys.executable, "-W", "ignore", "-c", ALONE, tmp_path, study.model_dump_json(), *assets]
    kept = killed_when_there("unfinished/*/*/*/training", home, told)

    def model_version():
        assert materialize(study, *assets).success
        entries = Warehouse(home, study.name).audit_entries()
        fits = entries[entries["asset"].eq("llm/fitted_generator") & entries["kind"].eq("model")]
        return fits["data_version"].item()

    resumed = model_version()
    assert len(kept) == 1
    assert not kept[0].exists()
    shutil.rmtree(home)
    assert model_version() == resumed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_draw_killed_after_a_block_goes_on_to_the_same_rows(
    small_study, materialize, tmp_path, monkeypatch
):
    monkeypatch.setattr("hybrid_assets.generators.drawing.BLOCK_ROWS", 50)
    study = small_study(
        generators={"llm": {"steps": 20, "batch_size": 8, "sampling": "masked"}},
        covariates=["W1", "W4"],
        n_synthetic=3_000,
    )
    assets = ("seed_table", "splits", "llm/full_synthetic")
    home = tmp_path / "home"
    told = [sys.executable, "-W", "ignore", "-c", ALONE, tmp_path, study.model_dump_json(), *assets]
    kept = killed_when_there("unfinished/*/*/*/1rows.parquet", home, told)
    parts = kept[0].parent
    assert (parts / "training").is_file()
    assert not (parts / "59rows.parquet").exists()
    drawn_before = (parts / "0rows.parquet").stat().st_mtime_ns

    def rows():
        assert materialize(study, *assets).success
        return Warehouse(home, study.name).read_table("llm/full_synthetic")

    assert (parts / "0rows.parquet").stat().st_mtime_ns == drawn_before
    resumed = rows()
    assert not parts.exists()
    shutil.rmtree(home)
    pd.testing.assert_frame_equal(rows(), resumed, check_exact=True)
