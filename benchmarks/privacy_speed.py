"""CPU seconds of the distance engine beside sdmetrics and faiss-cpu, in one run.

Run with an environment that has sdmetrics, faiss-cpu, scipy, pandas and pydantic:

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/privacy_speed.py [--largest]

Every contender gives each of n rows the distance to the closest of m rows.
sdmetrics reads the raw table (it encodes on the way), we and faiss the encoded
points; faiss works in float32 and does not find copies exactly. Each size runs
in a fresh process, because sdmetrics leaves memory behind.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pandas as pd

from hybrid_assets.privacy.nearest import nearest_distances
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.schema import ColumnSchema, TableSchema

# contender, rows, references, numbers, binary columns, columns of four levels
CASES = [
    ("ours", 1_000, 1_000, 5, 3, 0),
    ("faiss", 1_000, 1_000, 5, 3, 0),
    ("sdmetrics", 1_000, 1_000, 5, 3, 0),
    ("ours", 1_000, 1_000, 20, 0, 0),
    ("faiss", 1_000, 1_000, 20, 0, 0),
    ("ours", 2_000, 2_000, 10, 5, 5),
    ("faiss", 2_000, 2_000, 10, 5, 5),
    ("sdmetrics", 2_000, 2_000, 10, 5, 5),
    ("ours", 50_000, 5_740, 5, 3, 0),
    ("faiss", 50_000, 5_740, 5, 3, 0),
    ("ours", 50_000, 50_000, 5, 3, 0),
    ("faiss", 50_000, 50_000, 5, 3, 0),
    ("ours", 50_000, 50_000, 8, 0, 0),
    ("ours", 31_623, 31_623, 10, 5, 5),
    ("faiss", 31_623, 31_623, 10, 5, 5),
    ("ours", 31_623, 31_623, 20, 0, 0),
    ("faiss", 31_623, 31_623, 20, 0, 0),
    ("ours", 50_000, 50_000, 20, 0, 0),
    ("faiss", 50_000, 50_000, 20, 0, 0),
    ("ours", 50_000, 50_000, 40, 0, 0),
    ("faiss", 50_000, 50_000, 40, 0, 0),
]
LARGEST = [
    ("sdmetrics", 20_000, 5_000, 5, 3, 0),
    ("ours", 20_000, 5_000, 5, 3, 0),
    ("ours", 1_000_000, 1_000_000, 5, 3, 0),
]


def layout(n_numbers: int, n_binary: int, n_levels: int) -> TableSchema:
    """Describe a table of mixed columns."""
    kinds = ["continuous"] * n_numbers + ["binary"] * n_binary + ["categorical"] * n_levels
    return TableSchema(
        study="speed",
        columns=tuple(
            ColumnSchema(
                name=f"c{i}",
                role="covariate",
                kind=kind,
                levels=("a", "b", "c", "d") if kind == "categorical" else None,
            )
            for i, kind in enumerate(kinds)
        ),
    )


def people(n_rows: int, schema: TableSchema, seed: int) -> pd.DataFrame:
    """Draw independent columns."""
    rng = np.random.default_rng(seed)
    draws = {
        "continuous": lambda: rng.normal(size=n_rows),
        "binary": lambda: rng.integers(0, 2, n_rows),
        "categorical": lambda: rng.choice(["a", "b", "c", "d"], n_rows),
    }
    return schema.canonical(pd.DataFrame({c.name: draws[c.kind]() for c in schema.columns}))


def searched_by_faiss(points: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Search exhaustively in float32."""
    import faiss

    index = faiss.IndexFlatL2(references.shape[1])
    index.add(references.astype(np.float32))
    return np.sqrt(index.search(points.astype(np.float32), 1)[0][:, 0])


def searched_by_sdmetrics(
    rows: pd.DataFrame, references: pd.DataFrame, schema: TableSchema
) -> pd.Series:
    """Compute distances as sdmetrics' DCR metrics do."""
    from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr

    kinds = {
        c.name: {"sdtype": "numerical" if c.levels is None else "categorical"}
        for c in schema.columns
    }
    return calculate_dcr(dataset=rows, reference_dataset=references, metadata={"columns": kinds})


def contest(contender: str, n_rows: int, n_references: int, *kinds: int) -> None:
    """Print one line: the case, CPU seconds, nanoseconds for each pair, peak memory."""
    schema = layout(*kinds)
    rows, references = people(n_rows, schema, 1), people(n_references, schema, 2)
    encoder = RecordEncoder.fit(references, schema)
    points, targets = encoder.encode(rows), encoder.encode(references)
    run: dict[str, Callable[[], object]] = {
        "ours": lambda: nearest_distances(points, targets),
        "faiss": lambda: searched_by_faiss(points, targets),
        "sdmetrics": lambda: searched_by_sdmetrics(rows, references, schema),
    }
    if contender != "sdmetrics":  # imports are not part of the search
        nearest_distances(points[:9], targets[:9])
        searched_by_faiss(points[:9], targets[:9]) if contender == "faiss" else None
    else:
        searched_by_sdmetrics(rows.iloc[:9], references.iloc[:9], schema)
    n_repeats = 1 if n_rows * n_references > 1e7 or contender == "sdmetrics" else 20
    started = time.process_time()
    for _ in range(n_repeats):
        run[contender]()
    seconds = (time.process_time() - started) / n_repeats
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| {contender} | {n_rows} x {n_references} | {'/'.join(map(str, kinds))} "
        f"| {points.shape[1]} | {seconds:.4f} | {seconds / n_rows / n_references * 1e9:.3f} "
        f"| {peak:.0f} |",
        flush=True,
    )


def main() -> None:
    """Run every case in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--case", nargs=6)
    chosen = parser.parse_args()
    if chosen.case:
        contest(chosen.case[0], *map(int, chosen.case[1:]))
        return
    packages = ("sdmetrics", "faiss-cpu", "numpy", "scipy")
    print(", ".join(f"{p} {version(p)}" for p in packages), platform.processor())
    print(
        "| contender | rows x references | numbers/binary/levels | encoded | CPU s | ns/pair "
        "| peak MB |\n|---|---|---|---|---|---|---|",
        flush=True,
    )
    for case in CASES + (LARGEST if chosen.largest else []):
        subprocess.run([sys.executable, __file__, "--case", *map(str, case)], check=True)


if __name__ == "__main__":
    main()
