import numpy as np
import pytest

from hybrid_assets.language.serialization import written_values
from hybrid_assets.language.tokenizer import UNKNOWN, compact_tokenizer, most_tokens


@pytest.fixture
def texts(awkward_table, awkward_schema):
    rng = np.random.default_rng(5)
    values = written_values(awkward_table, awkward_schema)
    return [
        ", ".join(f"{name} is {row[name]}" for name in rng.permutation(list(row)))
        for row in values.to_dict("records")
    ]


def test_decodes_what_it_encodes(awkward_schema, texts):
    tokenizer = compact_tokenizer(awkward_schema)
    tokens = [tokenizer(text)["input_ids"] for text in texts]
    assert tokenizer.batch_decode(tokens) == texts
    assert tokenizer.unk_token_id not in {token for row in tokens for token in row}


def test_a_token_is_a_name_a_level_or_a_digit(awkward_schema):
    tokenizer = compact_tokenizer(awkward_schema)
    text = "is is -0305, CD4+|x is a, b, age (y.) is +17.5, größe is 10, is it is 0"
    assert tokenizer.tokenize(text) == [
        *(", is is ", "-0", "3", "0", "5"),
        *(", CD4+|x is ", "\ue003a, b"),  # a private letter tells the levels of columns apart
        *(", age (y.) is ", "+1", "7.", "5"),
        *(", größe is ", "\ue00410"),
        *(", is it is ", "\ue0000"),
    ]


def test_words_of_no_column_are_unknown(awkward_schema):
    assert UNKNOWN in compact_tokenizer(awkward_schema).tokenize("is is 3, price is 12.50")


def test_most_tokens_bounds_every_row(awkward_table, awkward_schema, texts):
    tokenizer = compact_tokenizer(awkward_schema)
    most = most_tokens(written_values(awkward_table, awkward_schema), tokenizer)
    longest = max(len(tokenizer(text)["input_ids"]) for text in texts)
    assert longest <= most <= longest + len(awkward_schema.columns) + 1
