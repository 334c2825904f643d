"""Cost and memory of every step of a study by rows of its synthetic tables.

Each step runs in a process of its own: twice on a table of `FIXED_ROWS`, then on longer ones. The
first time has Python's start and all that a process does once (imports, compiled code); the second
is what the step costs however short its table: seed, models, database, log. What a long table takes
beyond the second is the cost of its rows.
"""

import json
import os
import resource
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
SEED_STEPS = (
    *("seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates"),
    *("positivity_evaluation", "cart/fitted_generator"),
)
STEPS = (
    *("synthetic_covariates", "synthetic_covariates checks"),
    *("hybrid_triplets", "hybrid_triplets checks", "full_synthetic", "full_synthetic checks"),
    *("privacy_evaluation", "fidelity_evaluation", "effect_estimates"),
    *("release_candidate", "approve", "release_bundle", "verify"),
)
FIXED_ROWS = 20_000  # two blocks of a draw, so that nothing happens first on a long table
SAMPLED = ("privacy_evaluation", "fidelity_evaluation", "effect_estimates", "bundle", "verify")
TIMES, ENOUGH_SECONDS = 9, 30.0  # the least of so many runs, fewer of those that take long
OVERRIDE = {"generator": "cart", "person": "Ada L.", "reason": "cost is what is looked at"}


@dataclass(frozen=True)
class Cost:
    """What one step took.

    Attributes
    ----------
    n_seed, n_synthetic : int
        Rows.
    step : str
        An asset, the suite of checks on one, or the verification of a release.
    first_seconds : float
        CPU of a process up to the end of the step on `FIXED_ROWS` rows.
    fixed_seconds : float
        CPU of the same step after that.
    cpu_seconds, wall_seconds : float
        Of the step on `n_synthetic` rows after these. CPU: user and system, workers included.
    peak_mib : float
        Largest resident size of the process, or of it and its workers together (shared pages
        once), whichever was larger.
    """

    n_seed: int
    n_synthetic: int
    step: str
    first_seconds: float
    fixed_seconds: float
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float


def study_of(home: Path, n_synthetic: int) -> dict[str, Any]:
    source = {"kind": "parquet", "path": str(home / "seed.parquet")}
    gates = ("privacy_verdict", "row_budget", "effect_kept", "positivity", "exact_copies")
    return STUDY | {
        "source": source,
        "generators": ["cart"],
        "n_synthetic": n_synthetic,
        "gates": {"overrides": [OVERRIDE | {"gate": gate} for gate in gates]},
    }


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
    """Materialize an asset, run the suite on it, approve its candidate or verify its release."""
    from dagster_project.resources import StorageResource
    from dagster_project.study_file import StudyFile

    study, storage = StudyFile.model_validate(settings), StorageResource(home=str(home / "home"))
    if step == "cart/approve":
        approve(study, storage)
    elif step == "cart/verify":
        verify(study, storage)
    else:
        materialize(study, storage, home, step)


def materialize(study: Any, storage: Any, home: Path, step: str) -> None:
    import dagster as dg

    from dagster_project.factory import study_definitions
    from dagster_project.resources import ComputeDevice, RefusingIOManager

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
            "storage": storage,
            "compute": ComputeDevice(device="cpu"),
            "io_manager": RefusingIOManager(),
        },
        raise_on_error=True,
    )
    if not result.success:
        raise SystemExit(f"{step} failed")


def approve(study: Any, storage: Any) -> None:
    from dagster_project.approvals import read_candidate, record_approval
    from dagster_project.release_permission import today
    from hybrid_assets.approval import Approval

    decided = {
        "study": study.name,
        "generator": "cart",
        "reviewer": "Grace H.",
        "decision": "approve",
        "reason": "cost is what is looked at",
        "decided_on": today(),
        "signed": read_candidate(storage, study, "cart").signed,
    }
    record_approval(storage, study, Approval.model_validate(decided))


def verify(study: Any, storage: Any) -> None:
    from dagster_project.verification import verified

    release = storage.releases(study.name).releases("cart")[-1]
    faults = [fault for check in verified(release.folder) for fault in check.faults]
    if faults:
        raise SystemExit(f"verify: {faults}")


