import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from hybrid_assets.sensitivity.population import bent


def test_the_true_effect_is_the_target(trial_population, measured_population):
    assert trial_population.true_ate == pytest.approx(0.40, abs=1e-10)
    assert measured_population.true_ate == pytest.approx(2.5, abs=1e-8)


def test_planted_confounding_follows_the_prognosis(trial_population):
    z = logit(trial_population.mean_control)
    z = (z - z.mean()) / z.std()
    assert trial_population.propensity == pytest.approx(expit(0.8 * z), abs=1e-12)


def test_draws_have_the_population_s_arms_and_means(trial_population):
    drawn = trial_population.draw(60_000, np.random.default_rng(0))
    assert drawn["A"].mean() == pytest.approx(trial_population.propensity.mean(), abs=0.01)
    g = trial_population.propensity
    expected = [
        np.average(trial_population.mean_control, weights=1 - g),
        np.average(trial_population.mean_treated, weights=g),
    ]
    for arm in (0, 1):
        assert drawn.loc[drawn["A"] == arm, "Y"].mean() == pytest.approx(expected[arm], abs=0.012)
    again = trial_population.draw(60_000, np.random.default_rng(0))
    assert drawn.equals(again)


def test_a_measurement_is_drawn_with_noise_around_its_mean(measured_population):
    drawn = measured_population.draw(40_000, np.random.default_rng(1))
    g = measured_population.propensity
    treated = np.average(measured_population.mean_treated, weights=g)
    assert drawn.loc[drawn["A"] == 1, "Y"].mean() == pytest.approx(treated, abs=0.08)
    assert drawn["Y"].std() > 1.2 * measured_population.mean_treated.std()


@pytest.mark.parametrize("kind", ["trial", "measured"])
def test_the_bend_moves_propensity_and_means_together(kind, request):
    population = request.getfixturevalue(f"{kind}_population")
    curved = bent(population)
    shift = logit(curved.propensity) - logit(population.propensity)
    assert shift.min() >= -1 - 1e-9
    assert shift.max() <= 1 + 1e-9
    assert shift.std() > 0.3
    if kind == "trial":
        for name in ("mean_control", "mean_treated"):
            moved = logit(getattr(curved, name)) - logit(getattr(population, name))
            assert moved == pytest.approx(shift, abs=1e-9)
    else:
        moved = curved.mean_control - population.mean_control
        assert np.corrcoef(moved, shift)[0, 1] > 0.95
    assert curved.covariates is population.covariates


def test_confounders_are_ranked_by_what_they_explain_of_both(measured_population):
    made = measured_population
    g = made.propensity
    mean = g * made.mean_treated + (1 - g) * made.mean_control
    strength = {
        name: (
            stats.linregress(made.covariates[name], g).rvalue
            * stats.linregress(made.covariates[name], mean).rvalue
        )
        ** 2
        for name in made.covariates.columns
    }
    ranked = sorted(strength, key=strength.get, reverse=True)
    assert made.strongest_confounders(6) == tuple(ranked)
    assert made.strongest_confounders(2) == tuple(ranked[:2])
    assert ranked[0] == "W4"  # of the outcome's mean in both arms, and of treatment
