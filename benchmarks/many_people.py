"""Cost and memory of the privacy evaluation by people, each part in turn.

Usage: python -m benchmarks.many_people N_PEOPLE [N_ROWS [N_PROCESSES]]. Half of the people are the
holdout. Attacks are handed out if there are several processes.
"""

import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.table_sizes import cpu_seconds, write_seed
from hybrid_assets.privacy.copies import count_copies
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.evaluate import evaluate_privacy
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.processes import LocalProcesses
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

LEVELS = {"site": ("north", "south", "west"), "grade": ("high", "low", "mid")}
PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)  # the largest of those that ended
DECIMALS = dict.fromkeys(("x0", "x1", "x2", "x3"), 2) | {"Y": 1}


def drawn(n_rows: int) -> tuple[pd.DataFrame, TableSchema]:
    """Draw rows as the seed of `table_sizes` is drawn."""
    with tempfile.TemporaryDirectory() as folder:
        write_seed(Path(folder), n_rows)
        table = pd.read_parquet(Path(folder) / "seed.parquet")
    roles = {"A": Role.TREATMENT, "Y": Role.OUTCOME}
    columns = [
        ColumnSchema(
            name=name,
            role=roles.get(name, Role.COVARIATE),
            kind=_kind(name),
            levels=LEVELS.get(name),
            decimals=DECIMALS.get(name),
        )
        for name in table.columns
    ]
    schema = TableSchema(study="people", columns=tuple(columns))
    return schema.canonical(table), schema


def _kind(name: str) -> ColumnKind:
    if name in LEVELS:
        return ColumnKind.CATEGORICAL
    if name in ("smoker", "A"):
        return ColumnKind.BINARY
    return ColumnKind.CONTINUOUS if name in DECIMALS else ColumnKind.INTEGER


def told(part: str, n_people: int, n_rows: int, work: Callable[[], object]) -> object:
    started, before = time.perf_counter(), cpu_seconds()
    found = work()
    cost = {
        "part": part,
        "n_people": n_people,
        "n_rows": n_rows,
        "cpu_seconds": round(cpu_seconds() - before, 1),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "peak_mib": [round(resource.getrusage(who).ru_maxrss / 1024) for who in PROCESSES],
    }
    print(json.dumps(cost), flush=True)
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    n_people = int(sys.argv[1])
    n_rows = int(sys.argv[2]) if len(sys.argv) > 2 else 250_000
    n_processes = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    whole, schema = drawn(n_people + n_rows)
    order = np.random.default_rng(2).permutation(len(whole))
    people, table = whole.iloc[order[:n_people]], whole.iloc[order[n_people:]]
    cut = n_people // 2
    train, holdout = (part.reset_index(drop=True) for part in (people[:cut], people[cut:]))
    rows = table.reset_index(drop=True)

    def tell(part: str, work: Callable[[], object]) -> object:
        return told(part, n_people, n_rows, work)

    copies = tell("copies", lambda: count_copies([rows], train, holdout, schema))
    tell("distances", lambda: evaluate_dcr(rows, train, holdout, schema, copies=copies))
    attacked = tell("traces", lambda: Attacked.of(rows, train, holdout, schema))

    def attack() -> object:
        policy, rng = PrivacyPolicy(), np.random.default_rng(3)
        with LocalProcesses(n_processes) if n_processes > 1 else nullcontext() as workers:
            return evaluate_privacy(attacked, shares={}, policy=policy, rng=rng, workers=workers)

    tell("attacks", attack)


if __name__ == "__main__":
    main()