def cpu_seconds() -> float:
    """CPU of this process and of the workers that have ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def child(place: Path, n_seed: int, step: str, sizes: list[int]) -> None:
    """Run a step on the short table, again, and on the others; print what each took.

    Of several runs the least counts: what comes between makes them longer only.
    """
    warnings.simplefilter("ignore")
    run_step(place / str(FIXED_ROWS), study_of(place / str(FIXED_ROWS), FIXED_ROWS), step)
    first = cpu_seconds()
    fixed, _ = least(place, step, FIXED_ROWS)
    for n_synthetic in sizes:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the largest resident size
        used, took = least(place, step, n_synthetic)
        lines = Path("/proc/self/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        peak = int(status["VmHWM"].split()[0]) / 1024
        cost = Cost(n_seed, n_synthetic, step, first, fixed, used, took, peak)
        print(json.dumps(asdict(cost)), flush=True)


def least(place: Path, step: str, n_synthetic: int) -> tuple[float, float]:
    """Run a step up to `TIMES` times; the least CPU seconds and seconds."""
    runs = [timed(place, step, n_synthetic)]
    n_times = 1 if step.endswith(SAMPLED) else TIMES
    while len(runs) < n_times and sum(took for _, took in runs) < ENOUGH_SECONDS:
        runs.append(timed(place, step, n_synthetic))
    return min(runs)


def timed(place: Path, step: str, n_synthetic: int) -> tuple[float, float]:
    """Run a step; CPU seconds and seconds."""
    home = place / str(n_synthetic)
    before, started = cpu_seconds(), time.perf_counter()
    run_step(home, study_of(home, n_synthetic), step)
    return cpu_seconds() - before, time.perf_counter() - started


def family_mib(process: int) -> float:
    """Add up what a process and those below it hold, each shared page once."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it has just ended
        return 0.0
    own = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return own + sum(family_mib(int(each)) for each in below)


def measured(place: Path, n_seed: int, step: str, sizes: list[int]) -> None:
    """Run a step in a process of its own; print its costs."""
    code = f"from benchmarks.table_sizes import *; child(Path({str(place)!r}), {n_seed}, "
    code += f"{step!r}, {sizes})"
    together = 0.0
    with tempfile.TemporaryFile("w+") as faults:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code],
            stdout=subprocess.PIPE,
            stderr=faults,
            text=True,
        )
        os.set_blocking(process.stdout.fileno(), False)
        while process.poll() is None:
            time.sleep(0.5)
            together = max(together, family_mib(process.pid))
            for line in filter(lambda line: line.startswith('{"n_seed"'), process.stdout):
                cost = json.loads(line)
                print(json.dumps(cost | {"peak_mib": max(cost["peak_mib"], together)}), flush=True)
                together = 0.0
        if process.returncode:
            faults.seek(0)
            raise SystemExit(f"{step}: {faults.read()[-2000:]}")


def measure(place: Path, n_seed: int, sizes: list[int]) -> None:
    """Make the seed's assets for each size, then the tables and all that follows from them."""
    for n_synthetic in (FIXED_ROWS, *sizes):
        prepare(place / str(n_synthetic), n_seed, n_synthetic)
    for step in STEPS:
        measured(place, n_seed, f"cart/{step}", sizes)


def prepare(home: Path, n_seed: int, n_synthetic: int) -> None:
    home.mkdir()
    write_seed(home, n_seed)
    for step in SEED_STEPS:
        run_step(home, study_of(home, n_synthetic), step)


def main() -> None:
    """Usage: python -m benchmarks.table_sizes N_SEED N_SYNTHETIC ... >> costs.jsonl."""
    with tempfile.TemporaryDirectory(prefix="table_sizes") as place:
        measure(Path(place), int(sys.argv[1]), [int(size) for size in sys.argv[2:]])
        subprocess.run(["chmod", "-R", "u+w", place], check=True)


if __name__ == "__main__":
    main()
