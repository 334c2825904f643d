import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import EvaluationError
from hybrid_assets.privacy.dcr import (
    DcrShare,
    dcr_share,
    distance_to_closest_record,
    evaluate_dcr,
)
from hybrid_assets.privacy.nearest import nearest_distances, nearest_pairs
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.schema import ColumnSchema, TableSchema

NUMBERS = {"age": "integer", "weight": "continuous"}
LEVELS = {"site": ("north", "south", "west"), "grade": ("low", "mid", "high")}


def study_schema(n_extra=0):
    """Eight encoded dimensions, and one more for each extra number."""
    numbers = NUMBERS | {f"x{i}": "continuous" for i in range(n_extra)}
    return TableSchema(
        study="small",
        columns=(
            *(ColumnSchema(name=k, role="covariate", kind=v) for k, v in numbers.items()),
            ColumnSchema(name="smoker", role="covariate", kind="binary"),
            ColumnSchema(name="site", role="covariate", kind="categorical", levels=LEVELS["site"]),
            ColumnSchema(name="grade", role="covariate", kind="ordinal", levels=LEVELS["grade"]),
        ),
    )


def people(n_rows, seed, n_extra=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.integers(40, 60, n_rows),
            "weight": (1000 + rng.normal(0, 3, n_rows)).round(1),
            **{f"x{i}": rng.normal(size=n_rows).round(2) for i in range(n_extra)},
            "smoker": rng.integers(0, 2, n_rows),
            "site": rng.choice(LEVELS["site"], n_rows),
            "grade": rng.choice(LEVELS["grade"], n_rows),
        }
    )
    return study_schema(n_extra).canonical(table)


def plain_distances(records, references, train, schema):
    """The definition, pair by pair."""
    distances = []
    for _, record in records.iterrows():
        best = np.inf
        for _, reference in references.iterrows():
            square = 0.0
            for column in schema.columns:
                a, b = record[column.name], reference[column.name]
                if column.kind in ("integer", "continuous"):
                    square += ((a - b) / train[column.name].std()) ** 2
                else:
                    square += float(a != b)
            best = min(best, square)
        distances.append(best**0.5)
    return np.array(distances)


@pytest.mark.parametrize("n_extra", [0, 6], ids=["tree", "tiles"])
def test_equals_the_plain_double_loop(n_extra):
    schema = study_schema(n_extra)
    train, records = people(60, 1, n_extra), people(40, 2, n_extra)
    encoder = RecordEncoder.fit(train, schema)
    assert (encoder.n_dimensions > 12) == bool(n_extra)
    np.testing.assert_allclose(
        distance_to_closest_record(records, train, encoder),
        plain_distances(records, train, train, schema),
        rtol=1e-12,
    )


@pytest.mark.parametrize("n_extra", [0, 6], ids=["tree", "tiles"])
def test_copies_are_exactly_zero(n_extra):
    train = people(500, 3, n_extra)
    encoder = RecordEncoder.fit(train, study_schema(n_extra))
    copies = train.sample(2000, replace=True, random_state=0)
    assert (distance_to_closest_record(copies, train, encoder) == 0.0).all()
    nearly = copies.assign(weight=copies["weight"] + 1e-9)
    assert (distance_to_closest_record(nearly, train, encoder) > 0.0).all()


def test_minus_zero_is_a_copy_of_zero():
    points = np.array([[0.0, 1.0]])
    assert nearest_distances(-points * [1, -1], points).tolist() == [0.0]


def test_by_hand():
    schema = study_schema().select(["age", "smoker"])
    train = pd.DataFrame({"age": [0, 4], "smoker": [0, 1]})  # standard deviation √8
    records = pd.DataFrame({"age": [0, 4, 2, 8], "smoker": [0, 0, 1, 1]})
    encoder = RecordEncoder.fit(train, schema)
    np.testing.assert_allclose(
        distance_to_closest_record(records, train, encoder), [0, 1, 2 / 8**0.5, 4 / 8**0.5]
    )


def test_numbers_that_never_vary_keep_their_units():
    schema = study_schema().select(["age"])
    encoder = RecordEncoder.fit(pd.DataFrame({"age": [50, 50]}), schema)
    one, train = pd.DataFrame({"age": [53]}), pd.DataFrame({"age": [50]})
    assert distance_to_closest_record(one, train, encoder).tolist() == [3.0]


def test_uncomparable_values_are_refused():
    schema, train = study_schema(), people(20, 4)
    encoder = RecordEncoder.fit(train, schema)
    bad = train.astype({"weight": float})
    bad.loc[:1, "weight"] = [np.nan, np.inf]
    with pytest.raises(EvaluationError, match=r"'weight': .* finite numbers; 2 of 20 rows"):
        distance_to_closest_record(bad, train, encoder)
    strange = train.assign(site=["east", *["west"] * 19])
    with pytest.raises(EvaluationError, match=r"'site': .* its 3 levels; 1 of 20 rows hold none"):
        distance_to_closest_record(strange, train, encoder)
    with pytest.raises(EvaluationError, match="0 references"):
        distance_to_closest_record(train, train.iloc[:0], encoder)
    with pytest.raises(EvaluationError, match="at least 2 training rows; got 1"):
        RecordEncoder.fit(train.iloc[:1], schema)
    with pytest.raises(EvaluationError, match="at least 2 holdout rows; got 1"):
        evaluate_dcr(train, train, train.iloc[:1], schema)


