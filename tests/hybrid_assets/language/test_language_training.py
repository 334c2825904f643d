import numpy as np
import pandas as pd
import pytest
import torch

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.free_sampler import drawn_texts
from hybrid_assets.language.model_files import (
    model_from_files,
    model_to_files,
    quiet_transformers,
)
from hybrid_assets.language.serialization import read_rows, written_values
from hybrid_assets.language.tiny_model import write_tiny_model
from hybrid_assets.language.tokenizer import compact_tokenizer, most_tokens
from hybrid_assets.language.training import EndedRows, TrainingPlan, fine_tuned
from hybrid_assets.randomness import borrowed_random_state

PLAN = TrainingPlan(steps=3, batch_size=8, learning_rate=3e-3, seed=4)


@pytest.fixture
def values(awkward_table, awkward_schema):
    return written_values(awkward_table, awkward_schema)


@pytest.fixture
def tiny_folder(values, awkward_schema, tmp_path):
    tokenizer = compact_tokenizer(awkward_schema)
    with borrowed_random_state(1), quiet_transformers():
        write_tiny_model(tmp_path, tokenizer, most_tokens(values, tokenizer) + 1)
    return tmp_path


def test_rows_start_and_end_with_the_end_token_and_padding_is_not_learned():
    batch = EndedRows(end_token=9)([{"input_ids": [1, 2, 3]}, {"input_ids": [4]}])
    assert batch["input_ids"].tolist() == [[9, 1, 2, 3, 9], [9, 4, 9, 9, 9]]
    assert batch["labels"].tolist() == [[9, 1, 2, 3, 9], [9, 4, 9, -100, -100]]


def test_every_access_to_a_row_shuffles_its_columns(values, awkward_schema):
    from be_great.great_dataset import GReaTDataset

    rows = GReaTDataset.from_pandas(values.head(1))
    tokenizer = compact_tokenizer(awkward_schema)
    rows.set_tokenizer(tokenizer)
    with borrowed_random_state(2):
        texts = {tokenizer.decode(row["input_ids"]) for row in rows.__getitems__([0] * 60)}
    assert len(texts) > 30
    assert len({text.split(" is ")[0] for text in texts}) == len(awkward_schema.columns)


def test_training_keeps_a_falling_curve_and_prints_nothing(tiny_folder, values, capfd):
    plan = TrainingPlan(steps=60, batch_size=8, learning_rate=3e-3, seed=4)
    with borrowed_random_state(1), quiet_transformers():
        curve = fine_tuned(str(tiny_folder), values, plan).learning_curve
    assert curve["step"].tolist() == list(range(1, 61))
    assert curve["loss"].tail(5).mean() < 0.8 * curve["loss"].head(5).mean()
    assert capfd.readouterr() == ("", "")


def test_refuses_a_model_with_too_little_room(values, awkward_schema, tmp_path):
    with borrowed_random_state(1), quiet_transformers():
        write_tiny_model(tmp_path, compact_tokenizer(awkward_schema), 8)
        with pytest.raises(GeneratorError, match="room for 17 tokens; got end token 0, room for 8"):
            fine_tuned(str(tmp_path), values, PLAN)


def test_sampler_stops_at_the_end_token_and_follows_its_generator(tiny_folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers(), torch.inference_mode():
        model = AutoModelForCausalLM.from_pretrained(tiny_folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(tiny_folder)

        def texts(seed, max_tokens, n_texts=3000, temperature=1.0):
            return drawn_texts(
                model,
                tokenizer,
                n_texts,
                max_tokens=max_tokens,
                temperature=temperature,
                random=torch.Generator().manual_seed(seed),
            )

        assert texts(1, 10) == texts(1, 10)
        assert texts(1, 10) != texts(2, 10)
        assert len(texts(1, 2)) == 3000
        n_ended = [sum(text != "" for text in texts(1, length)) for length in (1, 10)]
        assert n_ended[0] < n_ended[1]
        seen = {token for text in texts(1, 10) for token in tokenizer(text)["input_ids"]}
        assert len(seen) > 60  # untrained: all tokens are likely, none is cut off
        assert len(set(texts(1, 10, temperature=1e-3))) == 1


def test_files_hold_the_model(tiny_folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(tiny_folder)
        files = model_to_files(model, AutoTokenizer.from_pretrained(tiny_folder))
    restored, tokenizer = model_from_files(files)
    assert model_to_files(restored, tokenizer) == files
    assert all(name.endswith((".safetensors", ".json")) for name in files)
    assert str(tiny_folder).encode() not in b"".join(files.values())
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, restored.state_dict()[name])


def test_a_trained_model_writes_rows(awkward_schema, tmp_path):
    schema = awkward_schema.select(["is it", "größe"])
    rng = np.random.default_rng(1)
    binary = rng.integers(0, 2, 200)
    table = schema.canonical(pd.DataFrame({"is it": binary, "größe": np.where(binary, 10, 1)}))
    values = written_values(table, schema)
    tokenizer = compact_tokenizer(schema)
    plan = TrainingPlan(steps=150, batch_size=16, learning_rate=3e-3, seed=1)
    with borrowed_random_state(1), quiet_transformers():
        write_tiny_model(tmp_path, tokenizer, most_tokens(values, tokenizer) + 1)
        fitted = fine_tuned(str(tmp_path), values, plan)
    with torch.inference_mode():
        texts = drawn_texts(
            fitted.model,
            fitted.tokenizer,
            1000,
            max_tokens=most_tokens(values, tokenizer),
            temperature=1.0,
            random=torch.Generator().manual_seed(1),
        )
    read = read_rows(texts, schema).dropna()
    assert len(read) > 900
    first = pd.Series(texts).str.startswith("is it is").mean()
    assert 0.3 < first < 0.7  # the order of columns is learned as random
    assert (read["größe"].eq("10") == read["is it"].eq(1)).mean() > 0.95
