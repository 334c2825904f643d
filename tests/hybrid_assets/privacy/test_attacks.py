"""The attacks' statistics against plain rewrites and outside references."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from scipy.spatial.distance import cdist
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import confint_proportions_2indep

from hybrid_assets.privacy import linkage, neighbours
from hybrid_assets.privacy.auc import auc, mean_auc
from hybrid_assets.privacy.copying import copied_cells, copied_rows, digit_replay
from hybrid_assets.privacy.evaluate import PrivacyEvaluation, evaluate_privacy
from hybrid_assets.privacy.inference import attribute_inference, known_columns
from hybrid_assets.privacy.linkage import linkability, singling_out
from hybrid_assets.privacy.measure import Attack, Limits, normal_measure
from hybrid_assets.privacy.membership import tail_measure
from hybrid_assets.privacy.neighbours import k_nearest, n_within
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.spikes import Crowding, crowding, enrichment
from hybrid_assets.privacy.surroundings import Surroundings
from hybrid_assets.privacy.verdict import Verdict, judge
from hybrid_assets.processes import LocalProcesses
from hybrid_assets.schema import ColumnSchema, TableSchema

POLICY = PrivacyPolicy()
EVALUATIONS = TypeAdapter(PrivacyEvaluation)


def delong(scores, positive):
    """Every pair, then the spread of each person's mean."""
    a, b = scores[positive], scores[~positive]
    wins = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    variance = wins.mean(axis=1).var(ddof=1) / len(a) + wins.mean(axis=0).var(ddof=1) / len(b)
    return wins.mean(), variance**0.5


@pytest.mark.parametrize("n_values", [4, 1000], ids=["ties", "no ties"])
def test_auc_equals_all_pairs_and_scikit_learn(n_values):
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, n_values, 90).astype(float), rng.random(90) < 0.3
    found = auc(scores, positive)
    value, error = delong(scores, positive)
    assert (found.value, found.standard_error) == pytest.approx((value, error), rel=1e-12)
    assert found.value == pytest.approx(roc_auc_score(positive, scores), rel=1e-12)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)


def test_error_of_a_mean_auc_is_that_of_the_bootstrap():
    rng = np.random.default_rng(1)
    level = rng.integers(0, 3, 300)
    scores = np.eye(3)[level] * 0.7 + rng.normal(size=(300, 3))

    def mean_of(rows):
        parts = [auc(scores[rows, k], level[rows] == k) for k in range(3)]
        return mean_auc(parts, [float((level[rows] == k).mean()) for k in range(3)])

    spread = bootstrap(
        (np.arange(300),),
        lambda rows: mean_of(rows).value,
        vectorized=False,
        n_resamples=400,
        rng=rng,
    ).standard_error
    # 400 resamples know a spread to 3.5 %
    assert mean_of(np.arange(300)).standard_error == pytest.approx(spread, rel=0.12)


def test_tail_p_value_is_that_of_all_permuted_labels():
    rng = np.random.default_rng(2)
    scores, is_member = rng.normal(size=300), np.arange(300) < 180
    scores[:10] += 3
    found = tail_measure("W", scores, is_member, POLICY)
    k = int(0.01 * 120) + 1
    threshold = np.sort(scores[~is_member])[-k]
    assert found.value == (scores[is_member] > threshold).mean()
    assert found.reference == (scores[~is_member] > threshold).mean()

    def n_accused(labels):
        return (scores[labels] > np.sort(scores[~labels])[-k]).sum()

    drawn = np.array([n_accused(rng.permutation(is_member)) for _ in range(4000)])
    expected = (drawn >= n_accused(is_member)).mean()
    assert found.p_value == pytest.approx(expected, abs=4 * (expected / 4000) ** 0.5 + 1e-3)


def test_tail_ties_go_to_the_non_member():
    found = tail_measure("W", np.zeros(40), np.arange(40) < 20, POLICY)
    assert (found.value, found.p_value, found.is_within_limit) == (0.0, 1.0, False)


