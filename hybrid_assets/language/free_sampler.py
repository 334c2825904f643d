"""Drawing texts from a causal language model, many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROWS_PER_BATCH = 2_048


def drawn_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    n_texts: int,
    *,
    max_tokens: int,
    temperature: float,
    random: torch.Generator,
) -> list[str]:
    """Let the model write `n_texts` texts from nothing but its start token.

    Every token is drawn from the whole learned distribution: be-great cuts it
    to the 50 likeliest tokens, and starts texts with values of the table.

    Parameters
    ----------
    model, tokenizer : PreTrainedModel, PreTrainedTokenizerBase
        What `training.trained` gives; the end token is also the start.
    max_tokens : int
        Most tokens in a text.
    temperature : float
        Divides the logits; 1 leaves the learned distribution as it is.
    random : torch.Generator
        Source of all draws.

    Returns
    -------
    list of str
        A text that did not end within `max_tokens` is empty.
    """
    texts: list[str] = []
    while len(texts) < n_texts:
        tokens = _drawn_tokens(
            model,
            min(ROWS_PER_BATCH, n_texts - len(texts)),
            max_tokens=max_tokens,
            end_token=tokenizer.eos_token_id,
            temperature=temperature,
            random=random,
        )
        texts += _ended_texts(tokens, tokenizer)
    return texts


def _drawn_tokens(
    model: PreTrainedModel,
    n_rows: int,
    *,
    max_tokens: int,
    end_token: int,
    temperature: float,
    random: torch.Generator,
) -> torch.Tensor:
    """Draw tokens until all rows have ended; shape (n_rows, at most max_tokens + 1)."""
    import torch

    token = torch.full((n_rows, 1), end_token)
    ended = torch.zeros_like(token, dtype=torch.bool)
    tokens, cache = [], None
    for _ in range(max_tokens + 1):
        output = model(input_ids=token, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        probabilities = (output.logits[:, -1].float() / temperature).softmax(dim=1)
        token = torch.multinomial(probabilities, 1, generator=random)
        token = token.masked_fill(ended, end_token)
        ended |= token == end_token
        tokens.append(token)
        if ended.all():
            break
    return torch.cat(tokens, dim=1)


def _ended_texts(tokens: torch.Tensor, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Decode up to the end token; without one the text is empty."""
    is_end = tokens == tokenizer.eos_token_id
    lengths = is_end.int().argmax(dim=1) * is_end.any(dim=1)
    texts = [row[:n] for row, n in zip(tokens.tolist(), lengths.tolist(), strict=True)]
    return tokenizer.batch_decode(
        texts, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
