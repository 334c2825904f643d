"""Seed tables: what is inferred, what is refused, and that no cell value is ever quoted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.columns import shown_decimals
from hybrid_assets.columnwise import ChosenRows, whole_table
from hybrid_assets.errors import SeedTableError
from hybrid_assets.own_holdout import conform_holdout, require_new_identifiers, require_new_rows
from hybrid_assets.schema import ColumnKind
from hybrid_assets.seed import ConstantCovariate, SeedTable, validate_seed
from hybrid_assets.splits import Splits, complete, draw_holdout
from hybrid_assets.study import Study

N_ROWS = 60


def study(**changes: object) -> Study:
    settings = {
        "name": "demo",
        "title": "A demo",
        "treatment": "A",
        "outcome": "Y",
        "design": {"kind": "observational"},
        "generators": ["bootstrap"],
        "random_seed": 1,
    }
    return Study.model_validate(settings | changes)


def table(**columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    base = {
        "age": rng.integers(20, 80, N_ROWS),
        "weight": np.round(rng.normal(70, 12, N_ROWS), 3),
        "smoker": rng.integers(0, 2, N_ROWS),
        "site": rng.choice(["north", "south", "west"], N_ROWS),
        "A": np.arange(N_ROWS) % 2,
        "Y": rng.normal(0, 1, N_ROWS),
    }
    return pd.DataFrame(base | columns)


def seed(**columns: object) -> SeedTable:
    return validate_seed(table(**columns), study())


def test_kinds_are_inferred() -> None:
    schema = seed().schema
    assert {c.name: c.kind.value for c in schema.columns} == {
        "age": "integer",
        "weight": "continuous",
        "smoker": "binary",
        "site": "categorical",
        "A": "binary",
        "Y": "continuous",
    }
    assert schema["site"].levels == ("north", "south", "west")
    assert schema["weight"].decimals == 1  # sd 12: a hundredth is about .1


def test_canonical_dtypes() -> None:
    rows = seed(smoker=np.arange(N_ROWS) % 3 == 0, age=np.linspace(20, 79, N_ROWS)).rows
    assert rows["smoker"].dtype == np.dtype("int64")
    assert rows["age"].dtype == np.dtype("int64")
    assert rows["site"].dtype == pd.CategoricalDtype(["north", "south", "west"])
    assert rows["A"].dtype == np.dtype("int64")


def test_levels_may_be_coded_by_whole_numbers_of_any_type() -> None:
    coded = np.where(np.arange(N_ROWS) % 2, 2.0, 10.0)
    found = validate_seed(table(site=coded), study(covariates={"site": {"kind": "categorical"}}))
    assert found.schema["site"].levels == (2, 10)
    assert found.rows["site"].tolist() == coded.astype(int).tolist()
    assert found.schema["site"].invalid(pd.Series([2, 10.0, 3, np.nan])).tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_identifiers_stay_in_the_rows_and_out_of_the_schema() -> None:
    with_id = table().assign(patient=[f"p{i}" for i in range(N_ROWS)])
    found = validate_seed(with_id, study(identifiers=["patient"]))
    assert "patient" in found.rows.columns
    assert "patient" not in found.schema.names


def test_declared_order_of_levels_is_kept() -> None:
    ordinal = {"kind": "ordinal", "levels": ["west", "south", "north"]}
    found = validate_seed(table(), study(covariates={"site": ordinal}))
    assert found.rows["site"].cat.ordered
    assert list(found.rows["site"].cat.categories) == ["west", "south", "north"]


def test_a_constant_covariate_is_left_out_with_a_warning() -> None:
    with pytest.warns(ConstantCovariate, match="study 'demo', column 'age': a single value"):
        found = seed(age=1)
    assert found.constant_covariates == ("age",)
    assert "age" not in found.schema.names


MISSING_AGE = np.where(np.arange(N_ROWS) < 5, np.nan, 33.0 + np.arange(N_ROWS))
LEVELS = [f"level {i % 600}" for i in range(1200)]


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (
            table().drop(columns="A"),
            {},
            "column 'A': expected a column of the seed table; got columns age, weight",
        ),
        (table(), {"covariates": ["bmi"]}, "column 'bmi': expected a column of the seed table"),
        (table(A=np.arange(N_ROWS) % 3), {}, "column 'A': expected a treatment coded 0 and 1; "
         "got 3 distinct values of type int64"),
        (table(A=[["drug", "none"][i % 2] for i in range(N_ROWS)]), {}, "coded 0 and 1"),
        (table(A=1), {}, "column 'A': expected at least 10 rows in each arm; got 0 rows with"),
        (table(A=np.arange(N_ROWS) < 9), {}, "at least 10 rows in each arm; got fewer than 10 r"),
        (table(Y=2.5), {}, "column 'Y': expected an outcome that varies; got a single value"),
        (table(Y=[f"y{i}" for i in range(N_ROWS)]), {}, "column 'Y': expected a numeric outcome"),
        (
            table(Y=np.where(np.arange(N_ROWS) < 3, np.nan, np.arange(N_ROWS))),
            {},
            "column 'Y': expected no missing value; got fewer than 10 missing",
        ),
        (
            table(weight=np.where(np.arange(N_ROWS) < 4, np.inf, 1.0 * np.arange(N_ROWS))),
            {},
            "column 'weight': expected finite values; got fewer than 10 infinite",
        ),
        (
            table(site=[["north", "south"]] * N_ROWS),
            {},
            "column 'site': expected one number or text in each cell; got lists",
        ),
        (table(age=MISSING_AGE), {}, "column 'age': expected no missing value, or a missing-value"),
        (table().iloc[:0], {}, r"column '\(table\)': expected rows; got an empty table"),
        (
            table().set_axis(["age", "age", "smoker", "site", "A", "Y"], axis="columns"),
            {},
            r"column 'age': expected a unique column name .*; got it more than once",
        ),
        (
            pd.DataFrame({"w": LEVELS, "A": np.arange(1200) % 2, "Y": np.arange(1200)}),
            {},
            "column 'w': expected at most 120 levels .*; got 600 levels in 1200 rows",
        ),
        (
            table(site=pd.date_range("2020-01-01", periods=N_ROWS)),
            {},
            "column 'site': expected numbers or text .*; got type datetime64",
        ),
        (
            table(),
            {"covariates": {"weight": {"kind": "integer"}}},
            r"column 'weight': expected whole numbers \(declared integer\)",
        ),
        (
            table(),
            {"covariates": {"site": {"kind": "ordinal", "levels": ["north"]}}},
            "column 'site': expected the 1 declared levels; got 2 other levels",
        ),
        (
            table(),
            {"estimands": ["ate", "risk_ratio"]},
            "column 'Y': expected a 0/1 outcome for the estimands risk_ratio; .* kind continuous",
        ),
        (
            table(),
            {"privacy": {"sensitive": ["height"]}},
            r"column 'height': expected a covariate \(it is sensitive\); got no such covariate",
        ),
        (
            table(),
            {"subgroups": ["weight"]},
            "column 'weight': expected a binary, categorical or ordinal covariate .* continuous",
        ),
        (
            table(),
            {"subgroups": ["sex"]},
            "column 'sex': expected a binary, .* got no covariate that varies",
        ),
    ],
)  # fmt: skip
def test_refuses(rows: pd.DataFrame, settings: dict[str, object], message: str) -> None:
    with pytest.raises(SeedTableError, match=f"study 'demo', .*{message}"):
        validate_seed(rows, study(**settings))


def test_messages_quote_no_cell() -> None:
    secret = [f"patient-{i}" for i in range(N_ROWS)]
    for rows in (table(A=secret), table(Y=secret)):
        with pytest.raises(SeedTableError) as caught:
            validate_seed(rows, study())
        assert "patient-" not in str(caught.value)


def test_drop_rows_and_category_policies() -> None:
    site = [None if i < 6 else "ab"[i % 2] for i in range(N_ROWS)]
    rows = table(age=MISSING_AGE, site=site)
    settings = {
        "covariates": {
            "age": {"missing": "drop_rows"},
            "site": {"missing": "category"},
            "smoker": {},
        }
    }
    found = validate_seed(rows, study(**settings))
    assert found.n_rows_dropped == 5
    assert len(found.rows) == N_ROWS - 5
    assert found.schema["site"].levels == ("a", "b", "missing")
    assert (found.rows["site"] == "missing").sum() == 1


def split(found: SeedTable, share: float, draw: int) -> Splits:
    rng = np.random.default_rng(draw)
    is_holdout = draw_holdout(found.rows, found.schema, share=share, rng=rng)
    parts = ChosenRows(found.rows, ~is_holdout), ChosenRows(found.rows, is_holdout)
    return complete(*parts, found.schema)


def test_imputation_uses_training_rows_only_and_flags_them() -> None:
    found = validate_seed(table(age=MISSING_AGE), study(missing="impute"))
    parts = split(found, 0.3, 1)
    train, holdout = whole_table(parts.train), whole_table(parts.holdout)
    train_ages = train.loc[train["age_missing"] == 0, "age"]
    imputed = pd.concat([train, holdout]).query("age_missing == 1")["age"]
    assert len(imputed) == 5
    assert set(imputed) == {round(train_ages.median())}
    assert parts.schema.names.index("age_missing") == parts.schema.names.index("age") + 1


def test_split_is_disjoint_complete_and_stratified() -> None:
    found = seed(age=np.arange(N_ROWS))
    parts = split(found, 0.25, 2)
    assert sorted([*parts.train["age"], *parts.holdout["age"]]) == list(range(N_ROWS))
    assert list(parts.holdout["A"].value_counts().sort_index()) == [8, 8]  # round(7.5) is 8


def test_split_refuses_an_arm_that_would_be_too_small() -> None:
    found = seed(A=np.arange(N_ROWS) < 11)
    with pytest.raises(SeedTableError, match="10 training rows in each arm; got 11 rows"):
        split(found, 0.2, 2)


def test_holdout_of_another_source_must_have_the_seeds_levels() -> None:
    schema = seed().schema
    assert conform_holdout(table(age=99), schema, study())["age"].eq(99).all()
    with pytest.raises(SeedTableError, match="column 'site': expected holdout values like"):
        conform_holdout(table(site="east"), schema, study())
    with pytest.raises(SeedTableError, match="column 'age': expected a column of the holdout"):
        conform_holdout(table().drop(columns="age"), schema, study())
    twice = pd.concat([table(), table()["Y"]], axis="columns")
    with pytest.raises(SeedTableError, match="'Y': expected one column of the holdout table; got"):
        conform_holdout(twice, schema, study())


def test_stored_and_canonical_are_inverse() -> None:
    found = seed()
    rows = whole_table(found.rows)
    pd.testing.assert_frame_equal(found.schema.canonical(found.schema.stored(rows)), rows)
    stored = pd.concat(list(found.rows.stored()), axis="columns")
    pd.testing.assert_frame_equal(stored, found.schema.stored(rows))


def test_invalid_values_are_counted_not_repaired() -> None:
    schema = seed(age=np.arange(20, 20 + N_ROWS)).schema
    strange = table(age=[19, 20.5, 200, *range(20, 77)], smoker=2, site="east")
    rows, by_column = schema.invalid_counts(strange)
    assert rows.all()
    assert by_column == {"age": 3, "smoker": N_ROWS, "site": N_ROWS}


@settings(deadline=None)  # the first example imports, on a machine that may be busy
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_rounding_keeps_values_valid(values: list[float]) -> None:
    numbers = pd.Series(values)
    decimals = shown_decimals(numbers)
    assert 0 <= decimals <= 12


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([0.5, 1.5, 2.5], 1),
        (np.linspace(0, 3.4, 100), 2),
        (np.linspace(0, 340, 1001), 0),
        ([0.5], 1),
    ],
)
def test_shown_decimals(values: list[float], decimals: int) -> None:
    assert shown_decimals(pd.Series(values)) == decimals


def test_kind_words_are_the_issue_words() -> None:
    assert [k.value for k in ColumnKind] == [
        "binary",
        "categorical",
        "ordinal",
        "integer",
        "continuous",
    ]


def test_missing_category_holds_for_coded_categories_too() -> None:
    coded = np.where(np.arange(N_ROWS) < 4, np.nan, np.arange(N_ROWS) % 3)
    settings = {"site": {"kind": "categorical", "missing": "category"}}
    found = validate_seed(table(site=coded), study(covariates=settings))
    assert found.schema["site"].levels == ("0", "1", "2", "missing")


ROWS_100 = {
    "W": np.arange(100) % 7,
    "A": np.arange(100) % 2,
    "Y": np.random.default_rng(1).normal(size=100),
}


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"__split": 1.5}, {}, "column '__split': expected a name that does not start with two"),
        ({" ": 1.5}, {}, r"column '\(number 7\)': expected a name for each column"),
        ({"AGE": 1.5}, {}, r"column 'AGE': expected a unique column name \(letter case"),
        ({"A": [bool(i % 2) for i in range(N_ROWS)], "Y": [0.0, 1.0] * 30}, {},
         "column 'Y': expected an outcome that varies in each arm; got a single value where A = 0"),
        ({"age": MISSING_AGE, "age_missing": 0.5}, {"missing": "impute"},
         "column 'age_missing': expected this name to be free for the flag of imputed values"),
        ({"site": ["missing", None, "a"] * 20}, {"missing": "category"},
         "column 'site': expected no level called 'missing' beside missing values; got both"),
        ({"age": MISSING_AGE}, {"missing": "category"},
         "column 'age': expected kind: categorical or ordinal for missing: category"),
        ({"site": pd.date_range("2020-01-01", periods=N_ROWS).date}, {},
         "column 'site': expected numbers or text"),
        ({}, {"covariates": {"site": {"kind": "ordinal"}}},
         "column 'site': expected levels: in order, lowest first, for text"),
        ({"site": ["a\rb", "c\r\nd"] * (N_ROWS // 2)}, {},
         "column 'site': expected levels without a carriage return .*; got 1 levels with one"),
        ({"site": [f"person {i}" for i in range(N_ROWS)]}, {},
         "column 'site': expected at most 20 levels .*identifiers.*; got 60 levels"),
    ],
)  # fmt: skip
def test_refuses_what_would_mislead(
    columns: dict[str, object], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SeedTableError, match=f"study 'demo', {message}"):
        validate_seed(table(**columns), study(**settings))


def test_row_numbers_are_refused_unless_declared() -> None:
    rows = pd.DataFrame(ROWS_100 | {"W": np.arange(100)})
    with pytest.raises(SeedTableError, match="column 'W': expected values that are not the row"):
        validate_seed(rows, study())
    declared = validate_seed(rows, study(covariates={"W": {"kind": "integer"}}))
    assert declared.schema["W"].kind is ColumnKind.INTEGER


def test_a_file_without_header_quotes_no_cell() -> None:
    rows = table().set_axis(["63", "81.2", "Doe Jane", "HIV+", "1", "17.25"], axis="columns")
    with pytest.raises(SeedTableError, match="no header line") as caught:
        validate_seed(rows, study())
    assert "Doe Jane" not in str(caught.value)


def test_a_boolean_object_treatment_is_binary() -> None:
    treated = pd.Series([bool(i % 2) for i in range(N_ROWS)], dtype=object)
    assert seed(A=treated).rows["A"].tolist() == [i % 2 for i in range(N_ROWS)]


def test_columns_keep_the_tables_order() -> None:
    rows = table()[["Y", "age", "A", "site"]]
    assert validate_seed(rows, study()).schema.names == ["Y", "age", "A", "site"]


def test_policies_hold_for_a_holdout_of_its_own() -> None:
    settings = study(
        covariates={
            "age": {"missing": "impute"},
            "site": {"missing": "category"},
            "weight": {"missing": "drop_rows"},
        }
    )
    site = [None if i % 9 == 0 else "ab"[i % 2] for i in range(N_ROWS)]
    schema = validate_seed(table(age=MISSING_AGE, site=site), settings).schema
    weight = np.where(np.arange(N_ROWS) < 6, np.nan, 70.0)
    holdout = conform_holdout(table(age=MISSING_AGE, site=site, weight=weight), schema, settings)
    assert len(holdout) == N_ROWS - 6
    assert (holdout["site"] == "missing").sum() == 6
    assert holdout["age"].isna().sum() == 0
    assert conform_holdout(table(age=MISSING_AGE, site=site), schema, settings)["age"].isna().any()


def test_a_holdout_of_seed_people_is_refused() -> None:
    found = seed()
    rows = whole_table(found.rows)
    require_new_rows(found.rows, rows.assign(weight=rows["weight"] + 1.0), found.schema)
    with pytest.raises(SeedTableError, match="100% of the holdout rows equal to a seed row"):
        require_new_rows(found.rows, found.rows, found.schema)
    with_id = rows.assign(patient=range(N_ROWS))
    with pytest.raises(SeedTableError, match="column 'patient': .*got 60 holdout rows with an"):
        require_new_identifiers(with_id, with_id, study(identifiers=["patient"]))


def test_levels_are_named_once_and_are_not_booleans() -> None:
    for levels, message in ((["a", "a"], "each level once"), ([True, False], "valid")):
        with pytest.raises(ValueError, match=message):
            study(covariates={"site": {"kind": "ordinal", "levels": levels}})


def test_split_is_stratified_by_a_binary_outcome() -> None:
    # 30 rows in each arm: 10 events among the treated; one among controls, too few to split
    outcome = np.isin(np.arange(N_ROWS), [0, *range(1, 21, 2)]).astype(int)
    found = seed(Y=outcome, age=np.arange(N_ROWS))
    for draw in range(5):
        parts = split(found, 0.3, draw)
        assert whole_table(parts.holdout).groupby("A")["Y"].agg(
            ["size", "sum"]
        ).to_numpy().tolist() == [
            [9, 0],
            [9, 3],
        ]
        assert sorted([*parts.train["age"], *parts.holdout["age"]]) == list(range(N_ROWS))


def test_a_holdouts_identifiers_stay_beside_its_columns() -> None:
    schema = seed().schema
    rows = table().assign(patient=range(N_ROWS))
    conformed = conform_holdout(rows, schema, study(identifiers=["patient"]))
    assert list(conformed.columns) == ["patient", *schema.names]
    assert conformed["patient"].tolist() == list(range(N_ROWS))


PRIVATE = {
    "generators": ["dp"],
    "covariates": {
        "age": {"kind": "integer", "range": [20, 60]},
        "weight": {"kind": "continuous", "range": [40, 90], "decimals": 1},
        "smoker": {"kind": "binary"},
        "site": {"kind": "categorical", "levels": ["north", "south", "west", "sea"]},
    },
    "outcome_range": [-2, 2],
    "outcome_decimals": 1,
}


@given(
    st.integers(0, N_ROWS - 1),
    st.integers(-(10**6), 10**6),
    st.floats(-1e6, 1e6),
    st.sampled_from(["north", "sea"]),
)
@settings(deadline=None)
def test_one_persons_row_moves_no_declared_column_and_nobody_else(row, age, outcome, site) -> None:
    people = table()
    other = people.copy()
    other.loc[row, ["age", "Y", "site", "A"]] = [age, outcome, site, 1 - people.loc[row, "A"]]
    other = other.astype({"age": "int64", "Y": float, "A": "int64"})
    found, neighbour = (validate_seed(rows, study(**PRIVATE)) for rows in (people, other))
    assert found.schema == neighbour.schema
    chosen = [
        draw_holdout(
            one.rows, one.schema, share=0.3, rng=np.random.default_rng(4), within_arms=False
        )
        for one in (found, neighbour)
    ]
    np.testing.assert_array_equal(*chosen)
    assert chosen[0].sum() == 18
    rest = np.arange(N_ROWS) != row
    rows, others = (whole_table(one.rows)[rest] for one in (found, neighbour))
    pd.testing.assert_frame_equal(rows, others)


def sited(levels: object, **settings: object) -> Study:
    site = {"site": {"kind": "categorical", "levels": levels, **settings}}
    return study(**PRIVATE | {"covariates": PRIVATE["covariates"] | site})


@given(st.integers(0, N_ROWS - 1))
@pytest.mark.parametrize(
    ("levels", "seen", "rare", "expected"),
    [
        (["1", "2", "3"], [1, 2], 3, ("1", "2", "3")),
        ([1, 2, 3], [1, 2], 3, (1, 2, 3)),
        ([1, 2, 3], ["1", "2"], "3", (1, 2, 3)),
        ([1, "2", 3], [1, 2], 3, ("1", "2", "3")),
        (["a", "b", "missing"], ["a", "b"], None, ("a", "b", "missing")),
        (["a", "b", "missing"], ["a", "b"], "missing", ("a", "b", "missing")),
    ],
)
@settings(deadline=None, max_examples=3)
def test_levels_of_a_private_study_are_those_declared_whoever_is_there(
    levels, seen, rare, expected, row
) -> None:
    people, private = (
        table(site=seen * (N_ROWS // 2)),
        sited(levels, missing="category" if "missing" in levels else "refuse"),
    )
    other = people.assign(site=[rare if i == row else s for i, s in enumerate(people["site"])])
    if rare is not None:
        other["site"] = other["site"].astype(people["site"].dtype)
    schema, neighbours = (validate_seed(rows, private).schema for rows in (people, other))
    assert schema == neighbours
    assert schema["site"].levels == expected
    assert list(map(type, schema["site"].levels)) == list(map(type, expected))


def test_the_word_missing_is_a_level_only_where_the_study_says_so() -> None:
    people = table()
    people.loc[3, "site"] = "missing"
    for private in (study(**PRIVATE), sited(["north", "south", "west"])):
        with pytest.raises(SeedTableError, match="declared levels; got 1 other levels"):
            validate_seed(people, private)
    open_study = study(covariates={"site": {"kind": "categorical", "levels": [1, 2]}})
    coded = table(site=[1, 2] * (N_ROWS // 2))
    assert validate_seed(coded, open_study).schema["site"].levels == (1, 2)
    asked = study(
        covariates={"site": {"kind": "categorical", "levels": [1, 2], "missing": "category"}}
    )
    coded["site"] = coded["site"].where(coded.index != 5)
    assert validate_seed(coded, asked).schema["site"].levels == ("1", "2", "missing")


def test_a_private_study_has_one_row_for_each_person() -> None:
    people = table(patient=np.arange(N_ROWS) // 2)
    assert len(validate_seed(people, study(identifiers=["patient"])).rows) == N_ROWS
    with pytest.raises(SeedTableError, match="column 'patient': expected one row for each person"):
        validate_seed(people, study(**PRIVATE, identifiers=["patient"]))
    people["patient"] = range(N_ROWS)
    assert len(validate_seed(people, study(**PRIVATE, identifiers=["patient"])).rows) == N_ROWS


@pytest.mark.parametrize(("n_treated", "share"), [(10, 0.3), (N_ROWS - 10, 0.3), (30, 0.01)])
def test_a_holdout_drawn_whatever_the_arm_leaves_both_enough(n_treated: int, share: float) -> None:
    found = validate_seed(table(A=(np.arange(N_ROWS) < n_treated).astype(int)), study(**PRIVATE))
    with pytest.raises(
        SeedTableError, match="column 'A': expected a holdout row and 10 training rows in each arm"
    ):
        draw_holdout(
            found.rows,
            found.schema,
            share=share,
            rng=np.random.default_rng(4),
            within_arms=False,
        )


def test_values_beyond_a_declared_range_count_as_its_end() -> None:
    rows = table(Y=np.linspace(-4, 4, N_ROWS))
    found = validate_seed(rows, study(**PRIVATE))
    assert found.rows["age"].tolist() == rows["age"].clip(20, 60).tolist()
    assert found.rows["Y"].max() == 2.0
    assert (found.schema["age"].minimum, found.schema["age"].maximum) == (20, 60)
    assert found.schema["site"].levels == ("north", "south", "west", "sea")
    assert found.schema["Y"].kind is ColumnKind.CONTINUOUS
    unseen = conform_holdout(rows, found.schema, study(**PRIVATE))
    assert unseen["age"].max() == 60


def test_a_private_study_leaves_no_covariate_out_by_itself() -> None:
    with pytest.raises(SeedTableError, match="column 'smoker': expected two values or more for ge"):
        validate_seed(table(smoker=1), study(**PRIVATE))
