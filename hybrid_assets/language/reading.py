"""A causal language model's probabilities of the next token, with a cache and without padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers.cache_utils import DynamicLayer

    Memory = list[torch.Tensor]

MEMORY_BYTES = 2**28
MOST_PREFIXES = 4_096


def next_probabilities(
    model: PreTrainedModel,
    tokens: np.ndarray,
    memory: Memory | None,
    *,
    positions: list[int],
    temperature: float,
) -> tuple[np.ndarray, Memory]:
    """Let a model read tokens.

    Parameters
    ----------
    model : PreTrainedModel
        In evaluation mode.
    tokens : ndarray of int, shape (n, n_tokens)
        What comes next, without padding.
    memory : list of Tensor of shape (n, n_heads, n_read, width), optional
        Keys and values, layer by layer, of the tokens before; None at the
        beginning. Each is in one piece: attention reads that twice as fast.
    positions : list of int
        After which of the tokens probabilities are wanted.
    temperature : float
        Divides the logits.

    Returns
    -------
    probabilities : ndarray of float64, shape (n, n_positions, n_vocabulary)
    memory : list of Tensor of shape (n, n_heads, n_read + n_tokens, width)
        Keys and values of all tokens so far.
    """
    import torch
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache()
    if memory is not None:
        cache.layers += map(_layer, memory[::2], memory[1::2])
    output = model(
        input_ids=torch.from_numpy(tokens).to(model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.tensor(positions, device=model.device),
    )
    logits = output.logits.double().div_(temperature)
    probabilities = logits.softmax(dim=2).cpu().numpy()
    layers = output.past_key_values.layers
    return probabilities, [part for layer in layers for part in (layer.keys, layer.values)]


def _layer(keys: torch.Tensor, values: torch.Tensor) -> DynamicLayer:
    """Make a layer's cache of what it remembers, without the copy that its `update` makes."""
    from transformers.cache_utils import DynamicLayer

    layer = DynamicLayer()  # type: ignore[no-untyped-call]
    layer.keys, layer.values = keys, values
    layer.dtype, layer.device, layer.is_initialized = keys.dtype, keys.device, True
    return layer


def most_prefixes(model: PreTrainedModel, n_tokens: int) -> int:
    """Give how many prefixes of `n_tokens` tokens may wait, for their memory to stay bounded."""
    one = np.zeros((1, 1), dtype=np.int64)
    probabilities, memory = next_probabilities(model, one, None, positions=[0], temperature=1.0)
    n_bytes = sum(part.nbytes for part in memory) * n_tokens + 3 * probabilities.nbytes
    return int(np.clip(MEMORY_BYTES // n_bytes, 8, MOST_PREFIXES))
