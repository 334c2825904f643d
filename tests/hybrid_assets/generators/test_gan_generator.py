import json
import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from hybrid_assets.errors import GeneratorError, InvalidModelFiles
from hybrid_assets.generators.drawing import draw_valid
from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.generators.gan import GanGenerator, GanSettings
from hybrid_assets.schema import TableSchema

QUICK = GanSettings(steps=5, batch_size=50)


def fitted(table, schema, seed=1, settings=QUICK):
    return GanGenerator(settings).fit(table, schema, np.random.default_rng(seed))


def rows(generator, seed, n_rows=150):
    return generator.sample(n_rows, np.random.default_rng(seed))


def test_every_table_is_learned_saved_and_restored(any_table):
    table, schema = any_table
    generator = fitted(table, schema)
    files = generator.to_files()
    restored = GanGenerator.from_files(files, QUICK, schema)
    assert sorted(files) == ["generator.json", "model.safetensors"]
    assert restored.to_files() == files
    pd.testing.assert_frame_equal(rows(restored, 4), rows(generator, 4))
    drawn, _ = draw_valid(generator, schema, 200, np.random.default_rng(2))
    assert drawn.dtypes.equals(table.dtypes)
    assert not schema.invalid_counts(drawn)[0].any()
    for column in schema.columns:
        if column.is_discrete_set or table[column.name].nunique() == 1:
            assert set(drawn[column.name]) <= set(table[column.name])


def test_same_seed_same_bytes_other_seed_other_bytes(mixed_table):
    table, schema = mixed_table
    first, second, other = (fitted(table, schema, seed) for seed in (1, 1, 2))
    assert first.to_files() == second.to_files()
    pd.testing.assert_frame_equal(rows(first, 3), rows(second, 3))
    assert first.to_files() != other.to_files()
    assert not rows(first, 3).equals(rows(first, 4))


@pytest.mark.parametrize("columns", [["site", "age", "weight", "smoker"], ["weight"]])
def test_the_weights_are_those_of_ctgan_bit_for_bit(mixed_table, columns):
    import torch
    from ctgan import CTGAN
    from joblib import parallel_config

    from hybrid_assets.generators.gan import LAYER_WIDTHS, LEARNING_RATE, NOISE_WIDTH
    from hybrid_assets.randomness import borrowed_random_state, drawn_seed, one_torch_thread

    table, schema = mixed_table[0][columns], mixed_table[1].select(columns)
    mine = GanGenerator(GanSettings(steps=40, batch_size=50)).fit(
        schema.rounded(table), schema, np.random.default_rng(1)
    )
    discrete = [code.name for code in mine.state_.columns if hasattr(code, "levels")]
    plain = schema.stored(schema.rounded(table)).astype(
        {name: float for name in columns if name not in discrete}
    )
    peer = CTGAN(
        embedding_dim=NOISE_WIDTH,
        generator_dim=LAYER_WIDTHS,
        discriminator_dim=LAYER_WIDTHS,
        batch_size=50,
        generator_lr=LEARNING_RATE,
        discriminator_lr=LEARNING_RATE,
        epochs=2,
        enable_gpu=False,
    )
    seed = drawn_seed(np.random.default_rng(1))
    with borrowed_random_state(seed), one_torch_thread(), parallel_config("sequential"):
        peer.fit(plain, discrete)
    weights = mine.network_.state_dict()
    assert all(torch.equal(weights[n], w) for n, w in peer._generator.state_dict().items())
    losses = mine.learning_curve_[["generator_loss", "discriminator_loss"]]
    theirs = peer.loss_values[["Generator Loss", "Discriminator Loss"]]
    assert losses.to_numpy().tolist() == theirs.to_numpy(dtype=float).tolist()


def test_tells_how_far_it_is(mixed_table, monkeypatch):
    monkeypatch.setattr("hybrid_assets.generators.gan_training.SECONDS_BETWEEN_REPORTS", 0.0)
    told = []
    generator = GanGenerator(GanSettings(steps=60, batch_size=50))
    generator.support = FitSupport(on_progress=told.append)
    generator.fit(*mixed_table, np.random.default_rng(1))
    assert [(one.step, one.n_steps) for one in told] == [(20, 60), (40, 60), (60, 60)]
    assert told[0].loss == generator.learning_curve_["generator_loss"][0]
    assert told[0].seconds_left > 0
    assert told[-1].seconds_left == 0


def test_refuses_to_go_on_without_finite_losses(mixed_table, monkeypatch):
    monkeypatch.setattr("hybrid_assets.generators.gan.LEARNING_RATE", 1e30)
    with pytest.raises(GeneratorError, match="CTGAN diverged in epoch 1: its losses are"):
        fitted(*mixed_table)


