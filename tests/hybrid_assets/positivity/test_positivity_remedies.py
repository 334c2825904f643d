"""Overlap weights against Robinson's regression in statsmodels, PSweight's formula and a bootstrap.

Trimming against a search over every cutoff.
"""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.positivity import overlap_remedies, overlap_weighted
from hybrid_assets.positivity.remedies import optimal_cutoff


def nuisances(n, seed):
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 4, n)
    g = np.array([0.1, 0.3, 0.6, 0.92])[w]
    a = (rng.random(n) < g).astype(float)
    y = 1.0 + w + a * (0.5 + w**2) + (1 + w) * rng.normal(size=n)
    return w, a, y


def saturated(w, a, y):
    """Fit cell means: g, Q0 and Q1 of each row's cell."""
    n_cell = np.bincount(w, minlength=4)
    n_treated = np.bincount(w, a, minlength=4)
    q1 = np.bincount(w, a * y, minlength=4) / n_treated
    q0 = np.bincount(w, (1 - a) * y, minlength=4) / (n_cell - n_treated)
    return (n_treated / n_cell)[w], q0[w], q1[w]


def test_overlap_weights_are_robinson_s_regression():
    rng = np.random.default_rng(3)
    n = 300
    a, y = rng.integers(0, 2, n).astype(float), rng.normal(size=n)
    g, q0, q1 = rng.uniform(0.01, 0.99, n), rng.normal(size=n), rng.normal(size=n)
    found = overlap_weighted(a, y, g, q0, q1)
    book = sm.OLS(y - q0 - g * (q1 - q0), a - g).fit(cov_type="HC0")
    assert found.estimate == pytest.approx(book.params[0], abs=1e-12)
    assert found.standard_error == pytest.approx(book.bse[0], abs=1e-12)


def test_overlap_weights_are_psweight_s_when_models_are_saturated():
    w, a, y = nuisances(2000, 4)
    g, q0, q1 = saturated(w, a, y)
    found = overlap_weighted(a, y, g, q0, q1)
    w1, w0 = a * (1 - g), (1 - a) * g
    assert found.mean_treated == pytest.approx((w1 * y).sum() / w1.sum(), abs=1e-12)
    assert found.mean_control == pytest.approx((w0 * y).sum() / w0.sum(), abs=1e-12)
    assert found.ess_treated == pytest.approx(w1.sum() ** 2 / (w1**2).sum())


def test_the_standard_error_of_overlap_weights_is_the_bootstrap_s():
    """The bootstrap refits g and Q; 1500 draws leave 2 % of error."""
    w, a, y = nuisances(2000, 5)
    found = overlap_weighted(a, y, *saturated(w, a, y))
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(1500):
        k = rng.integers(0, len(w), len(w))
        draws.append(overlap_weighted(a[k], y[k], *saturated(w[k], a[k], y[k])).estimate)
    assert found.standard_error == pytest.approx(np.std(draws), rel=0.06)


def test_an_interval_of_overlap_weights_covers():
    cells = np.array([0.1, 0.3, 0.6, 0.92])
    h = cells * (1 - cells)
    truth = (h * (0.5 + np.arange(4) ** 2)).sum() / h.sum()
    covered = []
    for seed in range(1000):
        w, a, y = nuisances(1000, 1000 + seed)
        found = overlap_weighted(a, y, *saturated(w, a, y))
        covered.append(found.ci_low <= truth <= found.ci_high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)  # Monte-Carlo error .007


def test_no_overlap_at_all_is_refused():
    a = np.tile([0.0, 1.0], 10)
    with pytest.raises(EstimationError, match="no overlap is left"):
        overlap_weighted(a, a, a, a, a)


@given(st.lists(st.floats(0.001, 0.999).map(lambda g: round(g, 3)), min_size=2, max_size=60))
def test_the_optimal_cutoff_is_the_best_of_all(values):
    g = np.array(values)
    noise = 1 / (g * (1 - g))

    def variance(cutoff):
        kept = np.minimum(g, 1 - g) >= cutoff
        return noise[kept].sum() / kept.sum() ** 2

    best = min(variance(cutoff) for cutoff in np.minimum(g, 1 - g))
    assert variance(optimal_cutoff(g)) == pytest.approx(best, rel=1e-12)


