"""Rows per CPU second of fitted language models, by sampler, in one run on one thread.

The table is paper 1's seed (1 000 rows, 8 columns, two decimals). The tiny model
is timed on 50 000 rows. be-great cannot sample it, since it only learned values:
names are forced. So the samplers meet on a small GPT-2 (2 layers of width 64, 500
byte pairs) that the project tunes whole, end token included. See the share of its
free texts that are valid before reading the ratios: be-great throws the others
away, while ours forces names.
be-great's start texts get the end token in front, as rows had when learned.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import chi2_contingency, ks_2samp

from benchmarks.language_quality import COVARIATES, DESIGN, seed_schema
from hybrid_assets.generators.llm import FIXED_WIDTH, LlmGenerator, LlmSettings
from hybrid_assets.language.free_sampler import drawn_texts
from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.language.serialization import read_rows, written_values
from hybrid_assets.language.tokenizer import most_tokens
from hybrid_assets.randomness import borrowed_random_state, one_torch_thread
from hybrid_assets.schema import TableSchema

END, PAD = "<|endoftext|>", "\n"  # be-great reads both as nothing
N_TOKENS, N_POSITIONS = 500, 128
PEER_STEPS, PEER_RATE = 2_000, 3e-3


@dataclass(frozen=True)
class Timing:
    n_valid: int
    cpu_seconds: float

    @property
    def valid_rows_per_second(self) -> float:
        return self.n_valid / self.cpu_seconds


def timed(schema: TableSchema, draw: Callable[[], pd.DataFrame]) -> tuple[Timing, pd.DataFrame]:
    start = time.process_time()
    drawn = draw()
    seconds = time.process_time() - start
    valid = drawn[~schema.invalid_counts(drawn)[0]]
    return Timing(len(valid), seconds), valid


def ours(generator: LlmGenerator, mode: str, n_rows: int) -> pd.DataFrame:
    generator.settings = generator.settings.model_copy(update={"sampling": mode})
    drawn = generator.sample(n_rows, np.random.default_rng(1))
    shares = {name: round(mass, 4) for name, mass in generator.valid_mass_.items()}
    print(f"valid mass ({mode}): {shares}")
    return drawn


def freely(generator: LlmGenerator, longest: int, n_rows: int) -> pd.DataFrame:
    with quiet_transformers(), one_torch_thread(), torch.inference_mode():
        texts = drawn_texts(
            generator.model_,
            generator.tokenizer_,
            n_rows,
            max_tokens=longest,
            temperature=1.0,
            random=torch.Generator().manual_seed(1),
        )
    return read_rows(texts, generator.schema_, fixed_width=FIXED_WIDTH)


def great(
    generator: LlmGenerator, table: pd.DataFrame, longest: int, n_rows: int, *, is_tuned: bool
) -> pd.DataFrame:
    """Sample with be-great; tuned: shortest texts, all tokens, a thousand rows at once."""
    from be_great import GReaT
    from tokenizers.processors import TemplateProcessing
    from transformers import GenerationConfig

    peer = GReaT.__new__(GReaT)
    peer.model, peer.tokenizer, peer.device = generator.model_, generator.tokenizer_, None
    peer._update_column_information(table)
    peer._update_conditional_information(table)
    peer.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{END} $A", special_tokens=[(END, peer.tokenizer.eos_token_id)]
    )
    end, pad = peer.tokenizer.eos_token_id, peer.tokenizer.pad_token_id
    top_k = 0 if is_tuned else 50  # what transformers does unless told
    peer.model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=pad, top_k=top_k)
    settings = {"max_length": longest, "k": 1000} if is_tuned else {}
    told = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    quiet = quiet_transformers(), told[0], told[1]
    with quiet[0], quiet[1], quiet[2], one_torch_thread(), borrowed_random_state(1):
        return peer.sample(n_rows, temperature=1.0, device="cpu", drop_nan=True, **settings)


def write_gpt2(folder: Path, texts: list[str]) -> None:
    """Write an untrained GPT-2 whose byte pairs are learned from texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=N_TOKENS,
        special_tokens=[END, PAD],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    pairs.train_from_iterator(texts, trainer)
    config = GPT2Config(
        vocab_size=pairs.get_vocab_size(),
        n_positions=N_POSITIONS,
        n_embd=64,
        n_layer=2,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    with borrowed_random_state(1), quiet_transformers():
        GPT2LMHeadModel(config).save_pretrained(folder)
        PreTrainedTokenizerFast(
            tokenizer_object=pairs, eos_token=END, bos_token=END, pad_token=PAD
        ).save_pretrained(folder)


def compare(drawn: pd.DataFrame, other: pd.DataFrame, schema: TableSchema) -> None:
    """Hold two samples of what should be one law against each other."""
    discrete = [c.name for c in schema.columns if c.is_discrete_set]
    cells = [table[discrete].astype(int).value_counts() for table in (drawn, other)]
    counts = pd.concat(cells, axis=1).fillna(0).to_numpy()
    test = chi2_contingency(counts[counts.sum(axis=1) >= 10])
    tests = [f"joint of {discrete}: chi-square {test.statistic:.1f} on {test.dof}, "]
    tests[0] += f"p {test.pvalue:.3f}"
    for name in [name for name in schema.names if name not in discrete]:
        ks = ks_2samp(drawn[name], other[name])
        tests.append(f"{name} KS {ks.statistic:.4f}, p {ks.pvalue:.3f}")
    print("; ".join(tests))


def shown(name: str, n_rows: int, timing: Timing) -> None:
    print(
        f"{name}: {timing.n_valid} valid of {n_rows} asked in {timing.cpu_seconds:.2f} CPU s, "
        f"{timing.valid_rows_per_second:.0f} a second",
        flush=True,
    )


def tiny(table: pd.DataFrame, schema: TableSchema) -> None:
    start = time.process_time()
    generator = LlmGenerator(LlmSettings()).fit(table, schema, np.random.default_rng(1))
    print(f"tiny: fit in {time.process_time() - start:.1f} CPU s")
    for mode in ("exact", "masked"):
        shown(f"tiny, {mode}", 50_000, timed(schema, partial(ours, generator, mode, 50_000))[0])


def small_gpt2(table: pd.DataFrame, schema: TableSchema) -> None:
    values = written_values(table, schema, fixed_width=FIXED_WIDTH)
    texts = [", ".join(f"{n} is {v}" for n, v in row.items()) for _, row in values.iterrows()]
    with tempfile.TemporaryDirectory() as folder:
        write_gpt2(Path(folder), texts)
        settings = LlmSettings(model=f"hf:{folder}", steps=PEER_STEPS, learning_rate=PEER_RATE)
        start = time.process_time()
        generator = LlmGenerator(settings).fit(table, schema, np.random.default_rng(1))
    print(f"small GPT-2: fit in {time.process_time() - start:.1f} CPU s")
    longest = most_tokens(values, generator.tokenizer_) + 1
    runs = {
        "exact": (20_000, partial(ours, generator, "exact")),
        "masked": (20_000, partial(ours, generator, "masked")),
        "free text, strict reading": (5_000, partial(freely, generator, longest)),
        "be-great, tuned": (5_000, partial(great, generator, table, longest, is_tuned=True)),
        "be-great, defaults": (1_000, partial(great, generator, table, longest, is_tuned=False)),
    }
    rows, speed = {}, {}
    for name, (n_rows, draw) in runs.items():
        timing, rows[name] = timed(schema, partial(draw, n_rows))
        speed[name] = timing.valid_rows_per_second
        shown(f"small GPT-2, {name}", n_rows, timing)
    for peer in ("be-great, tuned", "be-great, defaults"):
        print(f"exact: {speed['exact'] / speed[peer]:.1f} times the valid rows of {peer}")
    compare(rows["exact"], rows["free text, strict reading"], schema)


def main() -> None:
    table = DESIGN(1000, 2)[[*COVARIATES, "A", "Y"]]
    schema = seed_schema(table)
    table = schema.rounded(schema.canonical(table))
    tiny(table, schema)
    small_gpt2(table, schema)
    print({name: version(name) for name in ("torch", "transformers", "be-great", "numpy")})


if __name__ == "__main__":
    main()
