"""Average treatment effects with statsmodels and scipy, sharing no code with this project.

Writes ``ate_statsmodels.json`` beside itself. Needs statsmodels and causaldata.
Run: python tests/reference/ate_statsmodels.py

* NHEFS (Hernán and Robins, What If, chapters 12-13): quitting smoking and
  weight gain 1971-82, n = 1566, nine covariates, squares of the numeric ones.
* Paper 1's seed table (trial, RandomState(2), n = 1000): main-effects logistic
  regressions of A on W and of Y on A and W.

The Hájek standard error is statsmodels' HC0 of the weighted regression of Y on
A; AIPW's is sd(ddof=1)/sqrt(n) of the efficient influence function; the TMLE
fluctuation is a statsmodels binomial GLM with offset and frequency weights.
"""

import json
import warnings
from pathlib import Path

import causaldata
import numpy as np
import statsmodels
import statsmodels.api as sm
from scipy.special import expit, logit


def logistic(design, target):
    fit = sm.GLM(target, design, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)
    return fit.predict(design), fit


def effects(A, Y, g, Q1, Q0, low, width):
    w1, w0 = A / g, (1 - A) / (1 - g)
    n = len(A)
    weighted = sm.WLS(Y, np.column_stack([np.ones(n), A]), weights=w1 + w0).fit(cov_type="HC0")
    aipw = Q1 - Q0 + w1 * (Y - Q1) - w0 * (Y - Q0)
    star = [fluctuated(Y, Q, w, low, width) for Q, w in ((Q1, w1), (Q0, w0))]
    influence = star[0] - star[1] + w1 * (Y - star[0]) - w0 * (Y - star[1])
    return {
        "outcome_regression": {"estimate": (Q1 - Q0).mean()},
        "iptw": {"estimate": weighted.params[1], "standard_error": weighted.bse[1]},
        "aipw": {"estimate": aipw.mean(), "standard_error": aipw.std(ddof=1) / np.sqrt(n)},
        "tmle": {
            "estimate": (star[0] - star[1]).mean(),
            "standard_error": influence.std(ddof=1) / np.sqrt(n),
        },
    }


def fluctuated(Y, Q, weights, low, width):
    offset = logit((Q - low) / width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fractional outcomes
        fit = sm.GLM(
            (Y - low) / width,
            np.ones((len(Y), 1)),
            family=sm.families.Binomial(),
            offset=offset,
            freq_weights=weights,
        ).fit(tol=1e-15, maxiter=200)
    return low + width * expit(offset + fit.params[0])


def paper1():
    random = np.random.RandomState(2)
    n = 1000
    w1, w2 = random.binomial(1, 0.5, n), random.binomial(1, 0.5, n)
    w3 = random.binomial(1, 0.3 + 0.175 * (w1 + w2))
    w4, w5 = random.normal(0, 1, n), random.normal(0, 1, n)
    w6 = 0.5 * w4 + 0.5 * w5 + random.normal(0, 1, n)
    A = random.binomial(1, 0.5, n)
    effect = 2 + 0.5 * np.sin(w1) + 0.3 * np.log(np.abs(w2) + 1) - 0.2 * w3**2
    effect = effect + 0.1 * np.exp(w4) - 0.3 * np.tanh(w5) + 0.2 * np.cos(w6)
    base = -0.5 + 0.5 * w1 + w2 - w3 + 0.2 * w4 - 0.3 * w5 + 0.1 * w6
    Y = random.binomial(1, expit(base + effect * A))
    X = np.column_stack([np.ones(n), w1, w2, w3, w4, w5, w6])
    g, _ = logistic(X, A)
    _, fit = logistic(np.column_stack([X, A]), Y)
    Q1, Q0 = (fit.predict(np.column_stack([X, np.full(n, a)])) for a in (1, 0))
    return effects(A, Y, g, Q1, Q0, 0.0, 1.0)


def nhefs(with_interaction):
    d = causaldata.nhefs_complete.load_pandas().data
    numeric = [d[name].astype(float) for name in ("age", "smokeintensity", "smokeyrs", "wt71")]
    dummies = [
        (d[name].astype(float) == level).astype(float)
        for name, levels in (("education", (2, 3, 4, 5)), ("exercise", (1, 2)), ("active", (1, 2)))
        for level in levels
    ]
    X = np.column_stack(
        [np.ones(len(d)), d["sex"].astype(float), d["race"].astype(float)]
        + numeric
        + [column**2 for column in numeric]
        + dummies
    )
    A, Y = d["qsmk"].to_numpy(float), d["wt82_71"].to_numpy(float)
    intensity = d["smokeintensity"].to_numpy(float)

    def design(arm):
        extra = [arm, arm * intensity] if with_interaction else [arm]
        return np.column_stack([X, *extra])

    g, _ = logistic(X, A)
    fit = sm.OLS(Y, design(A)).fit()
    Q1, Q0 = fit.predict(design(np.ones(len(A)))), fit.predict(design(np.zeros(len(A))))
    spread = Y.max() - Y.min()
    found = effects(A, Y, g, Q1, Q0, Y.min() - 0.01 * spread, 1.02 * spread)
    return {**found, "propensity_range": [g.min(), g.max()]}


if __name__ == "__main__":
    found = {
        "statsmodels": statsmodels.__version__,
        "paper1_seed": paper1(),
        "nhefs": nhefs(with_interaction=False),
        "nhefs_interaction": nhefs(with_interaction=True),
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(found, indent=2, default=float) + "\n")
