"""The sampler's own forward pass against the one of `transformers`."""

import numpy as np
import pytest
import torch

from hybrid_assets.language.decoder_weights import decoder_of
from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.language.reading import Reader
from hybrid_assets.randomness import borrowed_random_state

N_TOKENS, LONGEST, WIDTH = 50, 40, 32


def gpt2(**details):
    from transformers import GPT2Config, GPT2LMHeadModel

    about = {"n_embd": WIDTH, "n_layer": 3, "n_head": 4, "n_positions": LONGEST}
    return GPT2LMHeadModel, GPT2Config, {"initializer_range": 0.3, **about, **details}


def llama(**details):
    from transformers import LlamaConfig, LlamaForCausalLM

    about = {
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": LONGEST,
        "initializer_range": 0.3,
    }
    return LlamaForCausalLM, LlamaConfig, {**about, **details}


NETWORKS = {
    "GPT-2": gpt2(),
    "one layer": gpt2(n_layer=1),
    "Llama, tied": llama(tie_word_embeddings=True),
    "Llama, shared keys": llama(num_key_value_heads=2),
    "Llama, shifted": llama(attention_bias=True, mlp_bias=True),
    "Llama, slow turns": llama(
        rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 100.0}
    ),
}


def made(network):
    build, about, details = network
    with borrowed_random_state(3), quiet_transformers():
        model = build(about(vocab_size=N_TOKENS, bos_token_id=0, eos_token_id=0, **details))
        for weight in model.parameters():  # biases begin at zero, scales at one
            weight.data.add_(0.05 * torch.randn_like(weight))
    return model.eval()


@pytest.mark.parametrize("narrow", [0, 32])  # how keys and values lie in memory
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_transformers(name, narrow, monkeypatch):
    monkeypatch.setattr("hybrid_assets.language.reading.NARROW", narrow)
    model = made(NETWORKS[name])
    decoder = decoder_of(model)
    tokens = torch.randint(N_TOKENS, (7, 13), generator=torch.Generator().manual_seed(1))
    every, some = torch.arange(len(tokens)), torch.tensor([5, 0, 2])
    with torch.inference_mode():
        wanted = model(tokens).logits
        reader = Reader(model, LONGEST)
        memory = reader.memory.numbers[:, : len(tokens)]
        for place, rows in enumerate([every, some, some[:0], every, some, *[every] * 8]):
            found = decoder.logits(tokens[:, place], memory, place, rows)
            torch.testing.assert_close(found, wanted[rows, place], rtol=1e-5, atol=1e-5)
    assert wanted.std() > 0.5


@pytest.mark.parametrize(
    "network",
    [
        gpt2(activation_function="relu"),
        gpt2(scale_attn_by_inverse_layer_idx=True),
        llama(hidden_act="gelu"),
        llama(head_dim=16),
        llama(
            rope_parameters={
                "rope_type": "dynamic",
                "factor": 2.0,
                "rope_theta": 100.0,
                "original_max_position_embeddings": 20,
            }
        ),
    ],
)
def test_networks_with_other_parts_are_left_to_transformers(network):
    assert decoder_of(made(network)) is None


@pytest.mark.parametrize("network", [gpt2(), gpt2(activation_function="relu")])
def test_rows_are_read_token_by_token_by_any_network(network):
    model, temperature = made(network), 0.8
    tokens = np.random.default_rng(2).integers(N_TOKENS, size=(5, 6))
    reader, every = Reader(model, LONGEST, temperature), np.arange(N_TOKENS)
    with torch.inference_mode():
        wanted = (model(torch.from_numpy(tokens)).logits / temperature).softmax(dim=2).numpy()
        for place in range(tokens.shape[1]):
            rows = np.array([4, 1])
            found = reader.read(tokens[:, place], place, rows).at(np.arange(2)[:, None], every)
            np.testing.assert_allclose(found, wanted[rows, place], rtol=1e-5, atol=1e-6)
    assert reader.n_tokens == tokens.size


@pytest.mark.parametrize("narrow", [0, 32])
def test_memory_follows_its_prefixes(narrow, monkeypatch):
    monkeypatch.setattr("hybrid_assets.language.reading.NARROW", narrow)
    memory, n_read = Reader(made(gpt2()), LONGEST).memory, 3
    rng = np.random.default_rng(4)
    with torch.inference_mode():
        memory.numbers[:] = torch.arange(memory.numbers.shape[1])[:, None, None, None, None]
        held = np.arange(9)
        for n_prefixes in (9, 5, 12, 3, 30, 29):
            source = rng.choice(len(held), n_prefixes)
            if n_prefixes == 29:
                source = np.sort(source)
            wanted = held[source]
            order = memory.arrange(source, n_read)
            assert sorted(order) == list(range(n_prefixes))
            held = wanted[order]
            assert memory.numbers[1, :n_prefixes, 0, 1, n_read - 1, 5].tolist() == held.tolist()
        aside = memory.copied(np.array([4, 0, 2]), n_read)
        memory.restore(aside, np.array([2, 2, 1, 0]))
    assert memory.numbers[2, :4, 1, 3, 0, 7].tolist() == held[[2, 2, 0, 4]].tolist()
