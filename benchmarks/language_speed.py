"""Rows per CPU second of one fitted language model, by sampler, in one run on one thread.

python -m benchmarks.language_speed SEED_CSV [N_STEPS]

The model is the project's tiny one, fitted to all columns of the table.
be-great samples from the same weights. It starts rows without an end token
and with a random column name, since its own start (a value of the table and a
comma) is no text of this tokenizer, and it is told to leave special tokens out
when it decodes, since it would read the last value of each row with the end
token attached.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from scipy.stats import chi2_contingency, ks_2samp

from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.language.free_sampler import drawn_texts
from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.language.serialization import read_rows
from hybrid_assets.randomness import one_torch_thread
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


@dataclass(frozen=True)
class Timing:
    sampler: str
    n_asked: int
    n_valid: int
    cpu_seconds: float

    @property
    def valid_rows_per_second(self) -> float:
        return self.n_valid / self.cpu_seconds


def schema_of(table: pd.DataFrame) -> TableSchema:
    roles = {"A": Role.TREATMENT, "Y": Role.OUTCOME}
    columns = []
    for name, values in table.items():
        role = roles.get(str(name), Role.COVARIATE)
        if set(values) <= {0, 1}:
            columns.append(ColumnSchema(name=str(name), role=role, kind=ColumnKind.BINARY))
            continue
        shown = values.round(2)
        columns.append(
            ColumnSchema(
                name=str(name),
                role=role,
                kind=ColumnKind.CONTINUOUS,
                minimum=shown.min(),
                maximum=shown.max(),
                decimals=2,
            )
        )
    return TableSchema(study="language speed", columns=tuple(columns))


def timed(
    name: str, n_rows: int, schema: TableSchema, draw: Callable[[], pd.DataFrame]
) -> tuple[Timing, pd.DataFrame]:
    start = time.process_time()
    drawn = draw()
    seconds = time.process_time() - start
    valid = drawn[~schema.invalid_counts(drawn)[0]]
    return Timing(name, n_rows, len(valid), seconds), valid


def ours(generator: LlmGenerator, mode: str, n_rows: int) -> pd.DataFrame:
    settings = generator.settings.model_copy(update={"sampling": mode})
    other = LlmGenerator.from_files(generator.to_files(), settings, generator.schema_)
    drawn = other.sample(n_rows, np.random.default_rng(1))
    shares = {name: round(mass, 4) for name, mass in other.valid_mass_.items()}
    print(f"valid mass ({mode}): {shares}")
    return drawn


def freely(generator: LlmGenerator, n_rows: int) -> pd.DataFrame:
    with quiet_transformers(), one_torch_thread(), torch.inference_mode():
        texts = drawn_texts(
            generator.model_,
            generator.tokenizer_,
            n_rows,
            max_tokens=generator.max_tokens_,
            temperature=1.0,
            random=torch.Generator().manual_seed(1),
        )
    return read_rows(texts, generator.schema_)


def great(generator: LlmGenerator, n_rows: int, *, is_tuned: bool) -> pd.DataFrame:
    from be_great import GReaT
    from transformers import GenerationConfig

    peer = GReaT.__new__(GReaT)
    peer.model, peer.tokenizer, peer.device = generator.model_, generator.tokenizer_, "cpu"
    peer.columns = peer.num_cols = generator.schema_.names
    peer.conditional_col, peer.conditional_col_dist = peer.columns[-1], None
    peer.tokenizer.decode = partial(
        type(peer.tokenizer).decode, peer.tokenizer, skip_special_tokens=True
    )
    end = generator.tokenizer_.eos_token_id
    top_k = 0 if is_tuned else 50
    peer.model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end, top_k=top_k)
    settings = {"max_length": generator.max_tokens_, "k": 1000} if is_tuned else {}
    torch.manual_seed(1)
    told = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet_transformers(), one_torch_thread(), told[0], told[1], torch.inference_mode():
        return peer.sample(n_rows, temperature=1.0, device="cpu", drop_nan=True, **settings)


def compare(drawn: pd.DataFrame, free: pd.DataFrame, schema: TableSchema) -> None:
    """Hold two samples of what should be one law against each other."""
    discrete = [c.name for c in schema.columns if c.is_discrete_set]
    cells = [table[discrete].astype(int).value_counts() for table in (drawn, free)]
    counts = pd.concat(cells, axis=1).fillna(0).to_numpy()
    test = chi2_contingency(counts[counts.sum(axis=1) >= 10])
    print(
        f"joint of {discrete}: chi-square {test.statistic:.1f} on {test.dof}, p {test.pvalue:.3f}"
    )
    for name in set(schema.names).difference(discrete):
        ks = ks_2samp(drawn[name], free[name])
        print(f"{name}: KS {ks.statistic:.4f}, p {ks.pvalue:.3f}")


def main(path: str, n_steps: int = 1500) -> None:
    table = pd.read_csv(path)
    schema = schema_of(table)
    table = schema.canonical(schema.rounded(table))
    settings = LlmSettings(steps=n_steps)
    start = time.process_time()
    generator = LlmGenerator(settings).fit(table, schema, np.random.default_rng(1))
    print(f"fit: {time.process_time() - start:.1f} CPU s")
    runs = {
        "exact": (50_000, partial(ours, generator, "exact")),
        "masked": (50_000, partial(ours, generator, "masked")),
        "free text, strict reading": (20_000, partial(freely, generator)),
        "be-great, tuned": (5_000, partial(great, generator, is_tuned=True)),
        "be-great, defaults": (1_000, partial(great, generator, is_tuned=False)),
    }
    rows = {}
    for name, (n_rows, draw) in runs.items():
        timing, rows[name] = timed(name, n_rows, schema, partial(draw, n_rows))
        print(
            f"{name}: {timing.n_valid} valid of {n_rows} asked in {timing.cpu_seconds:.2f} CPU s, "
            f"{timing.valid_rows_per_second:.0f} a second",
            flush=True,
        )
    compare(rows["exact"], rows["free text, strict reading"], schema)
    print({name: version(name) for name in ("torch", "transformers", "be-great", "numpy")})


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
