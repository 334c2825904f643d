import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from hybrid_assets.language.smoothing import smoothed
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def schema_of(values, kind=ColumnKind.CONTINUOUS, **details):
    column = ColumnSchema(
        name="x",
        role=Role.COVARIATE,
        kind=kind,
        minimum=min(values),
        maximum=max(values),
        **details,
    )
    return TableSchema(study="s", columns=(column,))


def moved(values, seed=1, kind=ColumnKind.CONTINUOUS, **details):
    table = pd.DataFrame({"x": values})
    schema = schema_of(values, kind, **details)
    rng = np.random.default_rng(seed)
    return smoothed(table, schema, rng)["x"].to_numpy()


@pytest.mark.parametrize(("law", "distance"), [("normal", 0.012), ("lognormal", 0.06)])
def test_the_law_nearly_stays_and_the_numbers_move(law, distance):
    values = getattr(np.random.default_rng(3), law)(0, 1, 20_000).round(3)
    found = moved(values, decimals=3)
    assert ks_2samp(found, values).statistic < distance
    assert (found == values).mean() < 0.1
    assert (found >= 0).all() == (values >= 0).all()


def test_the_noise_is_15_percent_of_a_columns_sd():
    values = np.random.default_rng(3).normal(0, 1, 20_000).round(4)
    found = moved(values, decimals=4)
    noise = found * np.hypot(1, 0.15) - values
    assert np.std(noise) == pytest.approx(0.15, abs=0.004)
    assert np.corrcoef(noise, values)[0, 1] == pytest.approx(0, abs=0.03)


def test_mean_and_standard_deviation_stay():
    rng = np.random.default_rng(3)
    normal = rng.normal(50, 8, 20_000).round(2)
    income = np.where(rng.random(20_000) < 0.4, 0.0, rng.gamma(2, 900, 20_000).round(2))
    for values in (normal, income):
        found = np.array([moved(values, seed, decimals=2) for seed in range(10, 15)])
        assert found.mean() == pytest.approx(values.mean(), rel=0.002)
        assert found.std() == pytest.approx(values.std(), rel=0.002)  # 1.1 % more without shrinking


def test_a_value_that_many_share_stays_and_nothing_else_becomes_it():
    rng = np.random.default_rng(3)
    values = np.where(rng.random(3000) < 0.4, 0.0, rng.gamma(2, 900, 3000).round(2))
    found = moved(values, decimals=2)
    assert np.array_equal(found == 0, values == 0)
    assert ks_2samp(found, values).statistic < 0.05


def test_integers_stay_integers_and_other_kinds_stay_as_they_are():
    values = np.random.default_rng(3).integers(20, 220, 2000)
    found = moved(values, kind=ColumnKind.INTEGER)
    assert found.dtype == np.int64
    assert 0.5 < (found != values).mean() < 0.97
    binary = pd.DataFrame({"x": [0, 1, 1]})
    schema = TableSchema(
        study="s",
        columns=(ColumnSchema(name="x", role=Role.COVARIATE, kind=ColumnKind.BINARY),),
    )
    assert smoothed(binary, schema, np.random.default_rng(1)).equals(binary)
