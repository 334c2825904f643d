"""The default language model: small, untrained, made for one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

N_LAYERS = 2
N_HEADS = 4
WIDTH = 64
INITIAL_SD = 0.1  # near 1/sqrt(WIDTH); with GPT-2's 0.02 correlations are not learned in 2000 steps


def write_tiny_model(directory: Path, tokenizer: PreTrainedTokenizerFast, n_positions: int) -> None:
    """Write a tokenizer and an untrained GPT-2 as `transformers` loads them.

    The weights are drawn from torch's global random state, as everywhere in
    `transformers`.

    Parameters
    ----------
    directory : Path
        Folder to write to; made if absent.
    tokenizer : PreTrainedTokenizerFast
        What `compact_tokenizer` gives.
    n_positions : int
        Most tokens in a text.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=n_positions,
        n_embd=WIDTH,
        n_layer=N_LAYERS,
        n_head=N_HEADS,
        activation_function="gelu",
        initializer_range=INITIAL_SD,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    GPT2LMHeadModel(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
