"""A causal language model's probabilities of the next token, with a cache and without padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers.cache_utils import CacheLayerMixin

MEMORY_BYTES = 2**28
MOST_PREFIXES = 4_096


def next_probabilities(
    model: PreTrainedModel,
    tokens: np.ndarray,
    memory: torch.Tensor | None,
    *,
    positions: list[int],
    temperature: float,
) -> tuple[np.ndarray, torch.Tensor]:
    """Let a model read tokens.

    Parameters
    ----------
    model : PreTrainedModel
        In evaluation mode.
    tokens : ndarray of int, shape (n, n_tokens)
        What comes next, without padding.
    memory : Tensor of shape (n, 2 * n_layers, n_heads, n_read + n_tokens, width), optional
        Keys and values, layer by layer, of the `n_read` tokens before; those
        of `tokens` are written to the room behind. None at the beginning.
    positions : list of int
        After which of the tokens probabilities are wanted.
    temperature : float
        Divides the logits.

    Returns
    -------
    probabilities : ndarray of float64, shape (n, n_positions, n_vocabulary)
    memory : Tensor
        Keys and values of all tokens so far.
    """
    import torch
    from transformers.cache_utils import DynamicCache

    n_tokens = tokens.shape[1]
    cache = DynamicCache()
    if memory is not None:
        cache.layers += _rooms(memory, memory.shape[3] - n_tokens)
    output = model(
        input_ids=torch.from_numpy(tokens).to(model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.tensor(positions, device=model.device),
    )
    probabilities = (output.logits.double() / temperature).softmax(dim=2).cpu().numpy()
    if memory is None:
        layers = output.past_key_values.layers
        memory = torch.stack([part for layer in layers for part in (layer.keys, layer.values)], 1)
    return probabilities, memory


def _rooms(memory: torch.Tensor, n_read: int) -> list[CacheLayerMixin]:
    """Let every layer of a model find its keys and values in `memory`, and add to them there."""
    from transformers.cache_utils import DynamicLayer

    class Room(DynamicLayer):
        """Keys and values in a tensor that is long enough: growing copies nothing."""

        def __init__(self, number: int) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.number = number
            self.keys, self.values = (
                memory[:, number, :, :n_read],
                memory[:, number + 1, :, :n_read],
            )
            self.dtype, self.device, self.is_initialized = memory.dtype, memory.device, True

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            memory[:, self.number, :, n_read:] = key_states
            memory[:, self.number + 1, :, n_read:] = value_states
            self.keys, self.values = memory[:, self.number], memory[:, self.number + 1]
            return self.keys, self.values

    return [Room(number) for number in range(0, memory.shape[1], 2)]


def most_prefixes(model: PreTrainedModel, n_tokens: int) -> int:
    """Give how many prefixes of `n_tokens` tokens may wait, for their memory to stay bounded."""
    one = np.zeros((1, 1), dtype=np.int64)
    probabilities, memory = next_probabilities(model, one, None, positions=[0], temperature=1.0)
    n_bytes = memory.nbytes * n_tokens + 3 * probabilities.nbytes
    return int(np.clip(MEMORY_BYTES // n_bytes, 8, MOST_PREFIXES))
