"""A study through the real multiprocess executor, as `hybrid run` starts it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from hybrid_assets.designs import DESIGNS
from warehouse import Warehouse, check_audit

pytestmark = pytest.mark.timeout(900)  # one run of a whole study, on a machine that may be busy

CANARY_NUMBER = 7351.4242
CANARY_WORD = "sentinel-"  # not the study: a release is named after it

STUDY = {
    "name": "canary",
    "title": "A study whose cells must not be found outside the warehouse",
    "owners": ["team:privacy"],
    "source": {"kind": "csv", "path": "seed.csv"},
    "treatment": "A",
    "outcome": "Y",
    "identifiers": ["patient"],
    "design": {"kind": "trial", "probability": 0.5},
    "assignment": "randomised",
    "nuisance": {"n_fold_draws": 1, "outcome_library": ["linear"]},
    "generators": {
        "bootstrap": {},
        "cart": {},
        "gan": {"steps": 20},
        "llm": {"steps": 400},
    },
    "n_synthetic": 300,
    "gates": {
        "overrides": [
            {
                "gate": "privacy_verdict",
                "generator": "cart",
                "person": "Ada Lovelace",
                "reason": "a test with too few people <script>",
            }
        ]
    },
    "benchmark": {"n_replicates": 20, "sample_sizes": [100]},
    "random_seed": 11,
}


@dataclass(frozen=True)
class FinishedRun:
    home: Path
    printed: str
    returncode: int


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    folder = tmp_path_factory.mktemp("studies")
    seed = DESIGNS["paper1_trial"](400, 5)
    seed = seed.assign(
        W4=np.round(seed["W4"], 4) + CANARY_NUMBER,
        patient=[f"{CANARY_WORD}{i:04d}" for i in range(len(seed))],
    )
    (folder / "canary").mkdir()
    seed.to_csv(folder / "canary" / "seed.csv", index=False)
    study = {"type": "dagster_project.component.StudyComponent", "attributes": STUDY}
    (folder / "canary" / "defs.yaml").write_text(yaml.safe_dump(study))
    home = folder / "home"
    return hybrid("run", home, folder)


def hybrid(command: str, home: Path, studies: Path, *options: str) -> FinishedRun:
    done = subprocess.run(
        [sys.executable, "-m", "dagster_project.command_line", command, "canary", *options],
        env={**os.environ, "HYBRID_HOME": str(home), "HYBRID_STUDIES": str(studies)},
        capture_output=True,
        text=True,
        check=False,
        timeout=840,
    )
    return FinishedRun(home, done.stdout + done.stderr, done.returncode)


@pytest.fixture(scope="module")
def simulated(finished: FinishedRun, warehouse: Warehouse) -> FinishedRun:
    return hybrid("simulate", finished.home, finished.home.parent)


@pytest.fixture(scope="module")
def released(finished: FinishedRun, warehouse: Warehouse) -> list[FinishedRun]:
    """Ask for a release, approve the candidate that was made of it, and ask again."""
    cart = ("--generator", "cart")
    signed = (*cart, "--reviewer", "Grace Hopper", "--reason", "read it all")
    return [
        hybrid(command, finished.home, finished.home.parent, *options)
        for command, options in (
            ("release", ("--generator", "bootstrap")),
            ("release", cart),
            ("approve", signed),
            ("release", cart),
        )
    ]


@pytest.fixture(scope="module")
def warehouse(finished: FinishedRun) -> Warehouse:
    assert finished.returncode == 0, finished.printed
    return Warehouse(finished.home, "canary")


def test_every_hybrid_population_has_the_seeds_effect(warehouse: Warehouse) -> None:
    effects = warehouse.read_table("ate_estimates")
    seed = effects.query("table_kind == 'seed' and estimator == 'tmle'")["estimate"].item()
    exact = effects.query("table_kind == 'hybrid'").groupby("generator")["psi_exact"].first()
    assert sorted(exact.index) == ["bootstrap", "cart", "gan", "llm"]
    assert exact.to_numpy() == pytest.approx(seed, abs=1e-6)


def test_the_printed_table_shows_every_table(finished: FinishedRun) -> None:
    for row in ("seed", "gan hybrid", "gan full synthetic", "llm hybrid", "llm full synthetic"):
        assert f"\n  {row} " in finished.printed
    assert "study_report.html" in finished.printed


def test_the_audit_log_holds_every_materialization(warehouse: Warehouse) -> None:
    assert warehouse.check_audit_log() > 0
    assert warehouse.verify_tables() == len(warehouse.table_names())
    entries = warehouse.audit_entries()
    refreshed = entries[~entries["asset"].str.endswith("/estimator_benchmark")]
    assert set(refreshed["run_id"].unique()) == {entries["run_id"].iloc[0]}
    of_hybrid = entries[(entries["asset"] == "gan/hybrid_triplets") & (entries["kind"] == "table")]
    upstream = of_hybrid["upstream"].iloc[-1]
    for source in ("gan/synthetic_covariates", "outcome_model (files)", "splits (files)"):
        assert f'"{source}"' in upstream


def test_synthetic_tables_have_the_seeds_columns_and_levels(warehouse: Warehouse) -> None:
    seed = warehouse.read_table("seed_table").drop(columns="patient")
    for generator in ("bootstrap", "cart", "gan", "llm"):
        made = warehouse.read_table(f"{generator}/full_synthetic")
        assert list(made.columns) == list(seed.columns)
        assert made.dtypes.to_dict() == seed.dtypes.to_dict()
        assert len(made) == 300
        assert made["W4"].between(seed["W4"].min() - 0.01, seed["W4"].max() + 0.01).all()


def test_identifiers_stay_in_the_seed_table(warehouse: Warehouse) -> None:
    for table in warehouse.table_names():
        columns = warehouse.read_table(table.replace("__", "/")).columns
        assert ("patient" in columns) == (table == "seed_table")


def test_a_simulation_shows_what_it_recommends(
    simulated: FinishedRun, warehouse: Warehouse
) -> None:
    assert simulated.returncode == 0, simulated.printed
    for generator in ("bootstrap", "cart", "gan", "llm"):
        assert f"\n  {generator}/estimator_benchmark " in simulated.printed
        table = warehouse.read_table(f"{generator}/estimator_benchmark")
        assert sorted(set(table["scenario"])) == ["as fitted", "no effect"]
        assert (table["n_replicates"] + table["n_failed"] == 20).all()
    assert simulated.printed.count("\n    At n = 100 (as fitted) ") == 4


def test_a_release_waits_for_its_gates_and_for_its_reviewer(
    finished: FinishedRun, released: list[FinishedRun], warehouse: Warehouse
) -> None:
    bootstrap, unsigned, approval, _ = released
    assert [run.returncode for run in released] == [1, 3, 0, 0], [run.printed for run in released]
    assert "The bootstrap hands out real people's covariates" in bootstrap.printed
    assert "nobody has approved these rows" in unsigned.printed
    assert "approved by Grace Hopper" in approval.printed
    folders = sorted((finished.home / "releases" / "canary").glob("*/*"))
    assert [folder.parent.name for folder in folders] == ["cart"]
    logged = warehouse.audit_entries()["asset"].tolist()
    for entry in ("cart/override_privacy_verdict", "cart/approval", "cart/release_bundle"):
        assert entry in logged
    assert "bootstrap/release_bundle" not in logged
    assert check_audit(finished.home, "canary").faults == ()


def test_no_cell_of_the_seed_is_found_outside_the_warehouse(
    finished: FinishedRun, simulated: FinishedRun, released: list[FinishedRun]
) -> None:
    seed = Warehouse(finished.home, "canary").read_table("seed_table")
    cells = [f"{value:.4f}".encode() for value in seed["W4"]] + [CANARY_WORD.encode()]
    shown = [run.printed.encode() for run in (finished, simulated, *released)]
    for folder in ("dagster", "reports", "releases"):
        files = (finished.home / folder).rglob("*")
        shown += [file.read_bytes() for file in files if file.is_file()]
    everything = b"\n".join(shown)
    assert len(everything) > 100_000
    assert [cell for cell in cells if cell in everything] == []


def test_files_are_private(finished: FinishedRun) -> None:
    for file in finished.home.rglob("*"):
        assert oct(file.stat().st_mode & 0o077) == "0o0", file


def test_the_report_loads_nothing_from_elsewhere(finished: FinishedRun) -> None:
    page = (finished.home / "reports" / "canary" / "study_report.html").read_text()
    assert "gan full synthetic" in page
    assert "is overridden by Ada Lovelace: a test with too few people &lt;script&gt;" in page
    assert pd.Series(["http://", "https://", "<script"]).map(page.__contains__).sum() == 0
