"""ACTG 175 with statsmodels: ``actg175.json``.

Arm 2 (zidovudine and zalcitabine) against arm 1 (zidovudine and didanosine),
CD4 count at 20 weeks, n = 1046. Seventeen covariates of paper 2, of which
`zprior` is constant and `strat` a factor (Hammer et al. 1996,
doi:10.1056/NEJM199610103351501). Main-effects regressions. `str2` is a function
of `strat` and is left out here: with it the design is rank-deficient, and
statsmodels' logistic scores stay off by .03.

The table is that of the packaged study: its bytes are in the wheel lifelines
0.30.3 and in no other release; its data licence is not stated, so they are read
there and not kept here.
Needs statsmodels and lifelines (pip install --no-deps; it is not imported).
Run: python tests/reference/actg175.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.special import expit, logit

from dagster_project.sources.example import ExampleSource

NUMERIC = ["age", "wtkg", "hemo", "homo", "drugs", "karnof", "oprior", "z30"]
NUMERIC += ["preanti", "race", "gender", "symptom", "cd40", "cd80"]


def fluctuated(Y, Q, weights):
    low, width = Y.min() - 0.01 * np.ptp(Y), 1.02 * np.ptp(Y)
    offset = logit((Q - low) / width)
    binomial = sm.families.Binomial()
    fit = sm.GLM(
        (Y - low) / width, np.ones(len(Y)), family=binomial, offset=offset, freq_weights=weights
    ).fit(tol=1e-15, maxiter=200)
    return low + width * expit(offset + fit.params[0])


def effects(table):
    A, Y = table["zalcitabine"].to_numpy(float), table["cd420"].to_numpy(float)
    X = table[NUMERIC].astype(float).join(pd.get_dummies(table["strat"], dtype=float).iloc[:, 1:])
    X = sm.add_constant(((X - X.mean()) / X.std()).to_numpy())
    arm = np.column_stack([np.ones(len(A)), A])
    crude = sm.OLS(Y, arm).fit(cov_type="HC2")
    g = sm.GLM(A, X, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=300).predict(X)
    fit = sm.OLS(Y, np.column_stack([X, A])).fit()
    Q1, Q0 = (fit.predict(np.column_stack([X, np.full(len(A), a)])) for a in (1.0, 0.0))
    w1, w0 = A / g, (1 - A) / (1 - g)
    iptw = sm.WLS(Y, arm, weights=w1 + w0).fit(cov_type="HC0")
    aipw = Q1 - Q0 + w1 * (Y - Q1) - w0 * (Y - Q0)
    S1, S0 = fluctuated(Y, Q1, w1), fluctuated(Y, Q0, w0)
    influence = S1 - S0 + w1 * (Y - S1) - w0 * (Y - S0)
    n = len(A)
    return {
        "crude": {"estimate": crude.params[1], "standard_error": crude.bse[1]},
        "outcome_regression": {"estimate": (Q1 - Q0).mean()},
        "iptw": {"estimate": iptw.params[1], "standard_error": iptw.bse[1]},
        "aipw": {"estimate": aipw.mean(), "standard_error": aipw.std(ddof=1) / np.sqrt(n)},
        "tmle": {
            "estimate": (S1 - S0).mean(),
            "standard_error": influence.std(ddof=1) / np.sqrt(n),
        },
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # fractional outcomes
    table = ExampleSource(kind="example", name="actg175").read(Path(), Path())
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(effects(table), indent=2, default=float) + "\n")
