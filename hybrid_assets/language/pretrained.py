"""Pretrained models, loaded by be-great and corrected where it is wrong."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.smollm2 import write_smollm2

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMOLLM2, HUB = "smollm2", "hf:"


def pretrained_model(
    word: str, *, lora: bool, study: str
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model with be-great's GReaT (Borisov et al. 2023), in float32.

    be-great trains in the precision that a model's files happen to have: in
    bfloat16 an update of 5e-5 is lost in rounding.

    Parameters
    ----------
    word : str
        ``"smollm2"`` or ``"hf:<folder or hub name>"``.
    lora : bool
        Learn low-rank changes of the attention matrices only (package `peft`).
    study : str
        For messages.

    Raises
    ------
    GeneratorError
        If it cannot be loaded, has no end token, or if `peft` is absent.
    """
    if word == SMOLLM2:
        with tempfile.TemporaryDirectory() as folder:
            write_smollm2(Path(folder))
            great = _great(folder, lora, study, word)
    else:
        great = _great(word.removeprefix(HUB), lora, study, word)
    if great.tokenizer.eos_token_id is None:
        raise GeneratorError(
            f"study {study!r}: the language model {word!r} has no end token, so that a row "
            "could not end"
        )
    return great.model.float(), great.tokenizer


def merged(model: Any) -> PreTrainedModel:
    """Add what LoRA learned to the matrices it was learned for; other models are left alone."""
    plain: PreTrainedModel = model.merge_and_unload() if hasattr(model, "peft_config") else model
    return plain


def require_room(model: PreTrainedModel, word: str, needed: int) -> None:
    """Refuse a model that reads fewer tokens than a row has.

    Raises
    ------
    GeneratorError
    """
    most = getattr(model.config, "max_position_embeddings", None)
    if most is not None and most < needed:
        raise GeneratorError(
            f"language model {word!r}: expected room for {needed} tokens, got room for {most}"
        )


def _great(name: str, lora: bool, study: str, word: str) -> Any:
    from be_great import GReaT

    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            # be-great prints how much LoRA may change; peft finds out how GPT-2 stores it
            warnings.filterwarnings("ignore", message="fan_in_fan_out|`is_gradient_checkpointing")
            return GReaT(name, efficient_finetuning="lora" if lora else "")
    except ImportError as error:
        raise GeneratorError(
            f"study {study!r}: tuning 'lora' needs the package peft; "
            "install it with: pip install 'hybrid-assets[lora]'"
        ) from error
    except (OSError, ValueError) as error:
        if "target modules" in str(error).lower():
            raise GeneratorError(
                f"study {study!r}: tuning 'lora' changes attention matrices, of which the language "
                f"model {word!r} has none that peft knows; expected tuning: full"
            ) from error
        raise GeneratorError(
            f"study {study!r}: the language model {word!r} is not a folder or hub name that can "
            "be loaded"
        ) from error
