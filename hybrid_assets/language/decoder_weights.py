"""The weights of GPT-2 and Llama models of `transformers`, as `decoder.Decoder` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hybrid_assets.language.decoder import Affine, Block, Decoder

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


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
        halves = values.view(-1, 2, width // 2, *values.shape[1:])
        return halves.transpose(1, 2).flatten(0, 2)

    return Affine(paired(module.weight), None if module.bias is None else paired(module.bias))


def _turns(rotary: Any, n_positions: int) -> torch.Tensor:
    """Give the turn of each pair at each position as a complex number."""
    import torch

    device = rotary.inv_freq.device
    angles = torch.outer(torch.arange(n_positions, device=device).float(), rotary.inv_freq.float())
    return torch.polar(torch.full_like(angles, rotary.attention_scaling), angles)
