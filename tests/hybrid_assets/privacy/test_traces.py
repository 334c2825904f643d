"""What a table shows of people is the same in blocks as in one piece."""

from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.privacy.copies import count_copies
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.distinct import RowSet, copy_of
from hybrid_assets.privacy.evaluate import evaluate_privacy
from hybrid_assets.privacy.linkage import linkability
from hybrid_assets.privacy.measure import Attack
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.traces import Traces
from hybrid_assets.privacy.verdict import Verdict
from hybrid_assets.schema import ColumnSchema, TableSchema

COLUMNS = [("age", "covariate", "integer", None), ("site", "covariate", "categorical", ("a", "b"))]
COLUMNS += [("A", "treatment", "binary", None), ("Y", "outcome", "continuous", None)]
SCHEMA = TableSchema(
    study="small",
    columns=tuple(
        ColumnSchema(name=n, role=r, kind=k, levels=v, decimals=1 if n == "Y" else None)
        for n, r, k, v in COLUMNS
    ),
)


def draw(n, seed, digits=1):
    rng = np.random.default_rng(seed)
    columns = {
        "age": rng.integers(20, 26, n),
        "site": rng.choice(["a", "b"], n),
        "A": rng.integers(0, 2, n),
        "Y": rng.normal(0, 1, n).round(digits),
    }
    return SCHEMA.canonical(pd.DataFrame(columns))


def cut(table, cuts):
    edges = [0, *sorted(min(c, len(table)) for c in cuts), len(table)]
    return [table.iloc[a:b] for a, b in pairwise(edges)]


