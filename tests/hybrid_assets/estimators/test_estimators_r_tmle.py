"""Agreement with R's tmle, SAS and zEpid on zEpid's sample data (tests/reference/zepid_sample.py).

The R figures are those of zEpid's own tests (R session of 2019) with
``Qform = Y ~ A + W, gform = A ~ W, target.gwt = FALSE``, W = male, age0, cd40,
dvl0 and restricted quadratic splines; the SAS figures (SMR
weights for the treated and the controls) those of PROC GENMOD with a sandwich.
Tolerances: about a unit of the last digit that was printed. R's tmle multiplies
standard errors by 1.96, the others by 1.959964 as we do. The iterations behind
the SAS figures stopped with about 1e-6 to go.
"""

import numpy as np
import pytest

from hybrid_assets.estimators import ESTIMANDS, aipw, iptw, tmle, tmle_covariate
from hybrid_assets.estimators.weights import arm_weights
from hybrid_assets.nuisance import ParametricSettings, cross_fit
from hybrid_assets.nuisance.regression import fit_ridge


def nuisances(table_and_schema):
    fit = cross_fit(*table_and_schema, ParametricSettings(), np.random.default_rng(0))
    assert fit.clipped_share == 0.0
    return fit.treatment, fit.outcome, fit.propensity, fit.outcome_control, fit.outcome_treated


def limits(found):
    """Give R's 95 % limits: 1.96 standard errors, on the log scale for a ratio."""
    middle, half = found.value_on_error_scale, 1.96 * found.standard_error
    low, high = middle - half, middle + half
    return (low, high) if found.estimand == "ate" else (np.exp(low), np.exp(high))


@pytest.fixture(scope="module")
def deaths(zepid):
    return nuisances(zepid("dead"))


@pytest.fixture(scope="module")
def cd4(zepid):
    return nuisances(zepid("cd4_wk45"))


R_DEATHS = {
    "ate": (-0.08440622, (-0.1541104, -0.01470202)),
    "risk_ratio": (0.5344266, (0.2773936, 1.0296262)),
    "odds_ratio": (0.4844782, (0.232966, 1.007525)),
}


@pytest.mark.parametrize("estimand", R_DEATHS)
def test_deaths_with_r(deaths, estimand):
    assert len(deaths[0]) == 517
    estimate, interval = R_DEATHS[estimand]
    found = tmle_covariate(*deaths, estimand=estimand)
    assert found.estimate == pytest.approx(estimate, abs=6e-8)
    assert limits(found) == pytest.approx(interval, abs=6e-7)


def test_deaths_with_r_and_a_bounded_propensity(deaths):
    A, Y, g, Q0, Q1 = deaths
    found = tmle_covariate(A, Y, np.clip(g, 0.1, 0.9), Q0, Q1)
    assert found.estimate == pytest.approx(-0.08203143, abs=6e-9)
    assert limits(found) == pytest.approx((-0.1498092, -0.01425363), abs=6e-8)


def test_cd4_count_with_r(cd4):
    assert len(cd4[0]) == 460
    found = tmle_covariate(*cd4)
    assert found.estimate == pytest.approx(223.4022, abs=1e-4)
    assert limits(found) == pytest.approx((118.6037, 328.2008), abs=1e-4)


def test_aipw_with_zepid(deaths, cd4):
    assert aipw(*deaths).estimate == pytest.approx(-0.0848510605, abs=6e-11)
    found = aipw(*cd4)
    assert found.estimate == pytest.approx(225.13767, abs=6e-6)
    # zEpid takes the same normal quantile; its variance divides by n
    assert (found.ci_low, found.ci_high) == pytest.approx((118.64677, 331.62858), abs=6e-6)


SAS_DEATHS = {
    "ate": (-0.081519085, (-0.156199938, -0.006838231), 1038.051),
    "att": (-0.090875986, (-0.180169444, -0.001582527), 151.2335),
    "atc": (-0.080048197, (-0.153567335, -0.006529058), 886.8178),
}


@pytest.mark.parametrize("estimand", SAS_DEATHS)
def test_iptw_with_sas(zepid, zepid_people, deaths, estimand):
    """SAS fitted g to all 547 people and compared the 517 whose outcome was seen."""
    _, schema = zepid("dead")
    W = zepid_people[schema.covariate_names].to_numpy(dtype=float)
    W = (W - W.mean(axis=0)) / W.std(axis=0)
    art = zepid_people["art"].to_numpy(dtype=float)
    g = fit_ridge(W, art, True, penalty=0.0).predict(W)
    A, Y, _, Q0, Q1 = deaths
    g = g[zepid_people["dead"].notna()]
    found = iptw(A, Y, g, Q0, Q1, estimand=estimand)
    estimate, interval, sum_of_weights = SAS_DEATHS[estimand]
    assert found.estimate == pytest.approx(estimate, abs=1e-6)
    assert (found.ci_low, found.ci_high) == pytest.approx(interval, abs=1e-6)
    w1, w0 = arm_weights(A, g, ESTIMANDS[estimand].population)
    assert (w1 + w0).sum() == pytest.approx(sum_of_weights, rel=1e-5)


def test_weights_in_the_loss_give_the_same_to_a_hundredth_of_the_error(deaths, cd4):
    """Another fluctuation of the same nuisances: not R's digits, but nowhere near a difference."""
    for arrays in (deaths, cd4):
        ours, r = tmle(*arrays), tmle_covariate(*arrays)
        assert abs(ours.estimate - r.estimate) < 0.025 * r.standard_error
