"""A causal language model's probabilities of the next token, with a cache and without padding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.language.decoder_weights import decoder_of
from hybrid_assets.language.prefixes import Memory

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers.cache_utils import DynamicLayer

MEMORY_BYTES = 2**30
GPU_MEMORY_BYTES = 2**32
MOST_PREFIXES = 2_048
NARROW = 32  # heads up to this width lie side by side, see decoder._attended_side_by_side


@dataclass(frozen=True)
class NextTokens:
    """Probabilities of the next token, where the model computed them.

    Attributes
    ----------
    probabilities : Tensor of shape (n, n_vocabulary)
    """

    probabilities: torch.Tensor

    def at(self, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Look up the probabilities of tokens after rows; the two are broadcast."""
        import torch

        place = torch.from_numpy(rows * self.probabilities.shape[1] + tokens)
        found = self.probabilities.take(place.to(self.probabilities.device))
        return found.double().cpu().numpy()


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
        self._decoder, self._device = decoder_of(model), model.device
        self.n_tokens = 0

    def read(self, tokens: np.ndarray, n_read: int, wanted: np.ndarray) -> NextTokens:
        """Read one token of each prefix; what `memory` has of them is added to.

        Parameters
        ----------
        tokens : ndarray of int, shape (n,)
            Of the prefixes at places 0 to n - 1 of the memory.
        n_read : int
            How many tokens the memory has.
        wanted : ndarray of int, shape (n_wanted,)
            After which of them probabilities are wanted.
        """
        import torch

        self.n_tokens += len(tokens)
        read, kept = (torch.from_numpy(a).to(self._device) for a in (tokens, wanted))
        forward = self._by_the_model if self._decoder is None else self._decoder.logits
        logits = forward(read, self.memory.numbers[:, : len(tokens)], n_read, kept)
        if self._temperature != 1:
            logits = logits / self._temperature
        return NextTokens(logits.float().softmax(dim=1))

    @cached_property
    def memory(self) -> Memory:
        """Room for the keys and values of `most_prefixes` rows."""
        n_layers, _, *shape, width = self._one.shape
        if width > NARROW or self._one.is_cuda:
            return Memory(self._one.new_empty(n_layers, self.most_prefixes, *shape, width))
        numbers = self._one.new_empty(n_layers, *shape, width, self.most_prefixes)
        return Memory(numbers.movedim(-1, 1))

    @cached_property
    def most_prefixes(self) -> int:
        """How many prefixes are read at once; fixed, since what a seed draws depends on it."""
        room = GPU_MEMORY_BYTES if self._one.is_cuda else MEMORY_BYTES
        n_bytes = self._one.nbytes + 3 * 4 * self._model.config.get_text_config().vocab_size
        return int(np.clip(room // n_bytes, 8, MOST_PREFIXES))

    @cached_property
    def _one(self) -> torch.Tensor:
        """Make room for one row's keys and values, by those that the model gives for a token."""
        import torch

        token = torch.zeros(1, 1, dtype=torch.int64, device=self._device)
        layers = self._model(input_ids=token, use_cache=True).past_key_values.layers
        keys: torch.Tensor = layers[0].keys
        _, n_heads, _, width = keys.shape
        return keys.new_empty(len(layers), 1, 2, n_heads, self._longest, width)

    def _by_the_model(
        self, tokens: torch.Tensor, memory: torch.Tensor, n_read: int, wanted: torch.Tensor
    ) -> torch.Tensor:
        from transformers.cache_utils import DynamicCache

        cache = DynamicCache()
        if n_read:
            cache.layers += [_layer(kept[..., :n_read, :]) for kept in memory]
        output = self._model(input_ids=tokens[:, None], past_key_values=cache, use_cache=True)
        for kept, layer in zip(memory, output.past_key_values.layers, strict=True):
            kept[:, 0, :, n_read] = layer.keys[:, :, -1]
            kept[:, 1, :, n_read] = layer.values[:, :, -1]
        logits: torch.Tensor = output.logits[wanted, -1]
        return logits


def _layer(kept: torch.Tensor) -> DynamicLayer:
    """Make a layer's cache of what it remembers, without the copy that its `update` makes."""
    from transformers.cache_utils import DynamicLayer

    layer = DynamicLayer()  # type: ignore[no-untyped-call]
    layer.keys, layer.values = kept[:, 0], kept[:, 1]
    layer.dtype, layer.device, layer.is_initialized = kept.dtype, kept.device, True
    return layer
