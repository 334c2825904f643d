"""Small tables, and language models small enough to train in a test."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.language.tokenizer import compact_tokenizer
from hybrid_assets.randomness import borrowed_random_state, one_torch_thread
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def column(name, kind, **details) -> ColumnSchema:
    return ColumnSchema(name=name, role=Role.COVARIATE, kind=kind, **details)


@pytest.fixture(autouse=True)
def _one_thread():
    with one_torch_thread():
        yield


@pytest.fixture
def awkward_schema() -> TableSchema:
    """Names and levels with commas, digits, spaces, signs and other alphabets."""
    return TableSchema(
        study="awkward",
        columns=(
            column("is it", ColumnKind.BINARY),
            column("is", ColumnKind.INTEGER, minimum=-30, maximum=1200),
            column("age (y.)", ColumnKind.CONTINUOUS, minimum=-9.5, maximum=99.5, decimals=1),
            column("CD4+|x", ColumnKind.CATEGORICAL, levels=("a, b", "a", "1", "12", "-", "été")),
            column("größe", ColumnKind.ORDINAL, levels=(1, 2, 10)),
        ),
    )


@pytest.fixture
def awkward_table(awkward_schema: TableSchema) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n_rows = 60
    table = pd.DataFrame(
        {
            "is it": rng.integers(0, 2, n_rows),
            "is": rng.integers(-30, 1200, n_rows),
            "age (y.)": rng.uniform(-9.5, 99.5, n_rows).round(1),
            "CD4+|x": rng.choice(["a, b", "a", "1", "12", "-", "été"], n_rows),
            "größe": rng.choice([1, 2, 10], n_rows),
        }
    )
    return awkward_schema.canonical(table)


@dataclass(frozen=True)
class LanguageModel:
    """An untrained model for a table, and what a test must know of its tokens."""

    model: object
    tokenizer: object
    schema: TableSchema
    has_commas: bool

    def name_token(self, name, *, at_start):
        """Give the first token of a name that follows a comma."""
        value = (self.schema[name].levels or ("0",))[0]  # others are unknown to compact tokens
        text = f"0, {name} is {value}" if self.has_commas else f"{name} is {value}"
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens[2] if self.has_commas else tokens[0]

    def spans(self, text, encoded):
        """Give the letters of each token."""
        if self.has_commas:
            return encoded["offset_mapping"]
        marked = self.tokenizer.convert_ids_to_tokens(encoded["input_ids"])
        words = [re.sub("[\ue000-\uf8ff]", "", word) for word in marked]  # a level's column
        assert "".join(words) == f", {text}"
        ends = np.cumsum([len(word) for word in words]) - 2
        return list(zip([0, *ends[:-1]], ends, strict=True))


def small_gpt2(tokenizer, n_positions, seed):
    """Build an untrained GPT-2, its logits tilted so that rows are not hopeless."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=n_positions,
        n_embd=32,
        n_layer=2,
        n_head=2,
        initializer_range=0.15,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with borrowed_random_state(seed), quiet_transformers():
        return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="session")
def compact_model():
    def build(schema, seed=1):
        tokenizer = compact_tokenizer(schema)
        return LanguageModel(small_gpt2(tokenizer, 64, seed), tokenizer, schema, has_commas=False)

    return build


@pytest.fixture(scope="session")
def byte_pair_model():
    """A GPT-2 with byte pairs learned from a few rows: names, numbers and brackets in pieces."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    def build(schema, seed=1, n_tokens=300):
        rng = np.random.default_rng(5)
        words = {
            c.name: [str(level) for level in c.levels or range(0, 120, 7)] for c in schema.columns
        }
        texts = [
            ", ".join(
                f"{name} is {rng.choice(words[name])}" for name in rng.permutation(list(words))
            )
            for _ in range(300)
        ]
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=n_tokens,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        bpe.train_from_iterator(texts, trainer)
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=bpe, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
        )
        return LanguageModel(small_gpt2(tokenizer, 128, seed), tokenizer, schema, has_commas=True)

    return build


@pytest.fixture(scope="session")
def teach():
    """Train a model for a moment on random rows, so that valid rows are not rare."""

    def trained(language_model, values, n_steps=250):
        import torch

        tokenizer, model = language_model.tokenizer, language_model.model
        rng, names = np.random.default_rng(4), list(values)
        end = tokenizer.eos_token_id
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        with borrowed_random_state(2):
            for step in range(n_steps):
                optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / n_steps)
                texts = [
                    ", ".join(f"{name} is {rng.choice(values[name])}" for name in order)
                    for order in (rng.permutation(names) for _ in range(32))
                ]
                rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
                longest = max(map(len, rows)) + 1
                read = torch.tensor([[end, *row, *[end] * (longest - len(row))] for row in rows])
                learned = torch.tensor(
                    [[-100, *row, end, *[-100] * (longest - len(row) - 1)] for row in rows]
                )
                loss = model(input_ids=read, labels=learned).loss
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return language_model

    return trained
