"""The default language model: small, untrained, made for one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

N_LAYERS = 2
N_HEADS = 4
WIDTH = 64
INNER_WIDTH = 160
ROTATION_BASE = 100.0  # rows have tens of tokens, not thousands
INITIAL_SD = 0.1  # near 1/sqrt(WIDTH); with the usual 0.02 correlations are not learned in time


def tiny_model(tokenizer: PreTrainedTokenizerFast, n_positions: int) -> LlamaForCausalLM:
    """Make an untrained transformer of two layers of width 64 for one table.

    It is not pretrained: all it will know is the rows it is shown. Positions
    are rotations (Llama's layout), so that nothing need be learned to tell
    how far apart two tokens are. The weights are drawn from torch's global
    random state, as everywhere in `transformers`.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerFast
        What `compact_tokenizer` gives.
    n_positions : int
        Most tokens in a text, the end tokens around it included.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=INNER_WIDTH,
            num_hidden_layers=N_LAYERS,
            num_attention_heads=N_HEADS,
            max_position_embeddings=n_positions,
            rope_parameters={"rope_type": "default", "rope_theta": ROTATION_BASE},
            initializer_range=INITIAL_SD,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
