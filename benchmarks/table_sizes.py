"""Cost and memory of every step of a study by rows of its seed and of its synthetic tables."""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STUDY: dict[str, Any] = {
    "name": "sizes",
    "title": "Rows",
    "treatment": "A",
    "outcome": "Y",
    "design": {"kind": "observational"},
    "assignment": "observed",
    "nuisance": {"n_fold_draws": 1},
    "random_seed": 7,
}
SEED_STEPS = ("seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates")
DRAWN = ("synthetic_covariates", "hybrid_triplets", "full_synthetic")
EVALUATED = ("privacy_evaluation", "fidelity_evaluation", "effect_estimates")


@dataclass(frozen=True)
class Cost:
    """What one step took, in a fresh process.

    Attributes
    ----------
    generator : str
    n_seed, n_synthetic : int
        Rows.
    step : str
        An asset, or the suite of checks on one.
    cpu_seconds : float
        User and system.
    wall_seconds : float
    peak_mib : float
        Largest resident size, libraries included.
    """

    generator: str
    n_seed: int
    n_synthetic: int
    step: str
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float


def study_of(home: Path, generator: str, n_synthetic: int) -> dict[str, Any]:
    source = {"kind": "parquet", "path": str(home / "seed.parquet")}
    return STUDY | {"source": source, "generators": [generator], "n_synthetic": n_synthetic}


def write_seed(home: Path, n_rows: int) -> None:
    """Draw five numbers, three levels, treatment and a continuous outcome."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({f"x{k}": np.round(rng.normal(size=n_rows), 2) for k in range(4)})
    table["age"] = rng.integers(20, 80, n_rows)
    table["site"] = rng.choice(["north", "south", "west"], n_rows)
    table["smoker"] = rng.integers(0, 2, n_rows)
    table["grade"] = rng.choice(["low", "mid", "high"], n_rows)
    score = 0.4 * table["x0"] - 0.3 * table["smoker"] + 0.01 * (table["age"] - 50)
    table["A"] = (rng.random(n_rows) < 1 / (1 + np.exp(-score))).astype(int)
    noise = rng.normal(size=n_rows)
    table["Y"] = np.round(10 + 2 * table["A"] + table["x0"] - table["x1"] + noise, 1)
    table.to_parquet(home / "seed.parquet", index=False)


def run_step(home: Path, settings: dict[str, Any], step: str) -> None:
    """Materialize one asset, or run the suite on it, in this process."""
    import dagster as dg

    from dagster_project.factory import study_definitions
    from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
    from dagster_project.study_file import StudyFile

    study = StudyFile.model_validate(settings)
    definitions = study_definitions(study, home)
    asset, _, what = step.partition(" ")
    key = dg.AssetKey([study.name, *asset.split("/")])
    suite = [each for each in definitions.asset_checks if key in each.keys_by_input_name.values()]
    checks = [check for each in suite for check in each.check_keys]
    result = dg.materialize(
        [*definitions.assets, *(suite if what else [])],
        selection=dg.AssetSelection.checks(*checks) if what else [key],
        instance=dg.DagsterInstance.ephemeral(),
        resources={
            "storage": StorageResource(home=str(home / "home")),
            "compute": ComputeDevice(device="cpu"),
            "io_manager": RefusingIOManager(),
        },
        raise_on_error=True,
    )
    if not result.success:
        raise SystemExit(f"{step} failed")


def measured(home: Path, settings: dict[str, Any], step: str) -> tuple[float, float, float]:
    """Run a step in a process of its own; CPU seconds, seconds, peak MiB."""
    code = f"from benchmarks.table_sizes import *; child({str(home)!r}, {step!r})"
    started = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        input=json.dumps(settings),
        text=True,
        capture_output=True,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{step}: {process.stderr[-2000:]}")
    told = [line for line in process.stdout.splitlines() if line.startswith('{"cpu"')]
    used = json.loads(told[-1])
    return used["cpu"], time.perf_counter() - started, used["peak"]


def child(home: str, step: str) -> None:
    warnings.simplefilter("ignore")
    run_step(Path(home), json.loads(sys.stdin.read()), step)
    own = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu": own.ru_utime + own.ru_stime, "peak": own.ru_maxrss / 1024}))


def measure(generator: str, n_seed: int, sizes: list[int]) -> None:
    """Make the seed's assets once, then the synthetic tables and evaluations of each size."""
    home = Path(tempfile.mkdtemp(prefix="table_sizes"))
    drawn = [f"{generator}/{word}" for word in DRAWN]
    suites = [f"{generator}/{word} checks" for word in DRAWN]
    branch = [*drawn, *suites, *(f"{generator}/{word}" for word in EVALUATED)]
    try:
        write_seed(home, n_seed)
        for k, n_synthetic in enumerate(sizes):
            settings = study_of(home, generator, n_synthetic)
            for step in [*([] if k else [*SEED_STEPS, f"{generator}/fitted_generator"]), *branch]:
                used = measured(home, settings, step)
                print(json.dumps(asdict(Cost(generator, n_seed, n_synthetic, step, *used))))
                sys.stdout.flush()
    finally:
        shutil.rmtree(home)


def main() -> None:
    """Usage: python -m benchmarks.table_sizes GENERATOR N_SEED N_SYNTHETIC ... >> costs.jsonl."""
    measure(sys.argv[1], int(sys.argv[2]), [int(size) for size in sys.argv[3:]])


if __name__ == "__main__":
    main()
