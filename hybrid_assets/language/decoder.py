"""The forward pass of GPT-2 and Llama over beginnings of rows, without `transformers`' overhead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


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

    It reads one token of every row. Products that read the same values are one,
    the last layer computes nothing for rows whose probabilities are not wanted,
    and keys and values are written where the next pass reads them.

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
        self, tokens: torch.Tensor, memory: torch.Tensor, n_read: int, wanted: torch.Tensor
    ) -> torch.Tensor:
        """Read a token of each row.

        Parameters
        ----------
        tokens : Tensor of int, shape (n,)
            What comes next.
        memory : Tensor of shape (n_layers, n, 2, n_key_heads, n_room, width)
            Keys and values, filled for the `n_read` tokens before; those of `tokens` are
            written there.
        n_read : int
            Less than n_room.
        wanted : Tensor of int, shape (n_wanted,)
            Rows of which logits are wanted.

        Returns
        -------
        Tensor of shape (n_wanted, n_vocabulary)
        """
        values, position = self.tokens[tokens], self.positions[n_read]
        if not position.is_complex():
            values = values + position
        rooms = memory[..., : n_read + 1, :]
        for block, room in zip(self.blocks[:-1], rooms, strict=False):
            values = self._through(block, values, room, position)
        values = self._through(self.blocks[-1], values, rooms[-1], position, wanted)
        return Affine(self.head)(self.last_norm.normed(values, self.least))

    def _through(
        self,
        block: Block,
        values: torch.Tensor,
        room: torch.Tensor,
        position: torch.Tensor,
        wanted: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Send rows through a layer, all or those wanted, and remember all of them in `room`."""
        from torch.nn.functional import gelu, silu

        made = block.queries_keys_values(block.first_norm.normed(values, self.least))
        heads = made.view(len(values), -1, room.shape[4])
        if position.is_complex():
            _turn(heads[:, : self.n_heads + self.n_key_heads], position)
        room[:, :, :, -1] = heads[:, self.n_heads :].view(len(values), 2, *room.shape[2:3], -1)
        if wanted is not None and not len(wanted):
            return values[wanted]
        mixed = _attended(heads[:, : self.n_heads], room)
        if wanted is not None and len(wanted) < len(values):
            mixed, values = mixed[wanted], values[wanted]
        values = values + block.merged_heads(mixed)
        inner = block.inward(block.second_norm.normed(values, self.least))
        if block.is_gated:
            gate, let_through = inner.chunk(2, dim=1)
            inner = silu(gate).mul_(let_through)
        else:
            inner = gelu(inner, approximate="tanh")
        return values + block.outward(inner)


def _turn(heads: torch.Tensor, position: torch.Tensor) -> None:
    """Turn neighbouring numbers, shape (n, n_heads, width), by complex ones (n_pairs,)."""
    import torch

    torch.view_as_complex(heads.view(*heads.shape[:2], -1, 2)).mul_(position)


def _attended(queries: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
    """Mix the values of all tokens by how queries (n, n_heads, width) fit their keys."""
    import torch

    if room.stride(0) == 1 and queries.shape[1] == room.shape[2]:
        return _attended_side_by_side(queries, room)
    mixed = torch.nn.functional.scaled_dot_product_attention(
        queries[:, :, None],
        room[:, 0],
        room[:, 1],
        enable_gqa=queries.shape[1] != room.shape[2],
    )
    return mixed.flatten(1)


def _attended_side_by_side(queries: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
    """Do the same where the same number of all rows lies side by side: quicker for narrow heads."""
    keys, values = room.permute(1, 2, 3, 4, 0)  # (n_heads, n_tokens, width, n) each
    asked = queries.permute(1, 2, 0).contiguous() * queries.shape[2] ** -0.5
    fits = _sum_of_products(keys.unbind(2), asked[:, None].unbind(2))
    shares = fits.softmax(dim=1)[:, :, None]
    mixed = _sum_of_products(values.unbind(1), shares.unbind(1))
    return mixed.permute(2, 0, 1).flatten(1)


def _sum_of_products(
    first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Multiply and add pair by pair, so that the products need no memory of their own."""
    total = first[0] * second[0]
    for one, other in zip(first[1:], second[1:], strict=True):
        total.addcmul_(one, other)
    return total
