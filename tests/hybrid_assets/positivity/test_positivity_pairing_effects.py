"""Pooling against statsmodels' fixed-effect meta-analysis; pairing against METHOD's figures."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.nuisance import NuisanceSettings, cross_fit_draws
from hybrid_assets.nuisance.outcome_model import fit_outcome_model
from hybrid_assets.positivity import combined_propensity, worst_case
from hybrid_assets.positivity.donor import DonorStudy
from hybrid_assets.positivity.pairing import Donor, find_pairs, pair, paired_with
from hybrid_assets.positivity.pairing_effects import (
    PairedStudy,
    donor_leverage,
    heterogeneity_p_value,
    pairing_effects,
    pooled,
)
from hybrid_assets.positivity.remedies import overlap_weighted_from

SCHEMA = DESIGNS["paper1_observational"].schema()
COVARIATES = ["W1", "W2", "W3", "W4", "W5", "W6"]
TRUTH = DESIGNS["paper1_observational"].true_ate


def drawn(word, n_rows, seed):
    return SCHEMA.canonical(DESIGNS[word](n_rows, seed))


def a_study(ridge, seed, n_rows=300, n_donor=600):
    rng = np.random.default_rng(seed)
    rows = drawn("paper1_observational", n_rows, seed)
    fits = cross_fit_draws(rows, SCHEMA, ridge, rng)
    trial = drawn("paper1_trial", n_donor, 1000 + seed)
    donor_study = DonorStudy.fit(trial, SCHEMA, ridge, known_propensity=0.5, rng=rng)
    donor = donor_study.give(drawn("paper1_trial", 4000, 5000 + seed)[COVARIATES])
    paired = pair(rows, combined_propensity(fits), donor, rng=rng)
    return PairedStudy(paired, fits, donor, donor_study, ridge)


@pytest.fixture
def study(ridge):
    return a_study(ridge, 1)


@pytest.fixture
def effects(study):
    return pairing_effects(study, np.random.default_rng(0))


def test_the_donor_s_means_are_its_own_tmle_s(study):
    effect = study.donor_study.effect
    assert study.donor.outcome_treated.mean() == pytest.approx(effect.mean_treated, abs=1e-10)
    assert study.donor.outcome_control.mean() == pytest.approx(effect.mean_control, abs=1e-10)


def test_rows_and_their_people(effects, study):
    figures = effects.set_index("estimate_of")
    assert effects["estimate_of"].tolist() == [
        "study_alone",
        "study_overlap",
        "paired",
        "paired_null_donor",
        "imputed",
        "donor_alone",
        "pooled",
        "worst_case",
    ]
    book = estimate_from_cross_fits(study.cross_fits, ("aipw",))["aipw"]
    assert figures.loc["study_alone", "estimate"] == book.estimate
    assert figures.loc["study_alone", "standard_error"] == book.standard_error
    assert figures.loc["paired", "n_rows"] == len(study.paired.table)
    bounds = worst_case(study.cross_fits)
    assert figures.loc["worst_case", "ci_low"] == bounds.ci_low
    assert np.isnan(figures.loc["worst_case", "estimate"])
    assert figures.loc["paired", "estimate"] > figures.loc["study_alone", "estimate"]
    assert donor_leverage(effects) > 0.5


def test_pooling_is_a_fixed_effect_meta_analysis(effects):
    figures = effects.set_index("estimate_of")
    both = figures.loc[["study_overlap", "donor_alone"]]
    errors = both["standard_error"].to_numpy(float)
    book = combine_effects(both["estimate"].to_numpy(float), errors**2)
    pooled = figures.loc["pooled"]
    assert pooled["estimate"] == pytest.approx(book.mean_effect_fe, abs=1e-12)
    assert pooled["standard_error"] == pytest.approx(book.sd_eff_w_fe, abs=1e-12)
    expected = book.test_homogeneity().pvalue
    assert heterogeneity_p_value(effects) == pytest.approx(expected, rel=1e-9)


def test_imputing_by_hand(study, effects):
    """An extreme row's effect is h* against its own outcome; others have their AIPW term."""
    terms = np.zeros(300)
    for fit in study.cross_fits:
        g, a, y = fit.propensity, fit.treatment, fit.outcome
        q1, q0 = fit.outcome_treated, fit.outcome_control
        terms += (q1 - q0 + a * (y - q1) / g - (1 - a) * (y - q0) / (1 - g)) / 3
    for row, donor in zip(study.paired.pairing.rows, study.paired.pairing.donors, strict=True):
        y = study.paired.table["Y"][row]
        is_control = study.paired.table["A"][row] == 0
        h1, h0 = study.donor.outcome_treated[donor], study.donor.outcome_control[donor]
        terms[row] = h1 - y if is_control else y - h0
    imputed = effects.set_index("estimate_of").loc["imputed"]
    assert imputed["estimate"] == pytest.approx(terms.mean(), abs=1e-12)
    own = terms.std(ddof=1) / np.sqrt(300)
    assert imputed["standard_error"] == pytest.approx(
        np.hypot(own, imputed["standard_error_donor"]), rel=1e-12
    )


def test_more_donor_people_are_less_uncertain(ridge):
    parts = []
    for n_donor in (300, 4800):
        found = pairing_effects(a_study(ridge, 2, n_donor=n_donor), np.random.default_rng(0))
        parts.append(found.set_index("estimate_of").loc["paired", "standard_error_donor"])
    assert parts[0] / parts[1] == pytest.approx(4.0, rel=0.5)  # 40 refits: 11 % of error each


