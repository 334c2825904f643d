"""A language model and its tokenizer as named files, without pickle."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WHERE_FROM = ("is_local", "local_files_only")  # says how a tokenizer was loaded, not what it is


def model_to_files(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, bytes]:
    """Give what ``save_pretrained`` writes: safetensors and JSON."""
    with tempfile.TemporaryDirectory() as directory, quiet_transformers():
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        files = {path.name: path.read_bytes() for path in sorted(Path(directory).iterdir())}
    about = json.loads(files["tokenizer_config.json"])
    kept = {name: value for name, value in about.items() if name not in WHERE_FROM}
    return {**files, "tokenizer_config.json": json.dumps(kept, indent=1, sort_keys=True).encode()}


def model_from_files(files: dict[str, bytes]) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load what `model_to_files` gave, ready to sample.

    Raises
    ------
    OSError, ValueError, SafetensorError
        If a file is absent or damaged.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as directory, quiet_transformers():
        for name, content in files.items():
            (Path(directory) / Path(name).name).write_bytes(content)
        model = AutoModelForCausalLM.from_pretrained(
            directory, local_files_only=True, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(directory)
    return model.eval(), tokenizer  # type: ignore[no-untyped-call]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Let `transformers` show no progress bars and log errors only."""
    from transformers.utils import logging

    verbosity, shows_progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_progress:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