def test_the_optimal_cutoff_solves_crump_s_equation():
    """1/(α(1−α)) is twice the mean of 1/(g(1−g)) over those kept."""
    g = np.random.default_rng(0).beta(0.4, 0.4, 200_000).clip(1e-6, 1 - 1e-6)
    cutoff = optimal_cutoff(g)
    kept = np.minimum(g, 1 - g) >= cutoff
    assert 1 / (cutoff * (1 - cutoff)) == pytest.approx(
        2 * (1 / (g * (1 - g)))[kept].mean(), rel=1e-3
    )


def test_propensities_of_exactly_0_and_1_are_trimmed_first():
    g = np.r_[np.zeros(30), np.ones(30), np.full(50, 0.4)]
    assert optimal_cutoff(g) == 0.4


def test_every_remedy_of_a_design_with_overlap(cross_fits):
    _, fits = cross_fits("confounded_binary", 1000)
    found = overlap_remedies(fits).set_index("remedy")
    for remedy, estimand in (("truncation", "ate"), ("att", "att"), ("atc", "atc")):
        book = estimate_from_cross_fits(fits, ("aipw",), estimand=estimand)["aipw"]
        assert found.loc[remedy, "estimate"] == book.estimate
        assert found.loc[remedy, "standard_error"] == book.standard_error
        assert found.loc[remedy, "clipped_share"] == book.clipped_share
    assert found.loc["none", "estimate"] == found.loc["truncation", "estimate"]  # nobody clipped
    g = fits[0].propensity_unbounded
    share = ((g >= 0.1) & (g <= 0.9)).mean()
    assert found.loc["crump_trimming", "share_used"] == pytest.approx(share, abs=0.01)
    assert found["estimate"].between(0.33, 0.5).all()
    assert found["estimand"].is_unique is False
    assert set(found["interval_note"]) == {""}
    noted = overlap_remedies(fits, interval_note="too narrow").set_index("remedy")
    assert set(noted["interval_note"]) == {"too narrow"}
    assert noted.drop(columns="interval_note").equals(found.drop(columns="interval_note"))
    assert found.loc["overlap_weights", "estimand"] == "ATO: everyone weighted by g (1 − g)"


def test_swapping_the_arms_flips_the_sign(cross_fits):
    _, fits = cross_fits("paper1_observational", 600)
    swapped = tuple(
        replace(
            fit,
            treatment=1 - fit.treatment,
            propensity_unbounded=1 - fit.propensity_unbounded,
            propensity=1 - fit.propensity,
            outcome_control=fit.outcome_treated,
            outcome_treated=fit.outcome_control,
        )
        for fit in fits
    )
    here, there = (overlap_remedies(each).set_index("remedy") for each in (fits, swapped))
    for remedy in here.index:
        mirrored = {"att": "atc", "atc": "att"}.get(remedy, remedy)
        assert here.loc[remedy, "estimate"] == pytest.approx(
            -there.loc[mirrored, "estimate"], abs=1e-9
        )


def test_a_remedy_that_leaves_too_few_says_so(cross_fits):
    _, fits = cross_fits("paper1_observational", 200)
    none_between = tuple(
        replace(fit, propensity_unbounded=np.where(fit.treatment == 1, 0.95, 0.02)) for fit in fits
    )
    found = overlap_remedies(none_between).set_index("remedy")
    row = found.loc["crump_trimming"]
    assert row[["estimate", "standard_error", "n_used"]].isna().all()
    assert row["note"] == "no estimate: trimming leaves under 10 rows in an arm"


def test_a_count_of_left_out_people_under_ten_is_bounded(cross_fits):
    _table, (fit, *_rest) = cross_fits("confounded_binary", 300)
    g = np.where(np.arange(300) < 4, 0.05, 0.5)
    found = overlap_remedies((replace(fit, propensity_unbounded=g, propensity=g),))
    row = found.set_index("remedy").loc["crump_trimming"]
    assert np.isnan(row["n_used"])
    assert np.isnan(row["share_used"])
    assert row["note"].endswith("; n_used > 290 of 300")
