"""The people who are analysed of a seed that is longer than the bound."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.columnwise import whole_table
from hybrid_assets.errors import SeedTableError
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema
from hybrid_assets.splits import draw_people


def schema_of(outcome: ColumnKind) -> TableSchema:
    columns = (
        ColumnSchema(name="row", role=Role.COVARIATE, kind=ColumnKind.INTEGER),
        ColumnSchema(name="A", role=Role.TREATMENT, kind=ColumnKind.BINARY),
        ColumnSchema(name="Y", role=Role.OUTCOME, kind=outcome),
    )
    return TableSchema(study="demo", columns=columns)


def people(n_treated: int, n_controls: int, outcome: np.ndarray | None = None) -> pd.DataFrame:
    n_rows = n_treated + n_controls
    treatment = np.repeat([1, 0], [n_treated, n_controls])
    outcome = np.arange(n_rows) if outcome is None else outcome
    return pd.DataFrame({"row": np.arange(n_rows), "A": treatment, "Y": outcome})


@settings(deadline=None)
@given(
    n_treated=st.integers(60, 400),
    n_controls=st.integers(60, 400),
    share=st.floats(0.3, 0.99),
    rarity=st.floats(0, 1),
    draw=st.integers(0, 9),
)
def test_arms_and_outcomes_are_drawn_in_proportion(
    n_treated: int, n_controls: int, share: float, rarity: float, draw: int
) -> None:
    events = np.random.default_rng(draw).random(n_treated + n_controls) < rarity
    rows = people(n_treated, n_controls, events.astype(int))
    n_people = int(share * len(rows))
    rng = np.random.default_rng(draw)
    drawn = draw_people(rows, schema_of(ColumnKind.BINARY), n_people, rng=rng)
    assert len(drawn) == n_people
    assert drawn["row"].is_monotonic_increasing
    for names in (["A"], ["A", "Y"]):
        found = whole_table(drawn).groupby(names).size()
        expected = rows.groupby(names).size() * n_people / len(rows)
        assert (found.reindex(expected.index, fill_value=0) - expected).abs().max() <= 1.5


def test_nobody_is_drawn_where_all_may_stay() -> None:
    rows, rng = people(30, 30), np.random.default_rng(1)
    before = rng.bit_generator.state
    assert draw_people(rows, schema_of(ColumnKind.INTEGER), 60, rng=rng) is rows
    assert rng.bit_generator.state == before


def test_everybody_is_as_likely_to_be_drawn() -> None:
    rows, rng = people(40, 60), np.random.default_rng(3)
    draws = [draw_people(rows, schema_of(ColumnKind.INTEGER), 50, rng=rng) for _ in range(600)]
    counts = np.bincount(np.concatenate([d["row"].to_numpy() for d in draws]), minlength=100)
    assert abs(counts - 300).max() < 4 * np.sqrt(600 * 0.25)


def test_a_private_draw_does_not_look_at_the_rows() -> None:
    rows = people(100, 100)
    other = rows.assign(A=rows["A"].to_numpy()[::-1])
    drawn, neighbours = (
        draw_people(
            each,
            schema_of(ColumnKind.INTEGER),
            70,
            rng=np.random.default_rng(2),
            within_arms=False,
        )
        for each in (rows, other)
    )
    assert drawn["row"].tolist() == neighbours["row"].tolist()
    assert len(drawn) == 70


@pytest.mark.parametrize("within_arms", [True, False])
def test_an_arm_of_which_few_are_drawn_is_refused(within_arms: bool) -> None:
    message = "column 'A': expected at least 10 rows in each arm among the 100 people drawn for an"
    with pytest.raises(SeedTableError, match=f"{message}.*fewer than 10 rows with A = 1"):
        draw_people(
            people(40, 960),
            schema_of(ColumnKind.INTEGER),
            100,
            rng=np.random.default_rng(2),
            within_arms=within_arms,
        )
