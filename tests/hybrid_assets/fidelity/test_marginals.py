import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.errors import EvaluationError
from hybrid_assets.fidelity import effect_drift, marginals
from hybrid_assets.schema import ColumnSchema, TableSchema


def test_marginals_by_hand(study_schema):
    schema = study_schema()
    train = schema.canonical(
        pd.DataFrame(
            {"x": [1.0, 2, 3, 4], "site": list("aabb"), "grade": 1, "treated": [0, 0, 1, 1], "y": 0}
        )
    )
    synthetic = train.assign(x=[3.0, 4, 5, 6], site=pd.Series(list("aacc"), dtype=train.site.dtype))
    holdout = train.assign(x=[1.0, 2, 3, 9], treated=1)
    table = marginals(train, holdout, [synthetic], schema).set_index("column")
    assert table["kind"].tolist() == ["continuous", "categorical", "ordinal", "binary", "binary"]
    assert table["statistic"].tolist() == ["KS", "TV", "TV", "TV", "TV"]
    assert table["distance"].tolist() == [0.5, 0.5, 0, 0, 0]
    assert table["holdout_distance"].tolist() == [0.25, 0, 0, 0.5, 0]
    assert table.loc["x", "sd_ratio"] == 1.0
    assert table.loc["x", "holdout_sd_ratio"] == pytest.approx(np.std([1, 2, 3, 9]) / 1.25**0.5)
    assert table["sd_ratio"].isna().tolist() == [False, True, True, True, True]


def test_ks_is_that_of_scipy(people, study_schema):
    from scipy.stats import ks_2samp

    train, holdout, synthetic = people(300, 1), people(200, 2), people(1000, 3)
    synthetic["x"] = (synthetic["x"] * 0.8).round(1)
    row = marginals(train, holdout, [synthetic], study_schema()).iloc[0]
    assert row["distance"] == pytest.approx(ks_2samp(synthetic["x"], train["x"]).statistic)
    assert row["holdout_distance"] == pytest.approx(ks_2samp(holdout["x"], train["x"]).statistic)


@given(
    made=st.lists(st.integers(-3, 9), min_size=1, max_size=60),
    real=st.lists(st.integers(0, 6), min_size=1, max_size=30),
    cut=st.integers(0, 60),
)
@settings(max_examples=60, deadline=None)
def test_blocks_have_the_laws_of_the_whole_table(made, real, cut):
    column = ColumnSchema(name="x", role="covariate", kind="integer")
    schema = TableSchema(study="s", columns=(column,))
    train, table = pd.DataFrame({"x": real}), pd.DataFrame({"x": made})
    row = marginals(train, train, [table[:cut], table[cut:]], schema).iloc[0]
    at = np.union1d(made, real)
    gaps = [np.mean(table["x"] <= x) - np.mean(train["x"] <= x) for x in at]
    assert row["distance"] == pytest.approx(np.abs(gaps).max(), abs=1e-12)
    assert row["n_rows"] == len(made)
    if np.std(real) > 0:
        assert row["sd_ratio"] == pytest.approx(np.std(made) / np.std(real), rel=1e-9)


def test_constant_numbers_have_no_sd_ratio(study_schema):
    schema = study_schema().select(["x"])
    train, varied = pd.DataFrame({"x": [2.0, 2.0]}), pd.DataFrame({"x": [1.0, 2.0]})
    row = marginals(train, varied, [varied], schema).iloc[0]
    assert np.isnan(row["sd_ratio"])
    assert row["distance"] == 0.5


def test_empty_tables_are_refused(people, study_schema):
    train = people(10, 0)
    with pytest.raises(EvaluationError, match="the synthetic table has no rows"):
        marginals(train, train, [train.iloc[:0]], study_schema())


def test_effect_drift():
    assert effect_drift(1.5, 2.0, 0.25) == 2.0
    with pytest.raises(EvaluationError, match="positive standard error; got 1.0, 2.0 and 0.0"):
        effect_drift(1.0, 2.0, 0.0)
    with pytest.raises(EvaluationError, match="finite estimates"):
        effect_drift(float("nan"), 2.0, 1.0)
