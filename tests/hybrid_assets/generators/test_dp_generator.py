import importlib.util
import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from hybrid_assets.errors import GeneratorError, InvalidModelFiles
from hybrid_assets.generators.dp import DpGenerator, DpSettings
from hybrid_assets.generators.drawing import draw_valid
from hybrid_assets.privacy.ledger import epsilon_of

SETTINGS = DpSettings()
MUCH = DpSettings(epsilon=100)
needs_opendp = pytest.mark.skipif(
    importlib.util.find_spec("opendp") is None, reason="needs pip install 'hybrid-assets[dp]'"
)


@pytest.fixture
def fitted(seeded_noise):
    def fit(table, schema, settings=SETTINGS):
        rng = np.random.default_rng(1)
        return DpGenerator(settings).fit(table, schema, rng, noise=seeded_noise(5))

    return fit


def test_every_table_gives_valid_rows_of_canonical_types(any_table, fitted):
    table, schema = any_table
    drawn, report = draw_valid(fitted(table, schema), schema, 500, np.random.default_rng(2))
    assert drawn.dtypes.equals(table.dtypes)
    assert report.n_dropped == 0


def test_restored_generator_gives_the_same_rows_and_files(any_table, fitted):
    table, schema = any_table
    generator = fitted(table, schema)
    files = generator.to_files()
    assert sorted(files) == ["law.json", "potentials.safetensors", "schema.json"]
    restored = DpGenerator.from_files(files, SETTINGS, schema)
    assert restored.to_files() == files
    pd.testing.assert_frame_equal(
        restored.sample(300, np.random.default_rng(4)),
        generator.sample(300, np.random.default_rng(4)),
    )


def test_some_columns_are_drawn_from_the_same_law(mixed_table, fitted):
    table, schema = mixed_table
    generator = fitted(table, schema)
    some = schema.select(["age", "smoker"])
    restored = DpGenerator.from_files(generator.to_files(), SETTINGS, some)
    whole = generator.sample(20_000, np.random.default_rng(3))
    pd.testing.assert_frame_equal(
        restored.sample(20_000, np.random.default_rng(3)), whole[["age", "smoker"]]
    )


def test_with_much_budget_keeps_the_joint_law(mixed_table, fitted):
    table, schema = mixed_table
    drawn = fitted(table, schema, MUCH).sample(50_000, np.random.default_rng(3))
    assert drawn["smoker"].mean() == pytest.approx(table["smoker"].mean(), abs=0.03)
    assert drawn["age"].mean() == pytest.approx(table["age"].mean(), abs=1)
    by_site = [t.groupby("site", observed=True)["age"].mean() for t in (drawn, table)]
    np.testing.assert_allclose(*by_site, atol=1.5)
    assert np.corrcoef(drawn["age"], drawn["weight"])[0, 1] == pytest.approx(
        np.corrcoef(table["age"], table["weight"])[0, 1], abs=0.1
    )


def test_more_budget_comes_nearer(mixed_table, fitted):
    table, schema = mixed_table
    truth = pd.crosstab(table["site"], table["smoker"], normalize=True)
    off = []
    for epsilon in (0.1, 100):
        drawn = fitted(table, schema, DpSettings(epsilon=epsilon)).sample(
            50_000, np.random.default_rng(3)
        )
        off.append(
            float(
                (pd.crosstab(drawn["site"], drawn["smoker"], normalize=True) - truth)
                .abs()
                .sum()
                .sum()
            )
        )
    assert off[1] < 0.05 < off[0]


def test_model_files_hold_the_law_and_nobody(mixed_table, fitted):
    table, schema = mixed_table
    law = json.loads(fitted(table, schema).to_files()["law.json"])
    assert sorted(law) == ["counts_taken", "delta", "epsilon", "n_bins", "together"]
    assert law["counts_taken"][0]["columns"] == ["site"]
    assert all(taken["noise_sd"] > 0 for taken in law["counts_taken"])


def test_settings_tell_what_a_fit_costs():
    law, made = SETTINGS.spent
    assert epsilon_of(law.rho, SETTINGS.delta) == pytest.approx(3.0)
    assert (law.mechanism, made.mechanism, made.rho) == ("AIM", "post-processing", 0.0)
    with pytest.raises(ValidationError, match="greater than 0"):
        DpSettings(epsilon=0)


def test_refuses_what_it_cannot_promise(mixed_table, fitted):
    table, schema = mixed_table
    with pytest.raises(
        GeneratorError,
        match=r"delta at most 0\.1 / rows; got 5 columns, 1000 rows and delta 0\.00011",
    ):
        fitted(table, schema, DpSettings(delta=1.1e-4))
    DpGenerator(DpSettings(delta=1e-4)).require_possible(table, schema)
    table.loc[0, "income"] = np.nan
    with pytest.raises(GeneratorError, match=r"\['income'\] hold missing values"):
        fitted(table, schema)


def test_damaged_or_other_files_are_refused(mixed_table, fitted):
    table, schema = mixed_table
    files = fitted(table, schema).to_files()
    with pytest.raises(InvalidModelFiles, match="cannot be read"):
        DpGenerator.from_files({**files, "potentials.safetensors": b"?"}, SETTINGS, schema)
    without = {name: content for name, content in files.items() if name != "law.json"}
    with pytest.raises(InvalidModelFiles, match="cannot be read"):
        DpGenerator.from_files(without, SETTINGS, schema)
    with pytest.raises(InvalidModelFiles, match="fitted to other columns, levels, ranges or bins"):
        DpGenerator.from_files(files, DpSettings(n_bins=5), schema)
    wider = schema.columns[1].model_copy(update={"maximum": 999.0})
    other = schema.model_copy(update={"columns": (schema.columns[0], wider, *schema.columns[2:])})
    with pytest.raises(InvalidModelFiles, match="fitted to other columns, levels, ranges or bins"):
        DpGenerator.from_files(files, SETTINGS, other)


@needs_opendp
def test_two_fits_differ_and_each_spends_anew(mixed_table):
    table, schema = mixed_table
    first, second = (
        DpGenerator(SETTINGS).fit(table, schema, np.random.default_rng(1)) for _ in range(2)
    )
    assert first.to_files() != second.to_files()
