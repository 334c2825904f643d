"""The forward pass of GPT-2 and Llama over beginnings of rows, without `transformers`' overhead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Memory = list[torch.Tensor]


@dataclass(frozen=True)
class Affine:
    """What scales and shifts: of a product, weight (n_out, n_in); of a norm, weight (width,).

    A norm with a shift is a layer norm, one without a root mean square.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply by the weight, and shift."""
        from torch.nn.functional import linear

        return linear(values, self.weight, self.bias)

    def normed(self, values: torch.Tensor, least: float) -> torch.Tensor:
        """Normalise; `least` is added to the variance."""
        from torch.nn.functional import layer_norm, rms_norm

        width = self.weight.shape
        if self.bias is None:
            return rms_norm(values, width, self.weight, least)
        return layer_norm(values, width, self.weight, self.bias, least)


@dataclass(frozen=True)
class Block:
    """One layer: `inward` is the gate and what it lets through where `is_gated`."""

    first_norm: Affine
    queries_keys_values: Affine
    merged_heads: Affine
    second_norm: Affine
    inward: Affine
    outward: Affine
    is_gated: bool


@dataclass(frozen=True)
class Decoder:
    """A GPT-2 or Llama language model: the same numbers as its own forward pass, sooner.

    Products that read the same values are one, the last layer computes
    nothing for tokens after which no probability is wanted, and keys and
    values are written where the next pass reads them.

    Attributes
    ----------
    blocks : tuple of Block
        From the embedding on.
    tokens, head : Tensor of shape (n_vocabulary, width)
        What a token is turned into, and what logits are products with.
    positions : Tensor of shape (n_positions, width) or (n_positions, n_pairs)
        Added to the tokens; or, complex, what turns pairs of keys and queries.
    last_norm : Affine
        Before the logits.
    n_heads, n_key_heads : int
        Queries, and keys that they share (Ainslie et al. 2023, arXiv 2305.13245).
    least : float
        Added to variances.
    """

    blocks: tuple[Block, ...]
    tokens: torch.Tensor
    head: torch.Tensor
    positions: torch.Tensor
    last_norm: Affine
    n_heads: int
    n_key_heads: int
    least: float

    def logits(
        self, tokens: torch.Tensor, memory: Memory, n_read: int, wanted: list[int]
    ) -> torch.Tensor:
        """Read tokens.

        Parameters
        ----------
        tokens : Tensor of int, shape (n, n_tokens)
            What comes next, without padding.
        memory : list of Tensor of shape (n, n_room, 2, n_key_heads, width)
            What `room` gave: keys and values by layer, filled for the `n_read` tokens before;
            those of `tokens` are written there.
        n_read : int
            At most n_room - n_tokens.
        wanted : list of int
            After which of the tokens logits are wanted.

        Returns
        -------
        Tensor of shape (n, n_wanted, n_vocabulary)
        """
        n_tokens = tokens.shape[1]
        values = self.tokens[tokens]
        positions = self.positions[n_read : n_read + n_tokens]
        if not positions.is_complex():
            values = values + positions
        every = list(range(n_tokens))
        for block, room in zip(self.blocks, memory, strict=True):
            kept = wanted if block is self.blocks[-1] else every
            values = self._through(block, values, room[:, : n_read + n_tokens], positions, kept)
        return Affine(self.head)(self.last_norm.normed(values, self.least))

    def room(self, n_rows: int, n_tokens: int) -> Memory:
        """Make room for the keys and values of rows, none read yet."""
        shape = n_rows, n_tokens, 2, self.n_key_heads, self.tokens.shape[1] // self.n_heads
        return [self.tokens.new_empty(shape) for _ in self.blocks]

    def _through(
        self,
        block: Block,
        values: torch.Tensor,
        room: torch.Tensor,
        positions: torch.Tensor,
        kept: list[int],
    ) -> torch.Tensor:
        """Send the tokens `kept` through a layer, and remember all of them in `room`."""
        from torch.nn.functional import gelu, silu

        n_tokens = values.shape[1]
        made = block.queries_keys_values(block.first_norm.normed(values, self.least))
        heads = made.view(*made.shape[:2], -1, room.shape[4])
        if positions.is_complex():
            _turn(heads[:, :, : self.n_heads + self.n_key_heads], positions)
        room[:, -n_tokens:] = heads[:, :, self.n_heads :].reshape(-1, n_tokens, *room.shape[2:])
        queries = heads[:, :, : self.n_heads]
        if len(kept) < n_tokens:
            queries, values = queries[:, kept], values[:, kept]
        values = values + block.merged_heads(_attended(queries, room, n_tokens, kept))
        inner = block.inward(block.second_norm.normed(values, self.least))
        if block.is_gated:
            gate, let_through = inner.chunk(2, dim=2)
            inner = silu(gate).mul_(let_through)
        else:
            inner = gelu(inner, approximate="tanh")
        return values + block.outward(inner)


def _turn(heads: torch.Tensor, positions: torch.Tensor) -> None:
    """Turn neighbouring numbers, shape (n, n_tokens, n_heads, width), by complex positions."""
    import torch

    pairs = heads.view(*heads.shape[:3], -1, 2)
    torch.view_as_complex(pairs).mul_(positions[:, None])


def _attended(
    queries: torch.Tensor, room: torch.Tensor, n_tokens: int, kept: list[int]
) -> torch.Tensor:
    """Mix values of earlier tokens by how queries (n, n_kept, n_heads, width) fit their keys."""
    import torch

    mask = None
    if n_tokens > 1 and kept != [n_tokens - 1]:
        n_read = room.shape[1] - n_tokens
        sees = room.new_ones(n_tokens, room.shape[1], dtype=torch.bool).tril(n_read)
        mask = sees[kept]
    mixed = torch.nn.functional.scaled_dot_product_attention(
        queries.transpose(1, 2),
        room[:, :, 0].transpose(1, 2),
        room[:, :, 1].transpose(1, 2),
        attn_mask=mask,
        enable_gqa=queries.shape[2] != room.shape[3],
    )
    return mixed.transpose(1, 2).flatten(2)
