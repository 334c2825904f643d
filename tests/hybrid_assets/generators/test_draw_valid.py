"""How rows are accepted, with small generators that are wrong on purpose."""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import GeneratorError, YieldTooLow
from hybrid_assets.generators.base import MIN_VALID_SHARE, DrawReport, draw_valid
from hybrid_assets.schema import ColumnSchema, TableSchema

SCHEMA = TableSchema(
    study="tiny",
    columns=(
        ColumnSchema(
            name="x", role="covariate", kind="continuous", minimum=0, maximum=1, decimals=2
        ),
        ColumnSchema(name="site", role="covariate", kind="categorical", levels=("a", "b")),
    ),
)


class Cycling:
    """Gives the rows of a short list over and over."""

    def __init__(self, rows):
        self.rows, self.n_calls, self.at = rows, 0, 0

    def sample(self, n_rows, rng):
        self.n_calls += 1
        picked = (np.arange(n_rows) + self.at) % len(self.rows)
        self.at += n_rows
        return self.rows.iloc[picked].reset_index(drop=True)


def rows(x, site):
    return pd.DataFrame({"x": pd.Series(x, dtype=object), "site": pd.Series(site, dtype=object)})


def drawn(generator, n_rows):
    return draw_valid(generator, SCHEMA, n_rows, np.random.default_rng(0))


def test_valid_rows_pass_rounded_and_typed():
    table, report = drawn(Cycling(rows([0.123, 1.0], ["a", "b"])), 5)
    assert table["x"].tolist() == [0.12, 1.0, 0.12, 1.0, 0.12]
    assert table["site"].tolist() == ["a", "b", "a", "b", "a"]
    assert table.dtypes["x"] == np.float64
    assert table.dtypes["site"] == pd.CategoricalDtype(["a", "b"])
    assert report == DrawReport(n_rows=5, n_drawn=14, n_dropped=0)
    assert report.valid_share == 1.0


def test_invalid_rows_are_dropped_and_counted_by_column():
    # per cycle of 8: one NaN, one beyond the range, one word, one unknown level, one bad twice
    cycle = rows(
        [0.5, np.nan, 1.2, "much", 0.4, -1.0, 0.3, 0.2], ["a", "b", "a", "b", "c", None, "a", "b"]
    )
    table, report = drawn(Cycling(cycle), 30)
    assert table["x"].isin([0.5, 0.3, 0.2]).all()
    assert len(table) == report.n_rows == 30
    n_cycles = report.n_drawn / 8
    assert report.n_dropped / n_cycles == pytest.approx(5, abs=0.5)
    assert report.dropped_by_column["x"] / n_cycles == pytest.approx(4, abs=0.5)
    assert report.dropped_by_column["site"] / n_cycles == pytest.approx(2, abs=0.5)
    assert report.valid_share == pytest.approx(3 / 8, abs=0.05)


def test_nearest_edges_of_the_range_survive_rounding():
    table, report = drawn(Cycling(rows([-0.0049, 1.0049], ["a", "b"])), 4)
    assert table["x"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert not np.signbit(table["x"]).any()
    assert report.n_dropped == 0


def test_never_valid_gives_up_and_says_why():
    generator = Cycling(rows([np.inf], ["c"]))
    with pytest.raises(
        YieldTooLow,
        match=r"'tiny': 0 of 10 rows were valid after drawing \d+; .*'x': \d+, 'site': \d+",
    ):
        drawn(generator, 10)
    assert generator.n_calls <= 3


def test_a_rare_valid_row_is_enough_and_bounded():
    generator = Cycling(rows([0.5] + [np.inf] * 39, ["a"] * 40))
    table, report = drawn(generator, 50)
    assert table["x"].eq(0.5).all()
    assert report.n_drawn <= 2 * 50 / MIN_VALID_SHARE


def test_wrong_columns_are_refused():
    generator = Cycling(rows([0.5], ["a"])[["site", "x"]])
    with pytest.raises(GeneratorError, match=r"columns \['site', 'x'\], expected \['x', 'site'\]"):
        drawn(generator, 3)


def test_same_seed_same_rows(mixed_table):
    from hybrid_assets.generators.bootstrap import BootstrapGenerator, BootstrapSettings

    table, schema = mixed_table
    generator = BootstrapGenerator(BootstrapSettings()).fit(table, schema, np.random.default_rng(0))
    first, second = (draw_valid(generator, schema, 50, np.random.default_rng(7)) for _ in range(2))
    pd.testing.assert_frame_equal(first[0], second[0])
    assert first[1] == second[1]
