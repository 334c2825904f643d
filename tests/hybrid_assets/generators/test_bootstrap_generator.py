import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators.bootstrap import BootstrapGenerator, BootstrapSettings
from hybrid_assets.generators.drawing import draw_valid

SETTINGS = BootstrapSettings()


def fitted(table, schema):
    return BootstrapGenerator(SETTINGS).fit(table, schema, np.random.default_rng(1))


def test_every_row_is_somebodys(any_table):
    table, schema = any_table
    drawn, report = draw_valid(fitted(table, schema), schema, 300, np.random.default_rng(2))
    assert drawn.dtypes.equals(table.dtypes)
    assert report.n_dropped == 0
    people = set(table.itertuples(index=False, name=None))
    assert set(drawn.itertuples(index=False, name=None)) <= people


def test_restored_generator_gives_the_same_rows_and_files(any_table):
    table, schema = any_table
    generator = fitted(table, schema)
    files = generator.to_files()
    assert files == fitted(table, schema).to_files()
    restored = BootstrapGenerator.from_files(files, SETTINGS, schema)
    assert restored.to_files() == files
    pd.testing.assert_frame_equal(
        restored.sample(100, np.random.default_rng(3)),
        generator.sample(100, np.random.default_rng(3)),
    )


def test_people_are_drawn_equally_often(mixed_table):
    table, schema = mixed_table
    table["weight"] = np.arange(1000) / 10
    drawn = fitted(table, schema).sample(100_000, np.random.default_rng(4))
    n_drawn = drawn["weight"].value_counts()
    assert len(n_drawn) == 1000
    assert n_drawn.std() == pytest.approx(10, abs=1)  # Poisson with mean 100


def test_missing_and_absent_columns_are_refused(mixed_table):
    table, schema = mixed_table
    with pytest.raises(GeneratorError, match=r"absent columns \['age'\]"):
        fitted(table.drop(columns="age"), schema)
    with pytest.raises(GeneratorError, match="got 0 rows"):
        fitted(table.iloc[:0], schema)
    table.loc[0, "income"] = np.nan
    with pytest.raises(GeneratorError, match=r"\['income'\] hold missing values"):
        fitted(table, schema)