@given(cuts=st.lists(st.integers(0, 80), max_size=5), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_traces_and_copies_do_not_depend_on_blocks(cuts, seed):
    people, holdout, table = draw(60, seed), draw(30, seed + 1), draw(80, seed + 2, digits=2)
    parts = cut(table, cuts)
    whole, found = (Traces.of(blocks, people, SCHEMA) for blocks in ([table], parts))
    assert found.n_rows == whole.n_rows == 80
    assert found.n_beyond == whole.n_beyond == {"Y": int((table["Y"].round(1) != table["Y"]).sum())}
    assert found.levels == whole.levels
    for name in ("age", "A", "Y"):
        assert np.array_equal(found.cells[name], whole.cells[name])
        assert np.array_equal(found.closest[name], whole.closest[name])
    for names in whole.rows:
        assert np.array_equal(found.rows[names], whole.rows[names])
    in_blocks = count_copies(map(SCHEMA.rounded, parts), people, holdout, SCHEMA)
    assert in_blocks == count_copies([SCHEMA.rounded(table)], people, holdout, SCHEMA)


def test_traces_by_brute_force():
    people, table = draw(60, 1), SCHEMA.rounded(draw(300, 2))
    found = Traces.of(cut(table, [7, 150]), people, SCHEMA)
    keys = {tuple(row) for row in table.itertuples(index=False)}
    shown = [tuple(row) in keys for row in people.itertuples(index=False)]
    assert found.rows[tuple(SCHEMA.names)].tolist() == shown
    assert 0 < sum(shown) < 60
    assert found.cells["Y"].tolist() == people["Y"].isin(table["Y"]).tolist()
    apart = np.abs(people["Y"].to_numpy()[:, None] - table["Y"].to_numpy()).min(axis=1)
    np.testing.assert_array_equal(found.closest["Y"], apart)


@given(seed=st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_a_row_set_finds_what_is_equal(seed):
    rng = np.random.default_rng(seed)
    points, table = (rng.integers(0, 3, (n, 3)).astype(float) for n in (12, 40))
    rows = RowSet(points)
    assert np.array_equal(rows.holds(table), copy_of(table, points) >= 0)
    hit = np.zeros(rows.n_distinct, bool)
    hit[rows.found_in(table)] = True
    assert np.array_equal(hit[rows.group_of], copy_of(points, table) >= 0)


def test_rows_that_share_a_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(
        "hybrid_assets.privacy.distinct._keys", lambda bits: np.zeros(len(bits), np.uint64)
    )
    points = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    rows = RowSet(points)
    assert rows.holds(np.array([[3.0, 4.0], [1.0, 2.0], [2.0, 1.0]])).tolist() == [
        True,
        True,
        False,
    ]


def strangers(n, seed):
    """Draw people of whom no two are alike."""
    rng = np.random.default_rng(seed)
    rows = {"age": rng.integers(0, 10**6, n), "site": rng.choice(["a", "b"], n)}
    rows |= {"A": rng.integers(0, 2, n), "Y": rng.normal(0, 1, n).round(1)}
    return SCHEMA.canonical(pd.DataFrame(rows))


def test_a_table_that_passes_whole_cannot_pass_by_a_sample():
    train, holdout, table = strangers(900, 1), strangers(700, 2), strangers(4000, 3)
    sample = table.iloc[::4]
    judged = {"policy": PrivacyPolicy(), "rng": np.random.default_rng(0), "sensitive": ["age"]}
    attacked = Attacked.of_blocks(cut(table, [1000]), sample, train, holdout, SCHEMA)
    found = evaluate_privacy(attacked, shares={}, **judged)
    whole = evaluate_privacy(Attacked.of(table, train, holdout, SCHEMA), shares={}, **judged)
    assert (whole.verdict, whole.n_sampled, whole.too_few_rows) == (Verdict.PASS, None, "")
    assert (found.verdict, found.n_synthetic, found.n_sampled) == (
        Verdict.INCONCLUSIVE,
        4000,
        1000,
    )
    assert {each.verdict for each in found.findings} == {Verdict.PASS}
    assert found.too_few_rows.startswith(
        "Attackers by likeness were given a random sample of 1,000 of 4,000 rows"
    )


def test_of_many_people_some_are_asked_about_and_all_are_looked_for(monkeypatch):
    train, holdout, table = strangers(900, 1), strangers(700, 2), strangers(4000, 3)
    monkeypatch.setattr("hybrid_assets.privacy.people.MOST_PEOPLE", 600)
    attacked = Attacked.of(table, train, holdout, SCHEMA)
    asked = attacked.of_some_people(np.random.default_rng(0))
    assert (asked.n_members, asked.n_holdout) == (600, 600)
    everybody = set(map(tuple, attacked.people[: attacked.n_members].to_numpy()))
    assert set(map(tuple, asked.people[:600].to_numpy())) < everybody
    ages = asked.people["age"].to_numpy()
    apart = np.abs(ages[:, None] - table["age"].to_numpy()).min(axis=1)
    assert np.array_equal(asked.traces.closest["age"], apart)

    judged = {"policy": PrivacyPolicy(), "sensitive": ["age"], "shares": {}}
    found = evaluate_privacy(attacked, rng=np.random.default_rng(0), **judged)
    assert {each.verdict for each in found.findings} == {Verdict.PASS}
    assert (found.verdict, found.n_asked, found.n_members) == (Verdict.INCONCLUSIVE, 1200, 900)
    assert list(found.no_pass_because) == ["people"]
    assert found.people_not_asked.startswith(
        "Attackers by likeness were asked about 1,200 random people of 1,600"
    )
    copied = pd.concat([table, train], ignore_index=True)
    attacked = Attacked.of(copied, train, holdout, SCHEMA)
    found = evaluate_privacy(attacked, rng=np.random.default_rng(0), **judged)
    copies = [f.measure for f in found.findings if f.measure.attack is Attack.COPIES]
    assert found.verdict is Verdict.FAIL
    assert min(each.value for each in copies if each.target.startswith("W")) > 0.99
    monkeypatch.setattr("hybrid_assets.privacy.people.MOST_PEOPLE", 900)
    assert attacked.of_some_people(np.random.default_rng(0)) is attacked


def test_people_are_linked_alike_however_many_are_looked_at_together(monkeypatch):
    train, holdout, table = strangers(300, 1), strangers(200, 2), strangers(2000, 3)
    attacked = Attacked.of(table, train, holdout, SCHEMA)
    whole = linkability(attacked, "W, A, Y", PrivacyPolicy())
    monkeypatch.setattr("hybrid_assets.privacy.linkage.PEOPLE_TOGETHER", 70)
    assert linkability(attacked, "W, A, Y", PrivacyPolicy()) == whole


def test_distances_of_a_sample_keep_the_counts_of_all_rows():
    train, holdout, table = draw(200, 1), draw(100, 2), draw(600, 3)
    copies = count_copies(cut(table, [250]), train, holdout, SCHEMA)
    found = evaluate_dcr(table.iloc[:150], train, holdout, SCHEMA, copies)
    whole = evaluate_dcr(table, train, holdout, SCHEMA)
    assert (found.n_measured, whole.n_measured) == (150, 600)
    assert found.n_synthetic == 600
    assert found.n_copies_in_train == whole.n_copies_in_train > 0
    assert found.share == evaluate_dcr(table.iloc[:150], train, holdout, SCHEMA).share