@pytest.mark.parametrize("width", [3, 30], ids=["tree", "products"])
@pytest.mark.parametrize(("m", "k"), [(40, 7), (40, 40), (3000, 1), (3000, 7), (3000, 300)])
def test_k_nearest_equals_brute_force(width, m, k):
    rng = np.random.default_rng(width + m)
    points, references = rng.normal(size=(700, width)), rng.normal(size=(m, width))
    distances, owners = k_nearest(points, references, k)
    plain = cdist(points, references)
    np.testing.assert_allclose(distances, np.sort(plain, axis=1)[:, :k], rtol=1e-6)
    np.testing.assert_allclose(distances, np.take_along_axis(plain, owners, axis=1), rtol=1e-12)
    assert all(len(set(row)) == k for row in owners.tolist())
    np.testing.assert_array_equal(owners[:, 0], plain.argmin(axis=1))


@pytest.mark.parametrize("width", [3, 30], ids=["tree", "products"])
def test_rows_within_a_radius_are_those_of_brute_force(width):
    rng = np.random.default_rng(width)
    points, references = rng.normal(size=(700, width)), rng.normal(size=(3000, width))
    points[:5] = references[:5]
    plain = cdist(points, references)
    ordered = np.sort(plain, axis=1)
    between = [ordered[:, k : k + 2].mean(axis=1) for k in (0, 9, 800)]  # none is at a radius
    found = n_within(points, references, [np.zeros(700), *between, np.full(700, 1e3)])
    counted = [(plain <= radius[:, None]).sum(axis=1) for radius in between]
    np.testing.assert_array_equal(found[1:4], counted)
    assert (found[4] == 3000).all()
    assert (found[0][5:] == 0).all()


def test_attacks_on_many_people_are_those_of_several_processes(monkeypatch):
    monkeypatch.setattr(neighbours, "POINTS_HANDED_OUT", 100)
    monkeypatch.setattr(linkage, "POINTS_HANDED_OUT", 100)
    monkeypatch.setattr(linkage, "PEOPLE_TOGETHER", 150)
    attacked = Attacked.of(draw(800, 3), draw(200, 1), draw(200, 2), small_schema())
    with LocalProcesses(2) as processes:
        here, there = (
            evaluate_privacy(
                attacked,
                shares={},
                policy=POLICY,
                rng=np.random.default_rng(1),
                workers=workers,
            )
            for workers in (None, processes)
        )
    assert EVALUATIONS.dump_json(here) == EVALUATIONS.dump_json(there)


@pytest.mark.parametrize("width", [4, 14], ids=["tree", "products"])
def test_neighbours_of_many_people_are_those_of_several_processes(width, monkeypatch):
    monkeypatch.setattr(neighbours, "POINTS_HANDED_OUT", 600)
    rng = np.random.default_rng(width)
    points, references = (rng.normal(size=(n, width)) for n in (1500, 900))
    radii = [np.full(1500, 1.0), np.full(1500, 2.5)]
    with LocalProcesses(2) as processes:
        for workers in (None, processes):
            found = [
                *k_nearest(points, references, 6, workers),
                *n_within(points, references, radii, workers),
            ]
            if workers is None:
                here = found
    for one, other in zip(here, found, strict=True):
        np.testing.assert_array_equal(one, other)


def small_schema():
    columns = [("age", "covariate", "integer", None), ("weight", "covariate", "continuous", None)]
    columns += [("site", "covariate", "categorical", ("a", "b", "c"))]
    columns += [("A", "treatment", "binary", None), ("Y", "outcome", "binary", None)]
    return TableSchema(
        study="small",
        columns=tuple(ColumnSchema(name=n, role=r, kind=k, levels=v) for n, r, k, v in columns),
    )


def draw(n, seed):
    rng = np.random.default_rng(seed)
    return small_schema().canonical(
        pd.DataFrame(
            {
                "age": rng.integers(20, 80, n),
                "weight": rng.normal(80, 9, n),
                "site": rng.choice(["a", "b", "c"], n),
                "A": rng.integers(0, 2, n),
                "Y": rng.integers(0, 2, n),
            }
        )
    )


