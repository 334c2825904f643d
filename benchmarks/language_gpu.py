"""Time of a GPT-2 of gpt2-medium's size on a GPU: fits of 50 epochs, and 50 000 rows drawn.

The paper took 15 to 20 minutes with gpt2-medium (355 million weights). Where no hub is reached the
network is made here, untrained, from gpt2-medium's configuration: the same arithmetic a token, not
the same rows, and its 500 byte pairs write numbers otherwise than gpt2's 50 257. It is fitted to
1 000 and 5 740 rows of paper 1's design for 50 epochs, then asked for 50 000 rows in `masked` (an
untrained network may give few valid rows in `exact`), and the operators of one more draw are told
by time. Target: under 180 s in all. Seconds are wall-clock time.

python -m benchmarks language_gpu
python -m benchmarks.language_gpu --small       the whole script with a tiny network, on any machine
python -m benchmarks.language_gpu --model hf:gpt2-medium
"""

import argparse
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.language_peers import write_gpt2
from benchmarks.language_quality import COVARIATES, DESIGN, seed_schema
from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.generators.llm import HUB, LlmGenerator, LlmSettings
from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.schema import TableSchema

EPOCHS, BATCH_SIZE, N_DRAWN, N_PROFILED = 50, 32, 50_000, 2_000
N_SEED = (1_000, 5_740)
MEDIUM = {"vocab_size": 50_257, "n_embd": 1_024, "n_layer": 24, "n_head": 16, "n_positions": 1_024}


def made_table(n_rows: int) -> tuple[pd.DataFrame, TableSchema]:
    """Draw a seed of the design, covariates first, and its schema."""
    table = DESIGN(n_rows, 2)[[*COVARIATES, "A", "Y"]]
    schema = seed_schema(table)
    return schema.rounded(schema.canonical(table)), schema


def write_medium(folder: Path) -> None:
    """Write an untrained GPT-2 of gpt2-medium's size, which reads the table's byte pairs alone."""
    from transformers import GPT2Config, GPT2LMHeadModel

    table, _ = made_table(N_SEED[0])
    texts = [", ".join(f"{n} is {v}" for n, v in row.items()) for row in table.to_dict("records")]
    write_gpt2(folder, texts)
    config = GPT2Config(bos_token_id=0, eos_token_id=0, **MEDIUM)
    GPT2LMHeadModel(config).save_pretrained(folder)


def timed(model: str, n_rows: int, epochs: int, n_drawn: int, device: str) -> LlmGenerator:
    """Fit and draw once, and print the seconds of each."""
    table, schema = made_table(n_rows)
    steps = max(1, epochs * n_rows // BATCH_SIZE)
    settings = LlmSettings(model=model, steps=steps, batch_size=BATCH_SIZE, sampling="masked")
    generator = LlmGenerator(settings)
    precision = "bfloat16" if device == "cuda" else "float32"
    generator.support = FitSupport(device=device, precision=precision)
    start = time.perf_counter()
    generator.fit(table, schema, np.random.default_rng(1))
    fit = time.perf_counter() - start
    drawn = generator.sample(n_drawn, np.random.default_rng(2))
    draw = time.perf_counter() - start - fit
    n_valid = int((~schema.invalid_counts(drawn)[0]).sum())
    print(
        f"{n_rows} rows, {steps} steps of {BATCH_SIZE} at most: fit {fit:.1f} s, "
        f"{generator.tokens_per_second_:.0f} tokens/s; {n_valid} valid of {n_drawn} rows "
        f"drawn in {draw:.1f} s; {fit + draw:.1f} s in all",
        flush=True,
    )
    return generator


def show_profile(generator: LlmGenerator, n_rows: int) -> None:
    """Print where the time of a draw goes, by operator."""
    from torch.profiler import profile

    with profile() as seen:
        generator.sample(n_rows, np.random.default_rng(3))
    print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))


def main() -> None:
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="hf:<folder or hub name>; made here unless given")
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"on {torch.cuda.get_device_name() if device == 'cuda' else 'the CPU'}")
    if asked.small:
        MEDIUM.update(vocab_size=500, n_embd=32, n_layer=2, n_head=2, n_positions=128)
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        write_medium(Path(folder))
        model = asked.model or f"{HUB}{folder}"
        for n_rows in N_SEED:
            epochs, n_drawn = (1, 200) if asked.small else (EPOCHS, N_DRAWN)
            generator = timed(model, n_rows, epochs, n_drawn, device)
        show_profile(generator, 100 if asked.small else N_PROFILED)
    print({name: version(name) for name in ("torch", "transformers", "numpy")})


if __name__ == "__main__":
    main()
