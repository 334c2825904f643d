import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators.private.bins import decoded, encoded, grid_of, n_bins_of
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def number(name="x", low=0.0, high=10.0, decimals=1, kind=ColumnKind.CONTINUOUS):
    return ColumnSchema(
        name=name, role=Role.COVARIATE, kind=kind, minimum=low, maximum=high, decimals=decimals
    )


AGE = number("age", 18, 90, None, ColumnKind.INTEGER)
SITE = ColumnSchema(
    name="site", role=Role.COVARIATE, kind=ColumnKind.CATEGORICAL, levels=("a", "b", "never")
)
SMOKER = ColumnSchema(name="smoker", role=Role.COVARIATE, kind=ColumnKind.BINARY)
SCHEMA = TableSchema(study="s", columns=(number(), AGE, SITE, SMOKER))


@given(
    st.integers(-50, 50),
    st.integers(0, 300),
    st.integers(0, 3),
    st.integers(2, 40),
    st.integers(0, 10**6),
)
def test_drawn_values_fall_into_their_bin_and_range(low, steps, decimals, n_bins, seed):
    high = low + steps * 10.0**-decimals
    grid = grid_of(number(low=low, high=high, decimals=decimals), n_bins)
    assert (grid.n_values, grid.n_bins) == (steps + 1, min(n_bins, steps + 1))
    bins = np.arange(grid.n_bins).repeat(20)
    drawn = np.round(grid.drawn_within(bins, np.random.default_rng(seed)), decimals)
    assert drawn.min() >= low - 1e-9
    assert drawn.max() <= high + 1e-9
    np.testing.assert_array_equal(grid.bins_of(drawn), bins)


def test_bins_by_hand():
    grid = grid_of(AGE, 10)  # 73 ages
    np.testing.assert_array_equal(grid.bins_of(np.array([18, 25, 26, 90])), [0, 0, 1, 9])
    few = grid_of(number("visits", 0, 3, None, ColumnKind.INTEGER), 10)
    np.testing.assert_array_equal(few.bins_of(np.array([0, 1, 2, 3])), [0, 1, 2, 3])
    assert [n_bins_of(column, 10) for column in SCHEMA.columns] == [10, 10, 3, 2]


def test_values_beyond_the_declared_range_are_clamped():
    grid = grid_of(number(), 5)
    np.testing.assert_array_equal(grid.bins_of(np.array([-1e9, -0.1, 10.1, 1e300])), [0, 0, 4, 4])


@given(st.integers(0, 3), st.floats(-1e6, 1e6))
def test_a_persons_value_moves_nobody_elses_bin(row, value):
    table = pd.DataFrame(
        {
            "x": [1.0, 2.5, 9.9, 4.0],
            "age": [20, 40, 60, 80],
            "site": list("abab"),
            "smoker": [0, 1, 1, 0],
        }
    )
    other = table.copy()
    other.loc[row, "x"] = value
    before, after = (encoded(SCHEMA.canonical(t), SCHEMA, 10) for t in (table, other))
    rest = [i for i in range(4) if i != row]
    np.testing.assert_array_equal(before[rest], after[rest])
    np.testing.assert_array_equal(before[:, 1:], after[:, 1:])


def test_rows_go_there_and_back():
    rng = np.random.default_rng(1)
    bins = np.stack([rng.integers(0, n, 500) for n in (10, 10, 3, 2)], axis=1)
    table = decoded(bins, SCHEMA, 10, rng)
    assert table.dtypes.to_dict() == {c.name: c.dtype for c in SCHEMA.columns}
    assert not SCHEMA.invalid_counts(table)[0].any()
    np.testing.assert_array_equal(encoded(table, SCHEMA, 10), bins)


def test_a_range_too_fine_for_a_float_is_refused():
    assert n_bins_of(number(high=9e14), 64) == 64
    with pytest.raises(GeneratorError, match=r"column 'x': expected at most 2\^53 values in the"):
        n_bins_of(number(high=9e15), 64)


def test_undeclared_range_is_refused():
    undeclared = ColumnSchema(name="x", role=Role.COVARIATE, kind=ColumnKind.CONTINUOUS)
    with pytest.raises(GeneratorError, match=r"column 'x': expected a declared range and decimals"):
        n_bins_of(undeclared, 10)
