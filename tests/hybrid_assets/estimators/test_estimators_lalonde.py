"""LaLonde's training programme, figures in tests/reference/lalonde.json (statsmodels).

Tolerance 1e-6 dollars: both sides solve the same logistic scores to 1e-8 per
row. Dehejia and Wahba 1999, doi:10.1080/01621459.1999.10473858, print 1794
(HC2 standard error 671) for the trial.
"""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.estimators import estimate_from_cross_fits, iptw
from hybrid_assets.nuisance import ParametricSettings, cross_fit
from hybrid_assets.positivity import overlap
from hybrid_assets.schema import ColumnKind
from hybrid_assets.study import Gates

KINDS = dict.fromkeys(("black", "hisp", "marr", "nodegree"), ColumnKind.BINARY)
KINDS |= dict.fromkeys(("age", "educ"), ColumnKind.INTEGER)
KINDS |= dict.fromkeys(("re74", "re75"), ColumnKind.CONTINUOUS)


@pytest.fixture(scope="module")
def tables(with_schema):
    causaldata = pytest.importorskip("causaldata")
    nsw, cps = (
        getattr(causaldata, name).load_pandas().data.drop(columns="data_id").astype(float)
        for name in ("nsw_mixtape", "cps_mixtape")
    )
    both = pd.concat([nsw[nsw["treat"] == 1], cps], ignore_index=True)
    return {
        name: with_schema(table, KINDS, treatment="treat", outcome="re78")
        for name, table in (("nsw", nsw), ("cps", both))
    }


@pytest.fixture(scope="module")
def cps(tables):
    return cross_fit(*tables["cps"], ParametricSettings(), np.random.default_rng(0))


def test_the_trial(tables, reference):
    table, _ = tables["nsw"]
    A, Y = (table[name].to_numpy(dtype=float) for name in ("treat", "re78"))
    half = np.full(len(A), A.mean())
    found = iptw(A, Y, half, 0 * Y, 0 * Y)
    expected = reference("lalonde")["nsw"]
    assert len(A) == 445
    assert found.estimate == pytest.approx(expected["estimate"], abs=1e-6)
    assert found.estimate == pytest.approx(1794.3424, abs=1e-4)
    # HC0 divides by n_a in each arm, HC2 by n_a - 1
    assert found.standard_error == pytest.approx(671, abs=2)
    hc2 = sum(Y[a == A].var(ddof=1) / (a == A).sum() for a in (0, 1))
    assert np.sqrt(hc2) == pytest.approx(expected["standard_error"], abs=1e-6)


def test_the_treated_with_population_controls(cps, reference):
    expected = reference("lalonde")["cps"]
    g = cps.propensity_unbounded
    assert [g.min(), g.max()] == pytest.approx(expected["propensity_range"], abs=1e-9)
    found = estimate_from_cross_fits((cps,), ("iptw", "aipw", "tmle"), estimand="att")
    for name in ("estimate", "standard_error"):
        assert getattr(found["iptw"], name) == pytest.approx(expected["att"][name], abs=1e-5)
    assert found["iptw"].estimate == pytest.approx(1180.4, abs=0.05)
    assert found["iptw"].clipped_share == 0.0
    # within the trial's own error of its 1794, nine thousand away from the naive figure
    for word in ("aipw", "tmle"):
        assert 1794 - 671 < found[word].estimate < 1794 + 671, word
    A, Y = cps.treatment, cps.outcome
    naive = Y[A == 1].mean() - Y[A == 0].mean()
    assert naive == pytest.approx(-8497.52, abs=0.005)


def test_everyone_with_population_controls_is_flagged(tables, cps):
    table, schema = tables["cps"]
    assert cps.propensity_unbounded.min() == pytest.approx(4e-6, abs=3e-7)
    found = overlap(cps.propensity_unbounded, cps.treatment, table, schema)
    assert found.share_extreme > 50 * Gates().max_extreme_share
    average = estimate_from_cross_fits((cps,))
    assert average["tmle"].clipped_share > 0.75
    # 185 trained men would speak for 16 177
    assert average["tmle"].ess_treated < 35
