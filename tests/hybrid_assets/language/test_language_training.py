import json

import numpy as np
import pytest
import torch

from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.language.batches import NOT_LEARNED, CompactRows, TextRows
from hybrid_assets.language.model_files import (
    model_from_files,
    model_to_files,
    quiet_transformers,
)
from hybrid_assets.language.pretrained import require_room
from hybrid_assets.language.serialization import written_values
from hybrid_assets.language.tiny_model import tiny_model
from hybrid_assets.language.tokenizer import compact_tokenizer
from hybrid_assets.language.training import TrainingPlan, trained
from hybrid_assets.language.training_state import TrainingState
from hybrid_assets.randomness import borrowed_random_state

PLAN = TrainingPlan(steps=12, batch_size=8, learning_rate=3e-3, seed=4)


class Memory:
    """Keeps checkpoints as a fit would find them after a kill."""

    def __init__(self, content=None):
        self.content, self.history = content, []

    def state(self, name):
        assert name == "training"
        return self.content

    def keep_state(self, name, content):
        self.content = content
        self.history.append(content)


def fit(table, schema, plan=PLAN, **support):
    tokenizer = compact_tokenizer(schema)
    with borrowed_random_state(1), quiet_transformers():
        rows = CompactRows(table, schema, tokenizer, seed=5)
        return trained(tiny_model(tokenizer, rows.most_tokens), rows, plan, FitSupport(**support))


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_batch_is_whole_rows_between_end_tokens_in_random_orders(awkward_table, awkward_schema):
    tokenizer = compact_tokenizer(awkward_schema)
    rows = CompactRows(awkward_table, awkward_schema, tokenizer, seed=5)
    values = written_values(awkward_table, awkward_schema, fixed_width=True)
    chosen = np.array([3, 1, 4, 1])
    orders = set()
    for seed in range(30):
        batch = rows.batch(chosen, -1, seed)
        assert batch.shape[1] <= rows.most_tokens
        for position, tokens in zip(chosen, batch.tolist(), strict=True):
            tokens = [token for token in tokens if token != NOT_LEARNED]
            assert tokens[0] == tokens[-1] == tokenizer.eos_token_id
            text = tokenizer.decode(tokens[1:-1])
            pieces = [f"{name} is {values.loc[position, name]}" for name in values]
            assert sorted(text.replace(", ", "\0").split("\0")) == sorted(
                ", ".join(pieces).replace(", ", "\0").split("\0")
            )
            orders.add(text.split(" is ")[0])
    assert orders >= {"is", "age (y.)", "CD4+|x", "größe"}
    assert torch.equal(rows.batch(chosen, -1, 7), rows.batch(chosen, -1, 7))


def test_numbers_move_with_the_epoch_and_only_with_it(awkward_table, awkward_schema):
    rows = CompactRows(awkward_table, awkward_schema, compact_tokenizer(awkward_schema), seed=5)
    chosen = np.arange(60)
    first, again, second = (rows.batch(chosen, epoch, 1) for epoch in (0, 0, 1))
    other = CompactRows(awkward_table, awkward_schema, compact_tokenizer(awkward_schema), seed=5)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(other.batch(chosen, 1, 1), second)


def test_text_rows_are_be_greats_and_leave_the_global_generator_alone(
    awkward_table, awkward_schema
):
    import random

    values = written_values(awkward_table, awkward_schema, fixed_width=True)
    tokenizer = compact_tokenizer(awkward_schema)
    rows = TextRows(values.head(2), tokenizer)
    before = random.getstate()
    batches = [rows.batch(np.array([0, 1]), 0, seed) for seed in (1, 1, 2)]
    assert random.getstate() == before
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
    assert (batches[0][:, 0] == tokenizer.eos_token_id).all()


def test_text_rows_have_one_start_whatever_a_tokenizer_adds(awkward_table, awkward_schema):
    from tokenizers.processors import TemplateProcessing

    values = written_values(awkward_table, awkward_schema, fixed_width=True)
    tokenizer = compact_tokenizer(awkward_schema)
    plain = TextRows(values, tokenizer).batch(np.arange(4), 0, 1)
    end = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{end[0]} $A {end[0]}", special_tokens=[end]
    )
    assert tokenizer("is it is 1")["input_ids"][-1] == end[1]
    assert torch.equal(TextRows(values, tokenizer).batch(np.arange(4), 0, 1), plain)


