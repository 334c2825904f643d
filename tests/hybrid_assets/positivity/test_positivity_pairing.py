from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from hybrid_assets.designs import DESIGNS, paper1_observational, paper1_outcome_mean
from hybrid_assets.errors import EvaluationError
from hybrid_assets.nuisance.outcome_model import fit_outcome_model
from hybrid_assets.positivity.pairing import Donor, find_pairs, pair
from hybrid_assets.privacy.records import RecordEncoder


@pytest.fixture
def study(cross_fits, ridge):
    """Give 200 rows, propensities of which 30 are extreme, and a donor."""
    table, fits = cross_fits("confounded_binary", 200)
    schema = DESIGNS["confounded_binary"].schema()
    model = fit_outcome_model(table, schema, ridge, fits)
    pool = schema.covariates.canonical(DESIGNS["paper1_trial"](900, 7))
    g = np.r_[np.full(20, 1e-4), np.full(10, 1 - 1e-4), np.full(170, 0.5)]
    return table, g, Donor(pool, np.zeros(900), np.ones(900), model)


def test_every_extreme_row_gets_its_nearest_donor_under_the_other_treatment(study):
    table, g, donor = study
    found = pair(table, g, donor, rng=np.random.default_rng(0))
    assert found.is_added.tolist() == [False] * 200 + [True] * 30
    assert found.table[:200].equals(table)
    assert found.person.tolist() == [*range(200), *range(30)]
    added = found.table[200:].reset_index(drop=True)
    assert (added["A"] == 1 - table["A"][:30]).all()
    assert (added["Y"] == added["A"]).all()  # h* is 0 under control and 1 under treatment
    names = ["W1", "W2", "W3", "W4", "W5", "W6"]
    picked = donor.covariates.iloc[found.pairing.donors].reset_index(drop=True)
    assert added[names].equals(picked[names])
    encoder = RecordEncoder.fit(table, donor.model.schema.covariates)
    gaps = cdist(encoder.encode(table[:30]), encoder.encode(donor.covariates))
    assert found.pairing.distances.min() == pytest.approx(gaps.min())
    assert (found.pairing.distances >= gaps.min(axis=1) - 1e-12).all()
    assert len(set(found.pairing.donors)) == 30


def test_distances_stand_beside_those_among_donors(study):
    table, g, donor = study
    found = find_pairs(table, g, donor)
    assert found.distance_quantiles[0.5] == pytest.approx(np.median(found.distances))
    encoder = RecordEncoder.fit(table, donor.model.schema.covariates)
    points = encoder.encode(donor.covariates)
    gaps = cdist(points, points)
    np.fill_diagonal(gaps, np.inf)
    assert found.reference_quantiles[0.95] == pytest.approx(np.quantile(gaps.min(axis=1), 0.95))


def test_distances_of_under_ten_people_are_not_told(study):
    table, g, donor = study
    few = np.where(np.arange(200) < 9, g, 0.5)
    found = find_pairs(table, few, donor)
    assert len(found.rows) == 9
    assert np.isnan(list(found.distance_quantiles.values())).all()


def test_a_study_with_overlap_stays_as_it_is(study):
    table, _g, donor = study
    found = pair(table, np.full(200, 0.5), donor, rng=np.random.default_rng(0))
    assert found.table.equals(table)
    assert not found.is_added.any()


def test_without_effect_an_added_row_fares_as_under_its_person_s_own_treatment(study):
    table, g, donor = study
    found = pair(table, g, donor, rng=np.random.default_rng(0))
    added = found.table[200:]
    assert set(added["A"]) == {0, 1}
    assert (found.outcome_without_effect[200:] == 1 - added["A"]).all()  # h* is 0 and 1
    assert (found.outcome_without_effect[:200] == table["Y"]).all()


def test_both_outcomes_of_a_row_are_drawn_with_the_same_number(study):
    table, g, donor = study
    none = replace(donor, outcome_control=np.full(900, 0.5), outcome_treated=np.full(900, 0.5))
    found = pair(table, g, none, rng=np.random.default_rng(3))
    assert (found.outcome_without_effect == found.table["Y"]).all()


def test_a_continuous_outcome_varies_around_its_mean(cross_fits, ridge):
    table, fits = cross_fits("confounded_continuous", 400)
    schema = DESIGNS["confounded_continuous"].schema()
    model = fit_outcome_model(table, schema, ridge, fits)
    pool = schema.covariates.canonical(DESIGNS["paper1_trial"](3000, 7))
    donor = Donor(pool, *(model.predict(pool, arm) for arm in (0, 1)), model)
    found = pair(table, np.full(400, 1e-6), donor, rng=np.random.default_rng(0))
    added, at = found.table[400:], found.pairing.donors
    means = np.where(added["A"] == 1, donor.outcome_treated[at], donor.outcome_control[at])
    noise = added["Y"].to_numpy() - means
    assert noise.mean() == pytest.approx(0.0, abs=0.3)
    assert noise.std() == pytest.approx(1.6, abs=0.5)
    own = found.outcome_without_effect[400:]
    swapped = np.where(added["A"] == 1, donor.outcome_control[at], donor.outcome_treated[at])
    assert own - swapped == pytest.approx(noise, abs=0.1)  # up to the range's ends


def test_the_same_generator_gives_the_same_table(study):
    table, g, donor = study
    donor = replace(donor, outcome_control=np.full(900, 0.5), outcome_treated=np.full(900, 0.5))
    first, second = (pair(table, g, donor, rng=np.random.default_rng(3)) for _ in range(2))
    assert first.table.equals(second.table)


def test_a_pool_that_is_too_small_is_refused(study):
    table, g, donor = study
    small = Donor(donor.covariates[:20], np.zeros(20), np.ones(20), donor.model)
    with pytest.raises(EvaluationError, match="got 20 donors for 30 points"):
        pair(table, g, small, rng=np.random.default_rng(0))


def test_four_in_five_of_paper_1_s_people_are_all_but_never_treated():
    table = paper1_observational(50_000, 1)
    logit = -30 + 16 * table["W1"] - 24 * table["W2"] + 12 * table["W3"]
    logit += 6 * table["W4"] - 10 * table["W5"] + 16 * table["W6"]
    assert (1 / (1 + np.exp(-logit)) < 0.001).mean() == pytest.approx(0.79, abs=0.005)
    assert paper1_outcome_mean(table, 1).mean() - paper1_outcome_mean(table, 0).mean() > 0.4
