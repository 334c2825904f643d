"""Networks of a folder, fitted and drawn where the compute device says."""

import numpy as np
import pytest
import torch

from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.language.reading import NARROW, Reader
from hybrid_assets.language.sampler import column_orders
from hybrid_assets.language.scores import log_prob
from hybrid_assets.randomness import borrowed_random_state

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


def llama(folder: str, width: int) -> str:
    """Put a Llama in the place of the folder's network, its tokenizer kept."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(AutoTokenizer.from_pretrained(folder)),
        hidden_size=2 * width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        initializer_range=0.15,
        bos_token_id=0,
        eos_token_id=0,
    )
    with quiet_transformers(), borrowed_random_state(1):
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["GPT-2", "Llama", "Llama, wide heads"])
def test_a_network_is_fitted_drawn_and_asked_on_its_device(device, kind, mixed_table, generic_gpt2):
    table, schema = mixed_table
    schema = schema.select(["site", "smoker"])
    width = 2 * NARROW if "wide" in kind else NARROW // 2
    folder = generic_gpt2 if kind == "GPT-2" else llama(generic_gpt2, width)
    settings = LlmSettings(
        model=f"hf:{folder}", steps=120, batch_size=16, learning_rate=1e-2, sampling="masked"
    )
    generator = LlmGenerator(settings)
    generator.support = FitSupport(device=device)
    generator.fit(table, schema, np.random.default_rng(1))
    assert generator.model_.device.type == device
    drawn = generator.sample(4_000, np.random.default_rng(2))
    assert not schema.invalid_counts(drawn)[0].any()
    again = generator.sample(4_000, np.random.default_rng(2))
    assert drawn.equals(again)

    grammar = RowGrammar(schema, generator.tokenizer_, fixed_width=True)
    assert Reader(generator.model_, 64).memory.numbers.device.type == device
    found = drawn.value_counts(normalize=True)
    cells = found.reset_index()[schema.names]
    orders = column_orders([range(2)], np.random.default_rng(3))
    total = sum(
        np.exp(log_prob(generator.model_, grammar, cells, [order]).sum(axis=1)) for order in orders
    )
    expected = (total / total.sum()).to_numpy()  # masked and exact are near where mass is
    assert np.abs(found.to_numpy() - expected).max() < 0.05
