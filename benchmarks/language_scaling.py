"""CPU seconds of `tiny`'s draws by number of rows, for tables of several shapes; no peer.

Each table has 1 000 rows and is learned for 300 steps; `exact`, 64 orders, one thread. 50 000 rows
are left out where 10 000 took over 12 CPU s.
"""

import os
import time
from importlib.metadata import version

import numpy as np
import pandas as pd

from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

N_ROWS = (1_000, 5_000, 10_000, 50_000)
SEED_ROWS, STEPS, MOST_SECONDS = 1_000, 300, 12.0
SHAPES = {  # binary columns, of three levels, of 500 levels, numbers of two decimals
    "8 binary": (8, 0, 0, 0),
    "5 binary, 3 numbers (paper 1)": (5, 0, 0, 3),
    "8 numbers": (0, 0, 0, 8),
    "5 binary, one of 500 levels": (5, 0, 1, 0),
    "30: 20 binary, 6 of three levels, 4 numbers": (20, 6, 0, 4),
}


def made(shape: tuple[int, int, int, int]) -> tuple[pd.DataFrame, TableSchema]:
    """Draw a table of a shape, columns tied to one hidden number, and its schema."""
    rng = np.random.default_rng(11)
    hidden = rng.standard_normal(SEED_ROWS)
    values, columns = {}, []
    kinds = np.repeat([2, 3, 500, 0], shape)
    for number, n_levels in enumerate(kinds):
        name = f"c{number}"
        about = {"name": name, "role": Role.COVARIATE}
        mixed = 0.5 * hidden + rng.standard_normal(SEED_ROWS)
        if n_levels == 0:
            values[name] = np.round(mixed, 2)
            columns.append(
                ColumnSchema(
                    **about,
                    kind=ColumnKind.CONTINUOUS,
                    decimals=2,
                    minimum=values[name].min(),
                    maximum=values[name].max(),
                )
            )
        elif n_levels == 2:
            values[name] = (mixed > 0).astype(int)
            columns.append(ColumnSchema(**about, kind=ColumnKind.BINARY))
        else:
            levels = tuple(f"level {level}" for level in range(n_levels))
            place = np.clip((mixed + 3) / 6 * n_levels, 0, n_levels - 1).astype(int)
            values[name] = np.array(levels, dtype=object)[place]
            columns.append(ColumnSchema(**about, kind=ColumnKind.CATEGORICAL, levels=levels))
    schema = TableSchema(study="scaling", columns=tuple(columns))
    return schema.canonical(pd.DataFrame(values)), schema


def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f}\n\n| columns | fit | {' | '.join(map(str, N_ROWS))} |")
    print("|" + "---|" * (2 + len(N_ROWS)))
    for name, shape in SHAPES.items():
        table, schema = made(shape)
        start = time.process_time()
        settings = LlmSettings(steps=STEPS)
        generator = LlmGenerator(settings).fit(table, schema, np.random.default_rng(1))
        cells = [f"{time.process_time() - start:.1f}"]
        spent = 0.0
        for n_rows in N_ROWS:
            if n_rows == N_ROWS[-1] and spent > MOST_SECONDS:
                cells.append("")
                continue
            start = time.process_time()
            generator.sample(n_rows, np.random.default_rng(n_rows))
            spent = time.process_time() - start
            cells.append(f"{spent:.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    versions = {name: version(name) for name in ("torch", "transformers", "numpy")}
    print(f"\nload {os.getloadavg()[0]:.1f}; {versions}")


if __name__ == "__main__":
    main()
