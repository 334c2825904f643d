"""Cost and memory of reading, validating, splitting and storing a seed, by its rows and file.

Each step runs in a process of its own, on a seed of `FIXED_ROWS` first: what it takes there, with
the start of Python and imports, is no cost of rows.
"""

import json
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
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.table_sizes import STUDY, cpu_seconds, run_step

STEPS = ("seed_table", "splits")
FIXED_ROWS = 1_000
DRAWN_AT_ONCE = 500_000


@dataclass(frozen=True)
class SeedCost:
    """What one step took.

    Attributes
    ----------
    kind : {"parquet", "csv"}
    n_rows : int
    step : str
    fixed_seconds : float
        CPU, user and system, of the process up to the end of the step on `FIXED_ROWS` rows.
    cpu_seconds : float
        Of the step on `n_rows` rows after that.
    wall_seconds : float
    peak_mib : float
        Largest resident size, libraries included.
    """

    kind: str
    n_rows: int
    step: str
    fixed_seconds: float
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float


def drawn_rows(n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw five numbers, three levels, treatment and a continuous outcome."""
    table = pd.DataFrame({f"x{k}": np.round(rng.normal(size=n_rows), 2) for k in range(4)})
    table["age"] = rng.integers(20, 80, n_rows)
    table["site"] = rng.choice(["north", "south", "west"], n_rows)
    table["smoker"] = rng.integers(0, 2, n_rows)
    table["grade"] = rng.choice(["low", "mid", "high"], n_rows)
    score = 0.4 * table["x0"] - 0.3 * table["smoker"] + 0.01 * (table["age"] - 50)
    table["A"] = (rng.random(n_rows) < 1 / (1 + np.exp(-score))).astype(int)
    noise = rng.normal(size=n_rows)
    table["Y"] = np.round(10 + 2 * table["A"] + table["x0"] - table["x1"] + noise, 1)
    return table


def write_seed(home: Path, kind: str, n_rows: int) -> Path:
    """Write ``seed.<kind>``, some rows at a time."""
    rng, file = np.random.default_rng(1), home / f"seed.{kind}"
    sizes = [min(DRAWN_AT_ONCE, n_rows - k) for k in range(0, n_rows, DRAWN_AT_ONCE)]
    if kind == "csv":
        with file.open("w", newline="") as out:
            for k, size in enumerate(sizes):
                drawn_rows(size, rng).to_csv(out, index=False, header=k == 0)
        return file
    schema = pa.Schema.from_pandas(drawn_rows(1, np.random.default_rng(1)), preserve_index=False)
    with pq.ParquetWriter(file, schema) as writer:
        for size in sizes:
            rows = drawn_rows(size, rng)
            writer.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False))
    return file


def settings_of(home: Path, kind: str) -> dict[str, Any]:
    source = {"kind": kind, "path": str(home / f"seed.{kind}")}
    return STUDY | {"source": source, "generators": ["cart"], "n_synthetic": 1_000}


def child(place: Path, kind: str, step: str, n_rows: int) -> None:
    """Run a step on the short seed, then on the long one; print what that took."""
    warnings.simplefilter("ignore")
    homes = [place / str(size) for size in (FIXED_ROWS, n_rows)]
    run_step(homes[0], settings_of(homes[0], kind), step)
    fixed, started = cpu_seconds(), time.perf_counter()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the largest resident size
    run_step(homes[1], settings_of(homes[1], kind), step)
    used, took = cpu_seconds() - fixed, time.perf_counter() - started
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = int(dict(line.split(":", 1) for line in lines)["VmHWM"].split()[0]) / 1024
    print(json.dumps(asdict(SeedCost(kind, n_rows, step, fixed, used, took, peak))))


def measure(place: Path, kind: str, sizes: list[int]) -> None:
    """Make the first two assets of each seed."""
    for n_rows in (FIXED_ROWS, *sizes):
        (place / str(n_rows)).mkdir()
        write_seed(place / str(n_rows), kind, n_rows)
    for n_rows in sizes:
        for step in STEPS:
            code = f"from benchmarks.seed_sizes import *; child(Path({str(place)!r}), {kind!r}, "
            code += f"{step!r}, {n_rows})"
            command = [sys.executable, "-W", "ignore", "-c", code]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise SystemExit(f"{step}: {ended.stderr[-2000:]}")
            print(ended.stdout.splitlines()[-1], flush=True)


def main() -> None:
    """Usage: python -m benchmarks.seed_sizes parquet|csv N_ROWS ... >> costs.jsonl."""
    with tempfile.TemporaryDirectory(prefix="seed_sizes") as place:
        measure(Path(place), sys.argv[1], [int(size) for size in sys.argv[2:]])


if __name__ == "__main__":
    main()