def test_copies_by_hand():
    train, holdout, fresh = draw(40, 1), draw(50, 2), draw(100, 3)
    synthetic = pd.concat([fresh, train.iloc[:8], train.iloc[:8], holdout.iloc[:1]])
    attacked = Attacked.of(synthetic, train, holdout, small_schema())
    found = copied_rows(attacked, "W, A, Y", POLICY)
    assert found.value == pytest.approx(8 / 40 - 1 / 50)
    assert found.reference == pytest.approx(1 / 50)
    newcombe = confint_proportions_2indep(8, 40, 1, 50, method="newcomb")
    assert (found.ci_low, found.ci_high) == pytest.approx(newcombe, rel=1e-6)
    # Fisher: of 9 copied people, 8 or all 9 are among the 40 members of 90
    assert found.p_value == pytest.approx((comb(40, 8) * 50 + comb(40, 9)) / comb(90, 9))
    assert copied_cells(attacked, "weight", POLICY).value == found.value


def test_digit_replay_by_hand():
    train, holdout, synthetic = draw(30, 1), draw(30, 2), draw(60, 3)
    attacked = Attacked.of(synthetic, train, holdout, small_schema())
    closest = np.abs(
        attacked.people["weight"].to_numpy()[:, None] - synthetic["weight"].to_numpy()
    ).min(axis=1)
    value, error = delong(-closest, attacked.is_member)
    found = digit_replay(attacked, ["weight"], POLICY)
    assert found.value == pytest.approx(value)
    assert found.ci_high - found.value == pytest.approx(1.959964 * error)


def test_the_attacker_knows_what_an_analyst_would():
    attacked = Attacked.of(draw(60, 1), draw(60, 2), draw(60, 3), small_schema())
    assert known_columns(attacked, "A") == ["age", "weight", "site"]
    assert known_columns(attacked, "Y") == ["age", "weight", "site", "A"]
    assert known_columns(attacked, "site") == ["age", "weight"]


@pytest.mark.parametrize("target", ["site", "age", "A", "Y"])
def test_a_column_copied_for_members_only_is_inferred(target):
    train, holdout = draw(400, 1), draw(400, 2)
    copies = pd.concat([train] * 12)
    found = attribute_inference(Attacked.of(copies, train, holdout, small_schema()), target, POLICY)
    assert found.value == pytest.approx(0.5, abs=0.07)
    assert found.ci_low > 0.3
    nothing = attribute_inference(
        Attacked.of(draw(4000, 3), train, holdout, small_schema()), target, POLICY
    )
    error = (nothing.ci_high - nothing.ci_low) / 2 / 1.959964
    assert abs(nothing.value) < 3 * error


def test_a_constant_column_cannot_be_inferred():
    tables = [draw(60, s).assign(Y=1) for s in (1, 2, 3)]
    found = attribute_inference(Attacked.of(*tables, small_schema()), "Y", POLICY)
    assert np.isnan(found.value)
    assert found.p_value is None


def test_linkage_attacks_see_copies_and_nothing_else():
    train, holdout = draw(300, 1), draw(300, 2)
    for synthetic, leaks in ((pd.concat([train] * 4), True), (draw(1200, 3), False)):
        attacked = Attacked.of(synthetic, train, holdout, small_schema())
        singled = singling_out(attacked, "W, A, Y", POLICY, np.random.default_rng(0))
        linked = linkability(attacked, "W, A, Y", POLICY)
        for found in (singled, linked):
            assert (found.ci_low > 0.55) == leaks
            assert leaks or found.ci_low < 0.5 < found.ci_high


def test_crowding_by_hand():
    people = np.arange(40, dtype=float)[:, None]
    synthetic = np.concatenate([people + 0.1, np.full((30, 1), 7.2)])
    found = crowding(Surroundings.of(people, synthetic))
    # the fifth other person is 3 away inside, so a quarter is .75: one row, and 30 more at 7
    assert found.n_near[20:35].tolist() == [1] * 15
    assert found.n_near[7] == 31
    assert found.log_tail[7] < np.log(1e-9)
    assert found.log_tail[20:35].min() > np.log(0.5)


