"""A causal language model's probabilities of the next token, with a cache and without padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.language.prefixes import KeysAndValues

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MEMORY_BYTES = 2**28
MOST_PREFIXES = 4_096


def next_probabilities(
    model: PreTrainedModel,
    tokens: np.ndarray,
    memory: KeysAndValues,
    *,
    positions: list[int],
    temperature: float,
) -> tuple[np.ndarray, KeysAndValues]:
    """Let a model read tokens.

    Parameters
    ----------
    model : PreTrainedModel
        In evaluation mode.
    tokens : ndarray of int, shape (n, n_tokens)
        What comes next, without padding.
    memory : list of (keys, values)
        What the model gave for the tokens before; empty at the beginning.
    positions : list of int
        After which of the tokens probabilities are wanted.
    temperature : float
        Divides the logits.

    Returns
    -------
    probabilities : ndarray of float64, shape (n, n_positions, n_vocabulary)
    memory : list of (keys, values)
        For all tokens so far.
    """
    import torch
    from transformers.cache_utils import DynamicCache, DynamicLayer

    cache = DynamicCache()
    for keys, values in memory:
        layer = DynamicLayer()  # type: ignore[no-untyped-call]
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        cache.layers.append(layer)
    output = model(
        input_ids=torch.from_numpy(tokens).to(model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.tensor(positions, device=model.device),
    )
    probabilities = (output.logits.double() / temperature).softmax(dim=2)
    layers = output.past_key_values.layers
    return probabilities.cpu().numpy(), [(layer.keys, layer.values) for layer in layers]


def most_prefixes(model: PreTrainedModel, n_tokens: int) -> int:
    """Give how many prefixes of `n_tokens` tokens may wait, for their memory to stay bounded."""
    one = np.zeros((1, 1), dtype=np.int64)
    probabilities, memory = next_probabilities(model, one, [], positions=[0], temperature=1.0)
    n_bytes = sum(keys.nbytes + values.nbytes for keys, values in memory) * n_tokens
    n_bytes += 3 * probabilities.nbytes
    return int(np.clip(MEMORY_BYTES // n_bytes, 8, MOST_PREFIXES))