def test_a_study_paired_with_itself_has_no_donor(ridge, study):
    own = PairedStudy(study.paired, study.cross_fits, study.donor, None, ridge)
    found = pairing_effects(own, np.random.default_rng(0)).set_index("estimate_of")
    assert found.index.tolist() == [
        "study_alone",
        "study_overlap",
        "paired",
        "paired_null_donor",
        "imputed",
        "worst_case",
    ]
    assert found.loc["paired", "standard_error_donor"] == 0.0


def plain_aipw(table, ridge, rng):
    fits = cross_fit_draws(table, SCHEMA, ridge, rng)
    return estimate_from_cross_fits(fits, ("aipw",))["aipw"].estimate


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [200, 1000])
def test_a_donor_without_effect_removes_most_of_the_effect(n_rows):
    """METHOD 5: 75 to 84 %; here 74 % at 200 rows and 81 % at 1000 (Monte-Carlo error 3 %)."""
    settings = NuisanceSettings(
        n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
    )
    means = []
    for seed in range(1, 21):
        study = a_study(settings, seed, n_rows, 1000)
        rng = np.random.default_rng(seed)
        twin = paired_with(
            study.study_rows, study.paired.pairing, study.donor.without_effect(), rng=rng
        )
        means.append([plain_aipw(t.table, settings, rng) for t in (study.paired, twin)])
    paired, without = np.mean(means, axis=0)
    assert paired == pytest.approx(TRUTH, abs=0.04)
    assert 1 - without / paired == pytest.approx(0.795, abs=0.095)


@pytest.mark.slow
def test_pooling_covers_where_the_study_alone_does_not():
    """Of 200 draws: study alone .37, overlap weights .975, donor .96, pooled .965."""
    settings = NuisanceSettings(
        n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
    )
    covered = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        fits = cross_fit_draws(drawn("paper1_observational", 1000, seed + 1), SCHEMA, settings, rng)
        trial = drawn("paper1_trial", 1000, 1000 + seed)
        donor = DonorStudy.fit(trial, SCHEMA, settings, known_propensity=0.5, rng=rng).effect
        alone = estimate_from_cross_fits(fits, ("aipw",))["aipw"]
        both, _ = pooled(overlap_weighted_from(fits), donor)
        errors = (both.estimate, both.standard_error), (alone.estimate, alone.standard_error)
        covered.append([abs(estimate - TRUTH) < 1.96 * error for estimate, error in errors])
    share_pooled, share_alone = np.mean(covered, axis=0)
    assert share_pooled == pytest.approx(0.95, abs=0.065)  # three Monte-Carlo errors
    assert share_alone < 0.6


@pytest.mark.slow
def test_self_pairing_is_worse_than_nothing():
    """METHOD 5: AIPW is off by -.21 with the papers' forests; cross-fitted ridge alone by -.02.

    Here -.20 (Monte-Carlo error .02) at the published 200 rows, -.04 (.02) at 1000.
    """
    self_paired, alone = [], []
    for seed in range(1, 11):
        rows = drawn("paper1_observational", 200, seed)
        forest = _forest(rows[[*COVARIATES, "A"]], rows["Y"])
        pool = drawn("paper1_trial", 20_000, 5000 + seed)[COVARIATES]
        means = [forest.predict_proba(pool.assign(A=arm))[:, 1] for arm in (0, 1)]
        paired = _paired_with_own(rows, Donor(pool, *means, _any_model(rows)), seed)
        self_paired.append(_forest_aipw(paired))
        settings = NuisanceSettings(
            n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
        )
        larger = drawn("paper1_observational", 1000, seed)
        alone.append(plain_aipw(larger, settings, np.random.default_rng(seed)))
    assert np.mean(self_paired) - TRUTH == pytest.approx(-0.21, abs=0.06)
    assert abs(np.mean(alone) - TRUTH) < 0.08


def _paired_with_own(rows, donor, seed):
    logit = -30 + 16 * rows["W1"] - 24 * rows["W2"] + 12 * rows["W3"]
    logit += 6 * rows["W4"] - 10 * rows["W5"] + 16 * rows["W6"]
    g = (1 / (1 + np.exp(-logit))).to_numpy()
    pairs = find_pairs(rows, g, donor)
    return paired_with(rows, pairs, donor, rng=np.random.default_rng(seed)).table


def _any_model(rows):
    settings = NuisanceSettings(n_fold_draws=1, outcome_library=("linear",))
    fits = cross_fit_draws(rows, SCHEMA, settings, np.random.default_rng(0))
    return fit_outcome_model(rows, SCHEMA, settings, fits)


def _forest(features: pd.DataFrame, target: pd.Series):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(random_state=42).fit(features, target)


def _forest_aipw(table):
    a, y, w = table["A"].to_numpy(), table["Y"].to_numpy(), table[COVARIATES]
    g = _forest(w, table["A"]).predict_proba(w)[:, 1].clip(1e-6, 1 - 1e-6)
    outcome = _forest(w.assign(A=a), table["Y"])
    q1, q0 = (outcome.predict_proba(w.assign(A=arm))[:, 1] for arm in (1, 0))
    return (q1 - q0 + a * (y - q1) / g - (1 - a) * (y - q0) / (1 - g)).mean()
