import json

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import GeneratorError, InvalidModelFiles, YieldTooLow
from hybrid_assets.generators.drawing import draw_valid
from hybrid_assets.generators.great import GreatGenerator, GreatSettings
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.schema import TableSchema


@pytest.fixture
def two_columns(mixed_table):
    table, schema = mixed_table
    schema = schema.select(["site", "smoker"])
    return table[schema.names], schema


@pytest.fixture
def taught_gpt2(two_columns, generic_gpt2, tmp_path):
    """A model that writes rows already: be-great's learning rate teaches nothing from nothing."""
    settings = LlmSettings(model=f"hf:{generic_gpt2}", steps=150, learning_rate=1e-2)
    taught = LlmGenerator(settings).fit(*two_columns, np.random.default_rng(1))
    folder = tmp_path / "taught"
    folder.mkdir()
    for name, content in taught.to_files().items():
        (folder / name).write_bytes(content)
    return str(folder)


def settings_of(folder, **changes):
    return GreatSettings(model=folder, max_length=40, temperature=1.0, **changes)


def test_tunes_draws_and_restores_as_be_great_does(two_columns, taught_gpt2, capfd):
    table, schema = two_columns
    settings = settings_of(taught_gpt2, epochs=2, batch_size=32)

    def fitted():
        return GreatGenerator(settings).fit(table, schema, np.random.default_rng(1))

    generator = fitted()
    assert generator.learning_curve_["step"].tolist() == [32, 64]
    files = generator.to_files()
    assert fitted().to_files() == files
    assert all(name.endswith((".safetensors", ".json", ".jinja")) for name in files)
    start = json.loads(files["generator.json"])
    assert start["columns"] == schema.names
    shares = table[start["conditional_col"]].value_counts(normalize=True)
    known = {str(level): share for level, share in shares.items()}
    assert start["conditional_col_dist"] == pytest.approx(known)
    drawn, report = draw_valid(generator, schema, 200, np.random.default_rng(2))
    assert len(drawn) == 200
    assert report.valid_share > 0.5
    assert not schema.invalid_counts(drawn)[0].any()
    assert drawn["site"].nunique() > 1
    assert set(drawn["smoker"]) == {0, 1}
    restored = GreatGenerator.from_files(files, settings, schema)
    assert restored.to_files() == files
    first, again = (one.sample(50, np.random.default_rng(3)) for one in (generator, restored))
    pd.testing.assert_frame_equal(first, again)
    assert capfd.readouterr() == ("", "")


def test_tells_when_nothing_can_be_read(two_columns, generic_gpt2):
    table, schema = two_columns
    settings = settings_of(generic_gpt2, epochs=1, batch_size=1000)
    generator = GreatGenerator(settings).fit(table, schema, np.random.default_rng(1))
    with pytest.raises(YieldTooLow, match="study 'small': be-great read no row"):
        generator.sample(20, np.random.default_rng(1))


def test_refuses_absent_models_and_damaged_files(two_columns, generic_gpt2, tmp_path):
    table, schema = two_columns
    absent = settings_of(f"{tmp_path}/nothing")
    with pytest.raises(GeneratorError, match="nothing' is not a folder or hub name"):
        GreatGenerator(absent).fit(table, schema, np.random.default_rng(1))
    settings = settings_of(generic_gpt2, epochs=1, batch_size=1000)
    files = GreatGenerator(settings).fit(table, schema, np.random.default_rng(1)).to_files()
    for damage in ({"generator.json": b"{"}, {"model.safetensors": b"short"}):
        with pytest.raises(InvalidModelFiles, match="great generator cannot be read"):
            GreatGenerator.from_files(files | damage, settings, schema)
    narrow = TableSchema(study="small", columns=schema.columns[:1])
    with pytest.raises(InvalidModelFiles, match=r"expected \['site'\]"):
        GreatGenerator.from_files(files, settings, narrow)
