"""The forward pass of GPT-2 and Llama over beginnings of rows, without `transformers`' overhead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

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
        heads = made.unflatten(2, (-1, room.shape[4]))
        if positions.is_complex():
            _turn(heads[:, :, : self.n_heads + self.n_key_heads], positions)
        room[:, -n_tokens:] = heads[:, :, self.n_heads :].unflatten(2, (2, -1))
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

    torch.view_as_complex(heads.unflatten(3, (-1, 2))).mul_(positions[:, None])


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


def decoder_of(model: PreTrainedModel) -> Decoder | None:
    """Give the decoder with a model's weights; None for other kinds of network."""
    from transformers import GPT2LMHeadModel, LlamaForCausalLM

    if type(model) is GPT2LMHeadModel and _is_plain_gpt2(model.config):
        return _gpt2(model)
    if type(model) is LlamaForCausalLM and _is_plain_llama(model.config):
        return _llama(model)
    return None


def _is_plain_gpt2(config: Any) -> bool:
    return (
        config.activation_function == "gelu_new"
        and config.scale_attn_weights
        and not config.scale_attn_by_inverse_layer_idx
        and not config.add_cross_attention
    )


def _is_plain_llama(config: Any) -> bool:
    same_width = config.head_dim * config.num_attention_heads == config.hidden_size
    is_static = config.rope_parameters["rope_type"] in ("default", "linear", "llama3")
    return config.hidden_act == "silu" and same_width and is_static


def _gpt2(model: Any) -> Decoder:
    inside = model.transformer
    blocks = tuple(
        Block(
            first_norm=_affine(layer.ln_1),
            queries_keys_values=_turned(layer.attn.c_attn),
            merged_heads=_turned(layer.attn.c_proj),
            second_norm=_affine(layer.ln_2),
            inward=_turned(layer.mlp.c_fc),
            outward=_turned(layer.mlp.c_proj),
            is_gated=False,
        )
        for layer in inside.h
    )
    return Decoder(
        blocks,
        tokens=inside.wte.weight,
        head=model.lm_head.weight,
        positions=inside.wpe.weight,
        last_norm=_affine(inside.ln_f),
        n_heads=model.config.n_head,
        n_key_heads=model.config.n_head,
        least=model.config.layer_norm_epsilon,
    )


def _llama(model: Any) -> Decoder:
    inside, config = model.model, model.config
    blocks = tuple(
        Block(
            first_norm=_affine(layer.input_layernorm),
            queries_keys_values=_joined(
                _paired(layer.self_attn.q_proj, config.head_dim),
                _paired(layer.self_attn.k_proj, config.head_dim),
                _affine(layer.self_attn.v_proj),
            ),
            merged_heads=_affine(layer.self_attn.o_proj),
            second_norm=_affine(layer.post_attention_layernorm),
            inward=_joined(_affine(layer.mlp.gate_proj), _affine(layer.mlp.up_proj)),
            outward=_affine(layer.mlp.down_proj),
            is_gated=True,
        )
        for layer in inside.layers
    )
    return Decoder(
        blocks,
        tokens=inside.embed_tokens.weight,
        head=model.lm_head.weight,
        positions=_turns(inside.rotary_emb, config.max_position_embeddings),
        last_norm=_affine(inside.norm),
        n_heads=config.num_attention_heads,
        n_key_heads=config.num_key_value_heads,
        least=config.rms_norm_eps,
    )


def _affine(module: Any) -> Affine:
    return Affine(module.weight, getattr(module, "bias", None))


def _turned(module: Any) -> Affine:
    """Read GPT-2's matrices, which are (n_in, n_out)."""
    return Affine(module.weight.t().contiguous(), module.bias)


def _joined(*parts: Affine) -> Affine:
    import torch

    biases = [part.bias for part in parts if part.bias is not None]
    return Affine(torch.cat([part.weight for part in parts]), torch.cat(biases) if biases else None)


def _paired(module: Any, width: int) -> Affine:
    """Put the two numbers that Llama turns together side by side; products stay what they are."""

    def paired(values: torch.Tensor) -> torch.Tensor:
        halves = values.unflatten(0, (-1, 2, width // 2))
        return halves.transpose(1, 2).flatten(0, 2).contiguous()

    return Affine(paired(module.weight), None if module.bias is None else paired(module.bias))


def _turns(rotary: Any, n_positions: int) -> torch.Tensor:
    """Give the turn of each pair at each position as a complex number."""
    import torch

    device = rotary.inv_freq.device
    angles = torch.outer(torch.arange(n_positions, device=device).float(), rotary.inv_freq.float())
    return torch.polar(torch.full_like(angles, rotary.attention_scaling), angles)
