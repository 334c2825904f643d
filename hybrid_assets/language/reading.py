"""A causal language model's probabilities of the next token, with a cache and without padding."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.language.decoder_weights import decoder_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers.cache_utils import DynamicLayer

    from hybrid_assets.language.decoder import Memory

MEMORY_BYTES = 2**28
MOST_PREFIXES = 4_096


class Reader:
    """Reads tokens with a model: with its own `decoder.Decoder`, or with the model itself.

    Parameters
    ----------
    model : PreTrainedModel
        In evaluation mode; its weights are those of now.
    longest : int
        Most tokens of a row.
    temperature : float
        Divides the logits.

    Attributes
    ----------
    n_tokens : int
        Read so far, over all rows.
    """

    def __init__(self, model: PreTrainedModel, longest: int, temperature: float = 1.0) -> None:
        self._model, self._longest, self._temperature = model, longest, temperature
        self._decoder = decoder_of(model)
        self.n_tokens = 0

    def probabilities(
        self, tokens: np.ndarray, memory: Memory | None, n_read: int, positions: list[int]
    ) -> tuple[np.ndarray, Memory]:
        """Read tokens.

        Parameters
        ----------
        tokens : ndarray of int, shape (n, n_tokens)
            What comes next, without padding.
        memory : list of Tensor of shape (n, n_room, 2, n_heads, width), optional
            Keys and values, layer by layer, of the tokens before, as the last
            pass gave them; None at the beginning.
        n_read : int
            How many tokens those are.
        positions : list of int
            After which of the tokens probabilities are wanted.

        Returns
        -------
        probabilities : ndarray of float32, shape (n, n_positions, n_vocabulary)
        memory : list of Tensor of shape (n, n_room, 2, n_heads, width)
            Keys and values of all tokens so far; the one given may have been written to.
        """
        import torch

        self.n_tokens += tokens.size
        read = torch.from_numpy(tokens).to(self._model.device)
        if self._decoder is not None:
            memory = memory or self._decoder.room(len(tokens), self._longest)
            logits = self._decoder.logits(read, memory, n_read, positions)
        else:
            logits, memory = self._by_the_model(read, memory, n_read, positions)
        if self._temperature != 1:
            logits = logits / self._temperature
        return logits.float().softmax(dim=2).cpu().numpy(), memory

    @cached_property
    def most_prefixes(self) -> int:
        """How many prefixes may wait, for memory to stay bounded."""
        one = np.zeros((1, 1), dtype=np.int64)
        probabilities, memory = self.probabilities(one, None, 0, [0])
        n_numbers = sum(part[0, 0].numel() for part in memory) * self._longest
        n_bytes = n_numbers * memory[0].element_size() + 3 * probabilities.nbytes
        return int(np.clip(MEMORY_BYTES // n_bytes, 8, MOST_PREFIXES))

    def _by_the_model(
        self, tokens: torch.Tensor, memory: Memory | None, n_read: int, positions: list[int]
    ) -> tuple[torch.Tensor, Memory]:
        import torch
        from transformers.cache_utils import DynamicCache

        cache = DynamicCache()
        cache.layers += [_layer(kept[:, :n_read]) for kept in memory or ()]
        output = self._model(
            input_ids=tokens,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=torch.tensor(positions, device=tokens.device),
        )
        layers = output.past_key_values.layers
        kept = [
            torch.stack((layer.keys, layer.values), dim=3).permute(0, 2, 3, 1, 4).contiguous()
            for layer in layers
        ]
        return output.logits, kept


def _layer(kept: torch.Tensor) -> DynamicLayer:
    """Make a layer's cache of what it remembers, without the copy that its `update` makes."""
    from transformers.cache_utils import DynamicLayer

    layer = DynamicLayer()  # type: ignore[no-untyped-call]
    layer.keys, layer.values = kept[:, :, 0].transpose(1, 2), kept[:, :, 1].transpose(1, 2)
    layer.dtype, layer.device, layer.is_initialized = kept.dtype, kept.device, True
    return layer