def test_evaluation_of_a_table_half_copied():
    schema, train, holdout = study_schema(), people(300, 5), people(200, 6)
    fresh = people(400, 7)
    synthetic = pd.concat([train.iloc[:100], train.iloc[:100], holdout.iloc[:50], fresh])
    result = evaluate_dcr(synthetic, train, holdout, schema)
    encoder = RecordEncoder.fit(train, schema)
    distances = distance_to_closest_record(synthetic, train, encoder)
    chance = int((distance_to_closest_record(fresh, train, encoder) == 0).sum())
    q = result.synthetic_to_train
    assert [q.q05, q.q25, q.q50, q.q75, q.q95] == pytest.approx(
        np.percentile(distances, [5, 25, 50, 75, 95])
    )
    assert (result.n_synthetic, result.n_train, result.n_holdout) == (650, 300, 200)
    assert 200 + chance <= result.n_copies_in_train <= 205 + chance
    assert result.n_copies_in_holdout >= 50
    assert result.excess_copy_share == pytest.approx(
        result.n_copies_in_train / 650 - result.n_holdout_copies_in_train / 200
    )
    assert result.share.expected == 0.6
    assert result.share.value == pytest.approx((200 + 0.6 * 400) / 650, abs=0.05)


def test_columns_beyond_the_schema_do_not_count():
    schema, train, holdout = study_schema(), people(50, 8), people(50, 9)
    more = [t.assign(note="x", outcome=1.0) for t in (holdout, train, holdout)]
    assert evaluate_dcr(*more, schema) == evaluate_dcr(holdout, train, holdout, schema)


@pytest.mark.parametrize("width", [1, 14], ids=["tree", "tiles"])
def test_ties_are_split_among_all_owners(width):
    def points(*values):
        return np.column_stack([values, *[[0.0] * len(values)] * (width - 1)]).astype(float)

    found = nearest_pairs(points(1, 9), points(0, 2, 10))
    pairs = zip(found.rows.tolist(), found.owners.tolist(), strict=True)
    assert sorted(pairs) == [(0, 0), (0, 1), (1, 2)]
    assert found.distances.tolist() == [1.0, 1.0]
    # 1 is as near to 0 (one of training) as to 2 (two of training, one of the holdout)
    share = dcr_share(points(1, 9), train=points(0, 2, 2), holdout=points(2, 10))
    assert share.value == pytest.approx((3 / 4 + 0) / 2)
    assert share.expected == 0.6
    owned = np.array([1 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 2])
    error = np.sqrt(3 * (1 - 0.6) * ((owned - 0.2) ** 2).sum() / 4)
    assert share.standard_error == pytest.approx(error)
    assert share.z == pytest.approx((share.value - 0.6) / error)
    assert share.ci_high - share.ci_low == pytest.approx(2 * 1.959964 * error)


def test_share_where_everybody_owns_as_much():
    share = dcr_share(np.zeros((7, 1)), np.ones((3, 1)), np.ones((1, 1)))
    assert share.value == pytest.approx(0.75)
    assert (share.standard_error, share.z) == (pytest.approx(0, abs=1e-12), 0.0)


def test_standard_error_is_that_of_random_labels():
    """Over random splits of the same people, the share varies as its formula says."""
    rng = np.random.default_rng(12)
    everybody, points = rng.normal(size=(90, 2)), rng.normal(size=(400, 2))
    shares: list[DcrShare] = []
    for _ in range(600):
        order = rng.permutation(90)
        shares.append(dcr_share(points, everybody[order[:60]], everybody[order[60:]]))
    values = [share.value for share in shares]
    # 600 values: the error of their mean is 4 %, that of their spread 3 % of the formula
    error = shares[0].standard_error
    assert np.ptp([share.standard_error for share in shares]) < 1e-12
    assert np.mean(values) == pytest.approx(2 / 3, abs=4 * error / 600**0.5)
    assert np.std(values) == pytest.approx(error, rel=0.1)


def test_null_is_rejected_as_often_as_promised():
    """Nobody memorised, splits of unequal size: |z| > 1.96 in 5 % of tables, not of 18 %."""
    rng = np.random.default_rng(13)
    z = np.array(
        [
            dcr_share(
                rng.normal(size=(1000, 2)), rng.normal(size=(100, 2)), rng.normal(size=(50, 2))
            ).z
            for _ in range(300)
        ]
    )
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.05, abs=0.035)
    assert z.mean() == pytest.approx(0.0, abs=0.2)
    assert z.std() == pytest.approx(1.0, abs=0.15)


def test_memorising_is_seen():
    rng = np.random.default_rng(14)
    train, holdout = rng.normal(size=(200, 3)), rng.normal(size=(100, 3))
    near = train[rng.integers(0, 200, 2000)] + rng.normal(0, 0.05, (2000, 3))
    share = dcr_share(near, train, holdout)
    assert share.value > 0.97
    assert share.z > 5


@pytest.mark.slow
@pytest.mark.parametrize("n_holdout", [40, 100, 250])
def test_null_is_rejected_in_one_table_of_twenty(n_holdout):
    """1000 tables know a rate of 5 % to .7 points; the holdout may be smaller or larger."""
    rng = np.random.default_rng(15 + n_holdout)
    z = [
        dcr_share(
            rng.normal(size=(500, 3)), rng.normal(size=(100, 3)), rng.normal(size=(n_holdout, 3))
        ).z
        for _ in range(1000)
    ]
    assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.05, abs=0.02)
