"""be-great beside the project's sampler: one small GPT-2 tuned by be-great, read by both.

be-great tunes it with its own trainer, shuffling, text and collator. It is told two things: a
learning rate for a network that starts from nothing, and a tokenizer that writes the end token
before and after every row, as be-great 0.0.14 does not, so that its rows can end. Its start
texts get the end token in front, as rows had when learned.
"""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.language_quality import seed_table
from hybrid_assets.generators.llm import FIXED_WIDTH, HUB, LlmGenerator, LlmSettings
from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.language.serialization import written_values
from hybrid_assets.language.tokenizer import most_tokens
from hybrid_assets.randomness import borrowed_random_state, one_torch_thread
from hybrid_assets.schema import TableSchema

END, PAD = "<|endoftext|>", "\n"  # be-great reads both as nothing
N_TOKENS, N_POSITIONS, WIDTH, N_LAYERS = 500, 128, 64, 2
EPOCHS, BATCH_SIZE, LEARNING_RATE = 60, 32, 3e-3


@dataclass(frozen=True)
class PeerRows:
    """What be-great wrote.

    Attributes
    ----------
    n_texts, n_accepted : int
        Texts written, and those that be-great itself takes for complete rows.
    valid : DataFrame
        Those that the schema takes too.
    cpu_seconds : float
    """

    n_texts: int
    n_accepted: int
    valid: pd.DataFrame
    cpu_seconds: float


@functools.cache
def tuned_by_great() -> tuple[LlmGenerator, float]:
    """Give the small GPT-2 that be-great tuned, held by our generator, and the CPU seconds."""
    from be_great import GReaT

    table, schema = seed_table()
    values = written_values(table, schema, fixed_width=FIXED_WIDTH)
    texts = [", ".join(f"{n} is {v}" for n, v in row.items()) for _, row in values.iterrows()]
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, silence(), borrowed_random_state(1):
        write_gpt2(Path(folder), texts)
        great = GReaT(
            folder,
            experiment_dir=f"{folder}/steps",
            epochs=EPOCHS,
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="cosine",
            warmup_steps=100,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            use_cpu=True,
            seed=1,
        )
        mark(great.tokenizer, f"{END} $A {END}")
        great.fit(values)
    generator = LlmGenerator(LlmSettings(model=f"{HUB}small GPT-2"))
    generator.model_, generator.tokenizer_ = great.model.eval(), great.tokenizer
    generator.schema_ = schema
    return generator, time.process_time() - start


def write_gpt2(folder: Path, texts: list[str]) -> None:
    """Write an untrained GPT-2 whose byte pairs are learned from texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

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
    GPT2LMHeadModel(small_config(pairs.get_vocab_size())).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=pairs, eos_token=END, bos_token=END, pad_token=PAD
    ).save_pretrained(folder)


def small_config(n_vocabulary: int) -> Any:
    """Give two layers of width 64 in GPT-2's layout, without dropout."""
    from transformers import GPT2Config

    return GPT2Config(
        vocab_size=n_vocabulary,
        n_positions=N_POSITIONS,
        n_embd=WIDTH,
        n_layer=N_LAYERS,
        n_head=4,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )


def mark(tokenizer: Any, template: str) -> None:
    """Let a tokenizer write its end token where a template says."""
    from tokenizers.processors import TemplateProcessing

    end = tokenizer.eos_token, tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=template, special_tokens=[end]
    )


def shortest(generator: LlmGenerator, table: pd.DataFrame) -> int:
    """Count the tokens of the longest row, its first end token with it."""
    values = written_values(table, generator.schema_, fixed_width=FIXED_WIDTH)
    mark(generator.tokenizer_, "$A")
    return most_tokens(values, generator.tokenizer_) - 1


def great_rows(
    generator: LlmGenerator, table: pd.DataFrame, n_texts: int, **settings: Any
) -> PeerRows:
    """Let be-great write texts with a generator's model, and keep all that it reads in them.

    be-great cuts what it drew in excess; nothing is cut here, in its favour.

    Parameters
    ----------
    settings : object
        Of `GReaT.sample`; also `top_k`, which it leaves to the model's own settings.
    """
    from be_great import GReaT, great
    from transformers import GenerationConfig

    peer = GReaT.__new__(GReaT)
    peer.model, peer.tokenizer, peer.device = generator.model_, generator.tokenizer_, None
    peer._update_column_information(table)
    peer._update_conditional_information(table)
    mark(peer.tokenizer, f"{peer.tokenizer.eos_token} $A")
    peer.model.generation_config = GenerationConfig(
        eos_token_id=peer.tokenizer.eos_token_id,
        pad_token_id=peer.tokenizer.pad_token_id,
        top_k=settings.pop("top_k", 50),  # what transformers does unless told
    )
    found: list[pd.DataFrame] = []
    reader = great._convert_text_to_tabular_data

    def read(texts: list[str], columns: list[str]) -> pd.DataFrame:
        ended = [text.replace(peer.tokenizer.eos_token, "") for text in texts]
        found.append(reader(ended, columns))
        if sum(map(len, found)) >= n_texts:
            raise StopIteration  # be-great's loop gives up, with what it has
        return found[-1].copy()

    great._convert_text_to_tabular_data = read
    start = time.process_time()
    try:
        with silence(), one_torch_thread(), borrowed_random_state(1):
            peer.sample(n_texts, device="cpu", drop_nan=True, **settings)
    finally:
        great._convert_text_to_tabular_data = reader
    spent = time.process_time() - start
    written = pd.concat(found)
    numbers = written.apply(pd.to_numeric, errors="coerce")
    accepted = numbers[numbers.notna().all(axis=1)].reset_index(drop=True)
    return PeerRows(len(written), len(accepted), valid_rows(accepted, generator.schema_), spent)


def valid_rows(rows: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """Keep the rows that a schema allows, binary columns 0 or 1."""
    return rows[~schema.invalid_counts(rows)[0]] if len(rows) else rows


def our_rows(generator: LlmGenerator, n_rows: int, mode: str) -> tuple[pd.DataFrame, float]:
    """Draw with our sampler; give the rows and the CPU seconds."""
    generator.settings = generator.settings.model_copy(update={"sampling": mode})
    start = time.process_time()
    drawn = generator.sample(n_rows, np.random.default_rng(1))
    return drawn, time.process_time() - start


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep be-great from drawing bars and printing advice."""
    nowhere = io.StringIO()
    with (
        quiet_transformers(),
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