def test_leaves_global_random_states_and_threads_alone(mixed_table):
    import torch

    torch.set_num_threads(2)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    rows(fitted(*mixed_table), 1)
    assert random.getstate() == before[0]
    assert all(map(np.array_equal, np.random.get_state(), before[1]))
    assert torch.equal(torch.get_rng_state(), before[2])
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("n_rows", "settings", "steps"),
    [
        (1000, GanSettings(steps=25, batch_size=100), [10, 20, 30]),
        (1000, GanSettings(steps=5, batch_size=500), [2, 4, 6]),
        (37, GanSettings(steps=3, batch_size=100), [1, 2, 3]),
    ],
)
def test_trains_at_least_the_steps_asked_for(mixed_table, n_rows, settings, steps):
    table, schema = mixed_table
    curve = fitted(table.head(n_rows), schema, settings=settings).learning_curve_
    assert list(curve.columns) == ["step", "generator_loss", "discriminator_loss"]
    assert curve["step"].tolist() == steps
    assert np.isfinite(curve.to_numpy()).all()


def test_learns_shares_and_ranges(mixed_table):
    table, schema = mixed_table
    schema = schema.select(["site", "weight", "smoker"])
    generator = fitted(table, schema, settings=GanSettings(steps=400, batch_size=50))
    drawn, report = draw_valid(generator, schema, 4000, np.random.default_rng(2))
    assert report.valid_share > 0.8
    for name in ("site", "smoker"):
        wanted = table[name].value_counts(normalize=True).to_dict()
        shares = drawn[name].value_counts(normalize=True).to_dict()
        assert shares == pytest.approx(wanted, abs=0.12)
    weight = table["weight"]
    assert drawn["weight"].mean() == pytest.approx(weight.mean(), abs=weight.std())


def test_conditions_on_levels_as_often_as_the_table_shows_them(mixed_table):
    table, schema = mixed_table
    table = table.assign(smoker=(np.arange(1000) < 10).astype("int64"))
    state = fitted(table, schema).state_
    sizes = table["site"].value_counts(normalize=True)
    assert sorted(state.condition_shares) == pytest.approx(
        sorted([*(sizes / 2), 0.01 / 2, 0.99 / 2])
    )


def test_integers_with_many_values_are_modes_and_come_back_whole(mixed_table):
    table, schema = mixed_table
    generator = fitted(table, schema)
    codes = {code.name: code for code in generator.state_.columns}
    assert hasattr(codes["age"], "means")
    assert hasattr(codes["smoker"], "levels")
    assert (rows(generator, 1)["age"] % 1 == 0).all()


def test_another_process_gives_the_same_rows(mixed_table, tmp_path):
    table, schema = mixed_table
    generator = fitted(table, schema)
    for name, content in generator.to_files().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "schema").write_text(schema.model_dump_json())
    script = """
import sys, pathlib, numpy as np
from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.generators.gan import GanGenerator, GanSettings
from hybrid_assets.schema import TableSchema
folder = pathlib.Path(sys.argv[1])
schema = TableSchema.model_validate_json((folder / "schema").read_text())
files = {n: (folder / n).read_bytes() for n in ("generator.json", "model.safetensors")}
generator = GanGenerator.from_files(files, GanSettings(), schema)
print(generator.sample(20, np.random.default_rng(5)).to_json(double_precision=15))
"""
    output = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    here = generator.sample(20, np.random.default_rng(5)).to_json(double_precision=15)
    assert json.loads(output) == json.loads(here)


def test_refuses_missing_values(mixed_table):
    table, schema = mixed_table
    table.loc[3, "weight"] = np.nan
    with pytest.raises(GeneratorError, match=r"needs complete columns; \['weight'\]"):
        fitted(table, schema)


@pytest.mark.parametrize("damage", [{"generator.json": b"{"}, {"model.safetensors": b"short"}])
def test_refuses_damaged_files(mixed_table, damage):
    table, schema = mixed_table
    files = fitted(table, schema).to_files()
    with pytest.raises(InvalidModelFiles, match="gan generator cannot be read"):
        GanGenerator.from_files(files | damage, QUICK, schema)
    with pytest.raises(InvalidModelFiles, match="gan generator cannot be read .KeyError."):
        GanGenerator.from_files({"generator.json": files["generator.json"]}, QUICK, schema)
    fewer = TableSchema(study="small", columns=schema.columns[:2])
    with pytest.raises(InvalidModelFiles, match=r"expected \['site', 'age'\]"):
        GanGenerator.from_files(files, QUICK, fewer)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"batch_size": 55}, {"epochs": 3}])
def test_refuses_settings(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        GanSettings(**bad)


def test_importing_is_light():
    script = (
        "import sys, hybrid_assets.generators.gan, hybrid_assets.generators.llm; "
        "heavy = {'torch', 'ctgan', 'transformers', 'be_great', 'datasets'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