@pytest.mark.parametrize(("n_members", "verdict"), [(10, "FAIL"), (9, "REVIEW"), (8, "PASS")])
def test_both_column_sets_share_one_limit_on_spikes(n_members, verdict):
    is_member, log_tail = np.arange(2000) < 1000, np.zeros(2000)
    log_tail[[*range(n_members), *range(1000, 1010 - n_members)]] = -20.0
    found = enrichment(Crowding(log_tail, log_tail, log_tail), is_member, "W", POLICY)
    ways = sum(comb(1000, k) * comb(1000, 10 - k) for k in range(n_members, 11))
    assert found.p_value == pytest.approx(ways / comb(2000, 10), rel=1e-9)
    assert 2 * found.own_significance == POLICY.spike_significance
    assert judge([found], POLICY)[0].verdict == verdict


@pytest.mark.slow
def test_spikes_accuse_strangers_as_rarely_as_promised(schema, people):
    """Labels drawn at random, 2000 times over 20 tables, W and (W, A, Y) together."""
    n, m, rng, fails = 400, 100, np.random.default_rng(0), []
    for table in range(20):
        everybody, rows = people(n + m, 500 + table), people(3000, 900 + table)
        attacked = Attacked.of(rows, everybody.iloc[:n], everybody.iloc[n:], schema)
        found = [
            crowding(Surroundings.of(*seen.encoded())) for seen in (attacked.covariates, attacked)
        ]
        for _ in range(100):
            is_member = rng.permutation(n + m) < n
            measures = [enrichment(one, is_member, "", POLICY) for one in found]
            fails.append(any(e.p_value < e.own_significance for e in measures))
    limit = POLICY.spike_significance
    assert np.mean(fails) <= limit + 3 * (limit * (1 - limit) / len(fails)) ** 0.5


def test_interval_measures():
    limits = Limits(0.5, 0.55, 0.60)
    found = normal_measure(
        Attack.MEMBERSHIP_DISTANCE, "W", "AUC", found=(0.6, 0.01, 0.5), limits=limits
    )
    assert found.p_value == pytest.approx(2.866516e-07, rel=1e-6)  # R: pnorm(-5)
    assert (found.is_within_limit, found.is_suspicious) == (False, True)
    for value, p_value in ((0.5, 1.0), (0.9, 0.0)):
        certain = normal_measure(
            Attack.MEMBERSHIP_DISTANCE, "W", "AUC", found=(value, 0.0, 0.5), limits=limits
        )
        assert certain.p_value == p_value


@pytest.mark.parametrize("sizes", [(49, 60, 60), (60, 19, 60), (60, 60, 19)])
def test_too_few_rows_are_not_attacked_and_never_pass(sizes, evaluated):
    found = evaluated(*(draw(n, seed) for seed, n in enumerate(sizes)), small_schema())
    assert {f.measure.attack for f in found.findings} <= {Attack.DCR_SHARE}
    assert found.verdict is not Verdict.PASS


@pytest.mark.parametrize("names", [["A", "Y", "site"], ["age", "A", "Y"], ["weight", "A", "Y"]])
def test_every_attack_runs_on_narrow_tables(names, evaluated):
    schema = small_schema().select(names)
    tables = [draw(200, s)[names] for s in (1, 2, 3)]
    assert len(evaluated(*tables, schema).findings) > 15


def test_every_attack_runs_on_wide_and_constant_tables(evaluated):
    levels = tuple("abcdefghijklmnop")
    schema = small_schema()
    wide = ColumnSchema(name="ward", role="covariate", kind="categorical", levels=levels)
    flat = ColumnSchema(name="flat", role="covariate", kind="continuous", decimals=1)
    schema = TableSchema(study="wide", columns=(wide, flat, *schema.columns))
    rng = np.random.default_rng(0)
    tables = [
        schema.canonical(draw(300, s).assign(ward=rng.choice(levels, 300), flat=1.5))
        for s in (1, 2, 3)
    ]
    assert evaluated(*tables, schema).verdict in ("PASS", "REVIEW", "INCONCLUSIVE")
