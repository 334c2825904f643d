import numpy as np
import pandas as pd
import pytest

from hybrid_assets.positivity import describe_hole
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

KINDS = {
    "W2": {"kind": ColumnKind.BINARY},
    "W4": {"kind": ColumnKind.CONTINUOUS, "decimals": 2},
    "age": {"kind": ColumnKind.INTEGER},
    "site": {"kind": ColumnKind.CATEGORICAL, "levels": ("north", "rare-clinic", "south")},
    "grade": {"kind": ColumnKind.ORDINAL, "levels": ("mild", "unheard-of", "moderate", "severe")},
}


def schema_of(*names):
    columns = (ColumnSchema(name=n, role=Role.COVARIATE, **KINDS[n]) for n in names)
    return TableSchema(study="demo", columns=tuple(columns))


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    n = 1000
    return pd.DataFrame(
        {
            "W2": rng.integers(0, 2, n),
            "W4": rng.normal(size=n).round(2),
            "age": rng.integers(18, 80, n),
            "site": rng.choice(["north", "south"], n),
            "grade": rng.choice(["mild", "moderate", "severe"], n),
        }
    )


def test_a_rectangle_is_found_in_original_units(rows):
    extreme = ((rows["W2"] == 1) & (rows["W4"] < 0.3)).to_numpy()
    (rule,) = describe_hole(extreme, rows, schema_of("W2", "W4", "age")).rules
    assert rule.conditions == ("W2 = 1", "W4 < 0.3")
    assert rule.n_rows == rule.n_extreme == extreme.sum()
    assert rule.sentence == f"W2 = 1 and W4 < 0.3: all {extreme.sum()} rows extreme"


@pytest.mark.parametrize(
    ("chosen", "name", "words"),
    [
        (lambda t: (t["age"] >= 40) & (t["age"] < 60), "age", "40 <= age < 60"),
        (lambda t: t["site"] == "south", "site", "site = south"),
        (lambda t: t["grade"] != "mild", "grade", "grade at least moderate"),
        (lambda t: t["grade"] == "mild", "grade", "grade below moderate"),
        (lambda t: t["grade"] == "moderate", "grade", "grade at least moderate and below severe"),
        (lambda t: t["W2"] == 0, "W2", "W2 = 0"),
        (lambda t: t["W4"] >= 1, "W4", "W4 >= 1"),
    ],
)
def test_every_kind_is_said_in_its_own_words(rows, chosen, name, words):
    (rule,) = describe_hole(chosen(rows).to_numpy(), rows, schema_of(name)).rules
    assert rule.conditions == (words,)


def test_counts_are_those_of_the_sentence(rows):
    noise = np.random.default_rng(1).random(len(rows))
    extreme = ((rows["W2"] == 1) & (rows["W4"] < 0.3) & (noise < 0.8)).to_numpy()
    hole = describe_hole(extreme, rows, schema_of("W2", "W4", "age"))
    for rule in hole.rules:
        asked = " and ".join(rule.conditions).replace(" = ", " == ")
        assert rows.query(asked).shape[0] == rule.n_rows >= 10
        assert extreme[rows.eval(asked).to_numpy()].sum() == rule.n_extreme
        assert rule.sentence.endswith(f"{rule.n_extreme} of {rule.n_rows} rows extreme")


def test_no_count_under_ten_is_told(rows):
    extreme = (rows["W2"] == 1).to_numpy()
    extreme[np.flatnonzero(extreme)[:7]] = False
    (rule,) = describe_hole(extreme, rows, schema_of("W2")).rules
    assert rule.n_rows - rule.n_extreme == 7
    assert f"at least {rule.n_rows - 9} of {rule.n_rows} rows" in rule.sentence
    few = np.zeros(len(rows), dtype=bool)
    few[:9] = True
    assert describe_hole(few, rows, schema_of("W2")).sentences == (
        "under 10 rows are extreme: too few to describe",
    )
    assert describe_hole(~few, rows, schema_of("W2")).sentences == (
        "almost all of 1000 rows are extreme: no part has overlap",
    )
    assert describe_hole(few & ~few, rows, schema_of("W2")).sentences == ("no row is extreme",)


def test_a_threshold_does_not_tell_where_two_people_lie(rows):
    """A value alone on its side of a gap moves no threshold off the grid."""
    extreme = (rows["W4"] < 0.3).to_numpy()
    moved = rows.assign(W4=np.where(rows["W4"] < 0.3, rows["W4"] - 0.041, rows["W4"] + 0.0137))
    for table in (rows, moved):
        (rule,) = describe_hole(extreme, table, schema_of("W4")).rules
        assert rule.conditions == ("W4 < 0.3",)


def test_rare_levels_are_not_named(rows):
    rare = np.arange(9) * 100
    rows.loc[rare, "site"] = "rare-clinic"
    rows.loc[rare, "grade"] = "unheard-of"
    extreme = (rows["site"] != "north").to_numpy() & (rows["grade"] != "severe").to_numpy()
    hole = describe_hole(extreme, rows, schema_of("site", "grade"))
    assert hole.rules[0].conditions == ("site other than north", "grade below severe")
    assert not any("rare" in text or "unheard" in text for text in hole.sentences)


def test_a_flag_that_no_covariate_tells_has_no_rule(rows):
    extreme = np.random.default_rng(2).random(len(rows)) < 0.2
    assert describe_hole(extreme, rows, schema_of("W2", "site")).sentences == (
        "no group of 10 rows or more is mostly extreme",
    )
