"""Draws follow the stated law, and the stated truth is theirs, for every dial."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hybrid_assets.benchmark import Analysis, BenchmarkSettings, DesignPopulation, Dials
from hybrid_assets.benchmark.settings import null_twin
from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance import NuisanceSettings

DIALS = [
    Dials(),
    Dials(null_effect=True),
    Dials(overlap=2.0),
    Dials(effect_shift=0.05),
    Dials(heterogeneity=3.0),
    Dials(confounding_treatment=1.5, confounding_outcome=1.0),
    Dials(overlap=0.5, effect_shift=-0.1, heterogeneity=0.0, confounding_outcome=2.0),
]


@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_the_truth_as_fitted_is_the_seeds_tmle(kind, request):
    population, seed = request.getfixturevalue(kind)
    assert population.true_ate == pytest.approx(seed.estimate, abs=1e-12)


@pytest.mark.parametrize("dials", DIALS, ids=lambda dials: dials.label)
@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_true_effect_is_that_of_draws_with_a_fair_coin_as_treatment(kind, dials, request):
    """With g = 1/2 and treatment apart from the hidden coin, arm means differ by the effect."""
    turned = request.getfixturevalue(kind)[0].with_dials(dials)
    coin = replace(
        turned, propensity=np.full_like(turned.propensity, 0.5), hidden=(0.0, turned.hidden[1])
    )
    made = coin.draw(1, 400_000, np.random.default_rng(5))
    a, y = made.treatment[0], made.outcome[0]
    difference = y[a == 1].mean() - y[a == 0].mean()
    error = np.sqrt(y[a == 1].var() / a.sum() + y[a == 0].var() / (1 - a).sum())
    assert difference == pytest.approx(turned.true_ate, abs=4 * error)


def test_each_dial_does_what_it_says(binary, continuous):
    for population, _ in (binary, continuous):
        effect = population.means[1] - population.means[0]
        shifted = population.with_dials(Dials(effect_shift=0.05))
        assert shifted.true_ate == pytest.approx(population.true_ate + 0.05, abs=1e-12)
        null = population.with_dials(Dials(null_effect=True))
        assert null.true_ate == 0.0
        flat = population.with_dials(Dials(heterogeneity=0.0))
        assert flat.true_ate == pytest.approx(population.true_ate, abs=1e-12)
        assert (flat.means[1] - flat.means[0]).std() < 0.5 * effect.std()
        worse = population.with_dials(Dials(overlap=2.0)).propensity
        odds = population.propensity / (1 - population.propensity)
        assert worse / (1 - worse) == pytest.approx(odds**2)


def test_a_hidden_confounder_biases_the_crude_difference(binary):
    population, _ = binary
    dials = Dials(confounding_treatment=2.0, confounding_outcome=2.0)
    hidden = population.with_dials(dials)
    bias = []
    for law in (population, hidden):
        made = law.draw(1, 200_000, np.random.default_rng(1))
        a, y = made.treatment[0], made.outcome[0]
        bias.append(y[a == 1].mean() - y[a == 0].mean() - law.true_ate)
    assert bias[1] - bias[0] > 0.1


def test_the_analyst_of_a_trial_knows_its_propensity(randomised, binary):
    assert randomised[0].known_propensity == pytest.approx(0.4)
    assert binary[0].known_propensity is None


def test_replicates_share_no_rows_and_follow_the_pool(continuous):
    population, _ = continuous
    made = population.draw(3, 500, np.random.default_rng(2))
    outcomes = made.outcome.ravel()
    assert len(np.unique(outcomes)) > 0.97 * len(outcomes)
    assert made.effects.shape == (3, 500, 6)
    assert made.effects.mean(axis=(0, 1)) == pytest.approx(
        population.effects.mean(axis=0), abs=0.15
    )


def test_refusals(binary):
    with pytest.raises(
        EstimationError, match="moves the treated mean to 1.*which is not a probability"
    ):
        binary[0].with_dials(Dials(effect_shift=0.9))
    with pytest.raises(EstimationError, match="'paper1_trial' has no dials; got 'overlap × 2'"):
        DesignPopulation(DESIGNS["paper1_trial"]).with_dials(Dials(overlap=2.0))
    with pytest.raises(ValidationError, match="nothing to shift"):
        Dials(null_effect=True, effect_shift=1.0)
    with pytest.raises(ValidationError, match="dials must name one or more, each once"):
        BenchmarkSettings(dials=(Dials(), Dials()))
    with pytest.raises(ValidationError, match="sample_sizes start at 50; got 20"):
        BenchmarkSettings(sample_sizes=(20, 100))


def test_default_sizes_double_up_to_the_seed():
    assert BenchmarkSettings().sizes(1000) == (250, 500, 1000)
    assert BenchmarkSettings().sizes(1566) == (250, 500, 1000, 1566)
    assert BenchmarkSettings().sizes(200) == (200,)
    assert BenchmarkSettings(sample_sizes=(300, 100)).sizes(1000) == (100, 300)


def test_a_trial_has_no_overlap_to_turn(randomised):
    with pytest.raises(EstimationError, match="^treatment is randomised here"):
        randomised[0].with_dials(Dials(overlap=2.0))
    hidden = randomised[0].with_dials(Dials(confounding_treatment=2.0))
    assert hidden.known_propensity == pytest.approx(0.42067764798)  # .6444 and .1970


def test_the_analysis_is_the_studys_own():
    own = NuisanceSettings(n_folds=4, outcome_library=("spline",))
    assert Analysis.of(own) == Analysis(own.propensity_library, ("spline",), n_folds=4)


@pytest.mark.parametrize("shift", [0.0, 0.1, -0.45])
def test_without_heterogeneity_every_row_has_the_same_effect(binary, continuous, shift):
    """At −0.45 treated means of rows with a rare outcome would be negative."""
    for population, _ in (binary, continuous):
        dials = Dials(heterogeneity=0.0, effect_shift=shift)
        flat = population.with_dials(dials)
        effect = flat.means[1] - flat.means[0]
        assert np.ptp(effect) < 1e-12
        assert effect.mean() == pytest.approx(population.true_ate + shift, abs=1e-12)
    assert binary[0].with_dials(dials).means.min() > 0.0


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 1.5), st.floats(-0.2, 0.1))
def test_heterogeneity_scales_the_spread_of_shifted_effects(binary, factor, shift):
    population = binary[0]
    before = population.with_dials(Dials(effect_shift=shift)).means
    after = population.with_dials(Dials(effect_shift=shift, heterogeneity=factor)).means
    effect, scaled = before[1] - before[0], after[1] - after[0]
    assert scaled - scaled.mean() == pytest.approx(factor * (effect - effect.mean()), abs=1e-12)
    assert scaled.mean() == pytest.approx(effect.mean(), abs=1e-12)
    has_room = (before[0] + scaled > 1e-5) & (before[0] + scaled < 1 - 1e-5)
    assert (after[0] == before[0])[has_room].all()
    assert 0.0 < after.min() <= after.max() < 1.0


def test_the_effect_of_a_row_stays_a_difference_of_probabilities(binary):
    means = binary[0].with_dials(Dials(heterogeneity=20.0)).means
    effect = means[1] - means[0]
    assert np.abs(effect).max() == pytest.approx(1.0, abs=1e-5)
    assert effect.mean() == pytest.approx(binary[0].true_ate, abs=1e-11)
    assert 0.0 < means.min() <= means.max() < 1.0


def test_dials_of_one_label_are_refused():
    alike = (Dials(overlap=2.0), Dials(overlap=2.0000001))
    with pytest.raises(
        ValidationError, match="dials: expected labels that differ .* 'overlap × 2'"
    ):
        BenchmarkSettings(dials=alike)


@pytest.mark.parametrize(
    "dials",
    [Dials(), Dials(overlap=2.0), Dials(confounding_treatment=1.0), Dials(null_effect=True)],
    ids=lambda dials: dials.label,
)
def test_the_null_twin_has_the_other_dials(dials):
    assert null_twin(dials.label) == dials.model_copy(update={"null_effect": True}).label
