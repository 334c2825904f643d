"""Rows per CPU second of fitted language models, by sampler, in one run on one thread.

The table is paper 1's seed (1 000 rows, 8 columns, two decimals). `tiny` learned values only, so
that be-great cannot sample it: it is timed alone, on 50 000 rows. The samplers meet on a small
GPT-2 (2 layers of width 64, 500 byte pairs) that be-great tuned until it knew its names (see
language_peers). Valid rows count, of be-great also those that it would have cut as more than was
asked. Beside them stands what be-great would do if every text it wrote were a valid row: no
training makes it faster.
"""

import os
import time
from importlib.metadata import version

import numpy as np
import pandas as pd

from benchmarks.language_peers import PeerRows, great_rows, our_rows, shortest, tuned_by_great
from benchmarks.language_quality import seed_table
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.schema import TableSchema

N_TINY, N_OURS, N_TUNED, N_DEFAULTS = 50_000, 10_000, 4_000, 2_000


def tiny(table: pd.DataFrame, schema: TableSchema) -> None:
    start = time.process_time()
    generator = LlmGenerator(LlmSettings()).fit(table, schema, np.random.default_rng(1))
    print(f"tiny: fit in {time.process_time() - start:.1f} CPU s")
    for mode in ("exact", "masked"):
        show_ours("tiny", generator, N_TINY, mode)


def small_gpt2(table: pd.DataFrame) -> None:
    generator, spent = tuned_by_great()
    print(f"small GPT-2: tuned by be-great in {spent:.1f} CPU s")
    longest = shortest(generator, table)
    ours = {mode: show_ours("small GPT-2", generator, N_OURS, mode) for mode in ("exact", "masked")}
    tuned = {"temperature": 1.0, "max_length": longest, "k": 1_000, "top_k": 0}
    for name, n_texts, settings in (
        (f"be-great, tuned ({tuned})", N_TUNED, tuned),
        ("be-great, temperature 1, else its defaults", N_DEFAULTS, {"temperature": 1.0}),
    ):
        show_great(name, great_rows(generator, table, n_texts, **settings), ours)


def show_ours(model: str, generator: LlmGenerator, n_rows: int, mode: str) -> float:
    """Draw and print; give valid rows per CPU second."""
    drawn, spent = our_rows(generator, n_rows, mode)
    n_valid = int((~generator.schema_.invalid_counts(drawn)[0]).sum())
    least = min(generator.valid_mass_.values())
    print(
        f"{model}, {mode}: {n_valid} valid of {n_rows} in {spent:.2f} CPU s, "
        f"{n_valid / spent:.0f} a second; least valid mass {least:.3f}",
        flush=True,
    )
    return n_valid / spent


def show_great(name: str, rows: PeerRows, ours: dict[str, float]) -> None:
    """Print what be-great wrote beside our valid rows per CPU second in each mode."""
    valid, texts = len(rows.valid) / rows.cpu_seconds, rows.n_texts / rows.cpu_seconds
    print(
        f"{name}: {rows.n_texts} texts, {rows.n_accepted} accepted, {len(rows.valid)} valid in "
        f"{rows.cpu_seconds:.2f} CPU s, {valid:.0f} valid a second"
    )
    for mode, speed in ours.items():
        times = f"{speed / valid:.1f}" if valid else "no valid row to compare with"
        print(
            f"{mode}: {times} times, and {speed / texts:.1f} if every text were valid", flush=True
        )


def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    table, schema = seed_table()
    tiny(table, schema)
    small_gpt2(table)
    print(f"load {os.getloadavg()[0]:.1f}")
    print({name: version(name) for name in ("torch", "transformers", "be-great", "numpy")})


if __name__ == "__main__":
    main()