def test_training_tells_a_falling_loss_and_prints_nothing(awkward_table, awkward_schema, capfd):
    told = []
    plan = TrainingPlan(steps=30, batch_size=8, learning_rate=3e-3, seed=4)
    result = fit(awkward_table, awkward_schema, plan, on_progress=told.append)
    curve = result.learning_curve
    assert curve["step"].tolist() == list(range(1, 31))
    assert curve["loss"].tail(3).mean() < 0.8 * curve["loss"].head(3).mean()
    assert curve["held_out_loss"].isna().all()  # 60 rows are too few to hold some out
    assert [one.step for one in told] == curve["step"].tolist()
    assert told[-1].seconds_left == 0
    assert result.tokens_per_second > 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_stops_when_held_out_rows_are_told_worse_and_keeps_the_best_weights(awkward_schema):
    import pandas as pd

    rng = np.random.default_rng(1)
    schema = awkward_schema.select(["is it", "CD4+|x"])
    levels = list(schema["CD4+|x"].levels)
    table = schema.canonical(
        pd.DataFrame({"is it": rng.integers(0, 2, 200), "CD4+|x": rng.choice(levels, 200)})
    )
    plan = TrainingPlan(steps=300, batch_size=32, learning_rate=2e-2, seed=4)
    curve = fit(table, schema, plan).learning_curve
    assert curve["step"].iloc[-1] < 300
    best = curve["held_out_loss"].idxmin()
    assert len(curve) - 1 - best == 5
    # two orders, a coin and a die with six faces
    assert curve["held_out_loss"].min() == pytest.approx(np.log(2 * 2 * 6), abs=0.25)


@pytest.mark.parametrize("killed_at", [5, 10])
def test_a_killed_fit_goes_on_to_the_same_weights(awkward_table, awkward_schema, killed_at):
    whole = fit(awkward_table, awkward_schema)
    memory = Memory()

    def die(progress):
        if progress.step >= killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            awkward_table,
            awkward_schema,
            on_progress=die,
            checkpoints=memory,
            checkpoint_every=2,
        )
    steps = []
    resumed = fit(
        awkward_table,
        awkward_schema,
        on_progress=lambda told: steps.append(told.step),
        checkpoints=memory,
        checkpoint_every=2,
    )
    assert steps[0] > killed_at - 2
    assert same(weights(whole.model), weights(resumed.model))
    assert whole.learning_curve.equals(resumed.learning_curve)


def test_a_checkpoint_of_another_fit_or_a_damaged_one_is_not_used(awkward_table, awkward_schema):
    memory = Memory()
    fit(awkward_table, awkward_schema, checkpoints=memory, checkpoint_every=4)
    whole = fit(awkward_table, awkward_schema)
    other_plan = TrainingPlan(steps=12, batch_size=8, learning_rate=1e-2, seed=4)
    for content, plan in ((memory.content, other_plan), (memory.content[:-9], PLAN), (b"x", PLAN)):
        found = fit(awkward_table, awkward_schema, plan, checkpoints=Memory(content))
        alone = fit(awkward_table, awkward_schema, plan)
        assert same(weights(found.model), weights(alone.model))
    assert TrainingState.from_bytes(memory.content, "another fit") is None
    assert not same(weights(whole.model), weights(found.model)) or plan is PLAN


def test_a_checkpoint_holds_weights_and_numbers_but_no_value(awkward_table, awkward_schema):
    memory = Memory()
    table = awkward_table.assign(**{"age (y.)": 73.1})
    fit(table, awkward_schema, checkpoints=memory, checkpoint_every=6)
    content = memory.content
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    state = json.loads(header.pop("__metadata__")["state"])
    assert set(state) == {"fit", "step", "best_loss", "n_worse", "losses", "curve"}
    assert state["step"] == 12
    kinds = {name.split("/")[0] for name in header}
    assert kinds == {"weights", "average", "best", "exp_avg", "exp_avg_sq", "step"}
    for trace in (b"73.1", np.float64(73.1).tobytes(), np.float32(73.1).tobytes(), b"pickle"):
        assert trace not in content


def test_refuses_a_model_with_too_little_room(awkward_schema):
    with borrowed_random_state(1), quiet_transformers():
        model = tiny_model(compact_tokenizer(awkward_schema), 8)
    with pytest.raises(GeneratorError, match="'hf:x': expected room for 17 tokens, got room for 8"):
        require_room(model, "hf:x", 17)


def test_files_hold_the_model(awkward_schema):
    tokenizer = compact_tokenizer(awkward_schema)
    with borrowed_random_state(1), quiet_transformers():
        model = tiny_model(tokenizer, 30)
        files = model_to_files(model, tokenizer)
    restored, read = model_from_files(files)
    assert model_to_files(restored, read) == files
    assert all(name.endswith((".safetensors", ".json")) for name in files)
    assert same(weights(model), weights(restored))
