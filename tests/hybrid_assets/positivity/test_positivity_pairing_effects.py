"""Pooling against statsmodels' fixed-effect meta-analysis; pairing against METHOD's figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import aipw, estimate_from_cross_fits
from hybrid_assets.nuisance import NuisanceSettings, ParametricSettings, cross_fit_draws
from hybrid_assets.nuisance.cross_fitting import with_outcome
from hybrid_assets.nuisance.outcome_model import fit_outcome_model
from hybrid_assets.positivity import combined_propensity, worst_case
from hybrid_assets.positivity.donor import DonorStudy
from hybrid_assets.positivity.leverage import clustered_error, donor_leverage
from hybrid_assets.positivity.pairing import Donor, find_pairs, pair, paired_with
from hybrid_assets.positivity.pairing_effects import (
    MEASURED_COVERAGE,
    NO_LEVERAGE,
    PairedStudy,
    heterogeneity_p_value,
    pairing_effects,
    pooled,
)
from hybrid_assets.positivity.remedies import (
    overlap_remedies,
    overlap_weighted_from,
)

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
        "study_trimmed",
        "study_overlap",
        "paired",
        "paired_null_donor",
        "donor_leverage",
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
    assert figures.loc["donor_leverage", "estimate"] > 0.5
    assert (figures.loc[["paired", "imputed"], "note"] == MEASURED_COVERAGE).all()


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
        "study_trimmed",
        "study_overlap",
        "paired",
        "paired_null_donor",
        "donor_leverage",
        "imputed",
        "worst_case",
    ]
    assert found.loc["paired", "standard_error_donor"] == 0.0


def recoded(table):
    return SCHEMA.canonical(table.assign(A=1 - table["A"]))


def test_leverage_does_not_depend_on_which_arm_is_called_treated():
    """Models without folds, nuisances taken as given: only the order of sums differs."""
    settings = ParametricSettings()
    rows, trial = drawn("confounded_binary", 400, 3), drawn("paper1_trial", 600, 4)
    pool = drawn("paper1_trial", 2000, 5)[COVARIATES]
    g = np.where(rows["W4"] > 0.5, 1e-4, 0.5)  # extreme people of both arms
    found = []
    for code in (lambda table: table, recoded):
        own = cross_fit_draws(code(rows), SCHEMA, settings, np.random.default_rng(0))
        donor_study = DonorStudy.fit(
            code(trial), SCHEMA, settings, known_propensity=0.5, rng=np.random.default_rng(0)
        )
        donor = donor_study.give(pool)
        table = pair(code(rows), g, donor, rng=np.random.default_rng(6))
        study = PairedStudy(table, own, donor, donor_study, settings)
        found.append(pairing_effects(study, np.random.default_rng(0)).set_index("estimate_of"))
    for row, sign in (("paired", -1), ("paired_null_donor", -1), ("donor_leverage", 1)):
        one, other = (each.loc[row] for each in found)
        assert one["estimate"] == pytest.approx(sign * other["estimate"], rel=1e-6), row
        for column in ("standard_error", "standard_error_donor"):
            assert one[column] == pytest.approx(other[column], rel=1e-6), (row, column)


def test_a_hole_of_the_treated_has_leverage_too(ridge, effects):
    """The same study with arms exchanged: added rows are controls. Folds differ."""
    rng = np.random.default_rng(1)
    rows = recoded(drawn("paper1_observational", 300, 1))
    fits = cross_fit_draws(rows, SCHEMA, ridge, rng)
    trial = recoded(drawn("paper1_trial", 600, 1001))
    donor_study = DonorStudy.fit(trial, SCHEMA, ridge, known_propensity=0.5, rng=rng)
    donor = donor_study.give(drawn("paper1_trial", 4000, 5001)[COVARIATES])
    paired = pair(rows, combined_propensity(fits), donor, rng=rng)
    assert paired.table["A"][300:].mean() < 0.1
    other = pairing_effects(
        PairedStudy(paired, fits, donor, donor_study, ridge), np.random.default_rng(0)
    )
    one, other = (each.set_index("estimate_of").loc["donor_leverage"] for each in (effects, other))
    spread = np.hypot(one["standard_error"], other["standard_error"])
    assert other["estimate"] == pytest.approx(one["estimate"], abs=2 * spread)
    assert other["ci_low"] > 0


def test_leverage_by_the_delta_method():
    """Of arm differences of two outcomes of one trial: a ratio whose error a bootstrap knows."""
    rng = np.random.default_rng(0)
    n = 2000
    a = rng.integers(0, 2, n).astype(float)
    y = a + rng.normal(size=n)
    both = np.stack([y, y - 0.8 * a + 0.3 * rng.normal(size=n)])
    half, zero = np.full(n, 0.5), np.zeros(n)
    paired, without = ([aipw(a, each, half, zero, zero)] for each in both)
    found = donor_leverage(paired, without, np.arange(n), np.zeros((2, 2)))

    def share(rows):
        weights = np.where(a[rows] == 1, 2.0, -2.0)
        whole, rest = (both[:, rows] * weights).sum(axis=1)
        return 1 - rest / whole

    assert found.estimate == pytest.approx(share(np.arange(n)), abs=1e-12)
    draws = [share(rng.integers(0, n, n)) for _ in range(2000)]
    assert found.standard_error == pytest.approx(np.std(draws), rel=0.06)  # Monte-Carlo error 1.6 %
    shifts = rng.normal(scale=0.1, size=(2, 50))
    moved = [
        1 - (without[0].estimate + s[1]) / (paired[0].estimate + s[0]) for s in shifts.T * 0.01
    ]
    wider = donor_leverage(paired, without, np.arange(n), shifts * 0.01)
    assert wider.standard_error_donor == pytest.approx(np.std(moved, ddof=1), rel=0.01)
    assert wider.standard_error == pytest.approx(
        np.hypot(found.standard_error, wider.standard_error_donor)
    )


def test_rows_of_one_person_count_as_one():
    values = np.random.default_rng(0).normal(size=50)
    values -= values.mean()
    assert clustered_error(values, np.arange(50)) == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    twice = np.concatenate([values, values])
    alone, doubled = clustered_error(values, np.arange(50)), np.tile(np.arange(50), 2)
    assert clustered_error(twice, doubled) == pytest.approx(alone, rel=0.01)


def test_no_share_of_an_estimate_that_may_be_zero(ridge, study):
    flat = study.donor.outcome_control
    donor = Donor(study.donor.covariates, flat, flat, study.donor.model)
    paired = paired_with(
        study.study_rows, study.paired.pairing, donor, rng=np.random.default_rng(0)
    )
    own = PairedStudy(paired, study.cross_fits, donor, None, ridge)
    row = pairing_effects(own, np.random.default_rng(0)).set_index("estimate_of")
    assert row.loc["paired", "ci_low"] < 0 < row.loc["paired", "ci_high"]
    assert np.isnan(row.loc["donor_leverage", "estimate"])
    assert row.loc["donor_leverage", "note"] == NO_LEVERAGE


def test_trimming_stands_beside_pairing(effects, study):
    row = effects.set_index("estimate_of").loc["study_trimmed"]
    book = overlap_remedies(study.cross_fits).set_index("remedy").loc["crump_trimming"]
    assert row["estimand"] == "ATE among g in [.1, .9]" == book["estimand"]
    for column in ("estimate", "standard_error", "ci_low", "ci_high"):
        assert row[column] == book[column]
    assert row["n_rows"] == book["n_used"]
    few = replace(study, cross_fits=tuple(_hardly_any_overlap(f) for f in study.cross_fits))
    row = pairing_effects(few, np.random.default_rng(0)).set_index("estimate_of")
    assert np.isnan(row.loc["study_trimmed", "estimate"])
    assert row.loc["study_trimmed", "note"].startswith("no estimate: trimming leaves under")


def _hardly_any_overlap(fit):
    far = np.where(fit.propensity_unbounded > 0.5, 0.95, 0.05)
    return replace(fit, propensity_unbounded=far, propensity=far)


def test_the_number_of_added_rows_is_not_told_under_ten(ridge, study):
    g = np.full(300, 0.5)
    g[:9] = 1e-4
    paired = pair(study.study_rows, g, study.donor, rng=np.random.default_rng(0))
    few = replace(study, paired=paired)
    figures = pairing_effects(few, np.random.default_rng(0)).set_index("estimate_of")
    assert figures.loc[["paired", "paired_null_donor", "donor_leverage"], "n_rows"].isna().all()
    assert figures.loc["paired", "note"].endswith("; < 10 of 300 rows added")


def plain_aipw(table, ridge, rng):
    fits = cross_fit_draws(table, SCHEMA, ridge, rng)
    return estimate_from_cross_fits(fits, ("aipw",))["aipw"].estimate


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [200, 1000])
def test_a_donor_without_effect_removes_most_of_the_effect(n_rows):
    """METHOD 5: 75 to 84 %; 83 % over 200 draws at 1000 rows (Monte-Carlo error .5 %)."""
    settings = NuisanceSettings(
        n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
    )
    means = []
    for seed in range(1, 21):
        study = a_study(settings, seed, n_rows, 1000)
        rng = np.random.default_rng(seed)
        table = study.paired.table
        twin = SCHEMA.canonical(table.assign(Y=study.paired.outcome_without_effect))
        means.append([plain_aipw(each, settings, rng) for each in (table, twin)])
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
def test_self_pairing_is_no_better_than_nothing():
    """With the same models at the published 200 rows.

    Off, over 20 draws (100 for ridge unpaired; Monte-Carlo error in brackets): forests -.20 (.013)
    self-paired, -.17 (.013) unpaired; ridge -.27 (.013) self-paired, -.26 (.005) unpaired.
    """
    settings = NuisanceSettings(
        n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
    )
    found = []
    for seed in range(1, 11):
        rows = drawn("paper1_observational", 200, seed)
        forest = _forest(rows[[*COVARIATES, "A"]], rows["Y"])
        pool = drawn("paper1_trial", 20_000, 5000 + seed)[COVARIATES]
        means = [forest.predict_proba(pool.assign(A=arm))[:, 1] for arm in (0, 1)]
        paired = _paired_with_own(rows, Donor(pool, *means, _any_model(rows)), seed)
        ridge = plain_aipw(rows, settings, np.random.default_rng(seed))
        found.append([_forest_aipw(paired), _forest_aipw(rows), ridge])
    errors = np.mean(found, axis=0) - TRUTH
    assert errors == pytest.approx([-0.20, -0.17, -0.26], abs=0.06)


@pytest.mark.slow
def test_intervals_of_pairing_imputing_and_leverage():
    """Over 200 draws: paired .945 (Monte-Carlo error .016), imputed .85 (.025).

    Leverage .830 (.005): mean standard error .068 against a spread of .071 (.004).
    """
    settings = NuisanceSettings(
        n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
    )
    figures = []
    for seed in range(1, 51):
        effects = pairing_effects(a_study(settings, seed, 1000, 1000), np.random.default_rng(seed))
        rows = effects.set_index("estimate_of").loc[["paired", "imputed", "donor_leverage"]]
        figures.append(rows[["estimate", "standard_error"]].to_numpy(dtype=float))
    estimate, error = np.moveaxis(np.array(figures), 2, 0)
    covered = (np.abs(estimate - TRUTH) < 1.96 * error).mean(axis=0)
    assert covered[0] == pytest.approx(0.945, abs=0.1)  # three Monte-Carlo errors of 50 draws
    assert covered[1] == pytest.approx(0.85, abs=0.15)
    spread = estimate[:, 2].std(ddof=1)
    assert error[:, 2].mean() == pytest.approx(spread, rel=0.35)  # Monte-Carlo error 10 %


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


@pytest.mark.parametrize("kind", ["folds", "parametric"])
def test_another_outcome_on_the_same_folds(ridge, kind):
    """The same outcome gives the same cross-fit; 1 − Y gives 1 − Q."""
    rows = drawn("confounded_binary", 300, 1)
    settings = ridge if kind == "folds" else ParametricSettings()
    fit = cross_fit_draws(rows, SCHEMA, settings, np.random.default_rng(0))[0]
    same = with_outcome(fit, rows, SCHEMA, settings)
    assert (same.outcome_treated == fit.outcome_treated).all()
    flipped = SCHEMA.canonical(rows.assign(Y=1 - rows["Y"]))
    other = with_outcome(fit, flipped, SCHEMA, settings)
    assert other.propensity is fit.propensity
    assert other.outcome_control == pytest.approx(1 - fit.outcome_control, abs=1e-6)
