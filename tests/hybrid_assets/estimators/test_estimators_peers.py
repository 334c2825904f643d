"""Estimands with DoubleML and statsmodels, figures in tests/reference/effects_peers.json.

Tolerance 1e-8: the same equations, both sides' logistic fits good to 1e-10 per
row. DoubleML's standard errors divide by n, AIPW's by n − 1. The infinitesimal
jackknife behind the ratios is a central difference, good to 1e-8 relative.
"""

import numpy as np
import pytest

from hybrid_assets.estimators import ESTIMATORS
from hybrid_assets.nuisance import ParametricSettings, cross_fit

SQUARES = ("age", "smokeintensity", "smokeyrs", "wt71")


@pytest.fixture(scope="module")
def fits(nhefs, zepid):
    rng = np.random.default_rng(0)
    return {
        "nhefs": cross_fit(*nhefs, ParametricSettings(squares=SQUARES), rng),
        "zepid": cross_fit(*zepid("dead"), ParametricSettings(), rng),
    }


@pytest.mark.parametrize("word", ["iptw", "aipw", "tmle"])
@pytest.mark.parametrize("study", ["nhefs", "zepid"])
def test_peers(fits, reference, study, word):
    fit = fits[study]
    n_rows = len(fit.treatment)
    by_estimand = reference("effects_peers")[study][word]
    assert {"att", "atc"} <= set(by_estimand)
    for estimand, expected in by_estimand.items():
        found = ESTIMATORS[word](
            fit.treatment,
            fit.outcome,
            fit.propensity,
            fit.outcome_control,
            fit.outcome_treated,
            estimand=estimand,
        )
        assert found.estimate == pytest.approx(expected["estimate"], abs=1e-8), estimand
        correction = np.sqrt((n_rows - 1) / n_rows) if word == "aipw" else 1.0
        error = found.standard_error * correction
        assert error == pytest.approx(expected["standard_error"], abs=1e-8), estimand
        assert found.converged
