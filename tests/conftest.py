"""A pretrained language model as the suites know it: a folder."""

import pytest


@pytest.fixture
def generic_gpt2(tmp_path):
    """Make a folder with a byte-level GPT-2 that knows nothing of the table."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from hybrid_assets.language.model_files import quiet_transformers
    from hybrid_assets.randomness import borrowed_random_state

    words = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bpe = Tokenizer(models.BPE({word: token for token, word in enumerate(words)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|endoftext|>")
    config = GPT2Config(
        vocab_size=len(words),
        n_embd=32,
        n_layer=1,
        n_head=2,
        n_positions=64,
        initializer_range=0.15,
        bos_token_id=0,
        eos_token_id=0,
    )
    with quiet_transformers(), borrowed_random_state(1):
        GPT2LMHeadModel(config).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)
