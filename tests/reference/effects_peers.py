"""Effects of every estimand with peers, sharing no code with this project: ``effects_peers.json``.

* ``nhefs``: quitting smoking and weight gain, as in ate_statsmodels.py.
* ``zepid``: antiretroviral treatment and death by week 45, n = 517, splines of
  cd40 and age0 (restricted quadratic, knots at the 5th, 50th and 95th centile
  of all 547 people), as in zEpid's tests.

Who answers what:

* AIPW, everyone: DoubleML's IRM scores (ATE), treated: ATTE; controls: ATTE
  with the arms and the sign swapped. One fold that is the whole table, the
  nuisances of statsmodels given from outside.
* AIPW ratios: the logarithm of the ratio of two DoubleML APO means, with the
  infinitesimal jackknife (each row's weight moved by 1e-4) as standard error.
* IPTW: statsmodels' weighted regression with HC0; ratios from weighted
  binomial GLMs with log and logit link, their sandwich written out.
* TMLE, treated and controls: statsmodels GLM fluctuations with offset and
  frequency weights; standard error from the influence function written out.

Needs statsmodels, causaldata, doubleml and scikit-learn.
Run: python tests/reference/effects_peers.py
"""

import json
import warnings
from pathlib import Path

import causaldata
import doubleml
import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm
from doubleml import DoubleMLAPO, DoubleMLData, DoubleMLIRM
from scipy.special import expit, logit
from sklearn.linear_model import LinearRegression, LogisticRegression

HERE = Path(__file__).parent
BINOMIAL = sm.families.Binomial()


def logistic(X, y):
    return sm.GLM(y, X, family=BINOMIAL).fit(tol=1e-14, maxiter=300)


def double_ml(A, Y, g, Q0, Q1, score):
    data = DoubleMLData.from_arrays(np.zeros((len(A), 1)), Y, A)
    model = DoubleMLIRM(
        data,
        LinearRegression(),
        LogisticRegression(),
        n_folds=2,
        score=score,
        normalize_ipw=False,
    )
    external = {"d": {"ml_g0": Q0[:, None], "ml_g1": Q1[:, None], "ml_m": g[:, None]}}
    model.fit(external_predictions=external)
    return {"estimate": model.coef[0], "standard_error": model.se[0]}


def aipw(A, Y, g, Q0, Q1):
    flipped = double_ml(1 - A, Y, 1 - g, Q1, Q0, "ATTE")
    return {
        "ate": double_ml(A, Y, g, Q0, Q1, "ATE"),
        "att": double_ml(A, Y, g, Q0, Q1, "ATTE"),
        "atc": flipped | {"estimate": -flipped["estimate"]},
    }


def aipw_ratios(A, Y, g, Q0, Q1):
    scores = []
    for level, Q, p in ((1, Q1, g), (0, Q0, 1 - g)):
        data = DoubleMLData.from_arrays(np.zeros((len(A), 1)), Y, A)
        model = DoubleMLAPO(
            data, LinearRegression(), LogisticRegression(), treatment_level=level, n_folds=2
        )
        external = {"ml_g_d_lvl0": Q[:, None], "ml_g_d_lvl1": Q[:, None], "ml_m": p[:, None]}
        model.fit(external_predictions={"d": external})
        scores.append(model.psi_elements["psi_b"].ravel())
    found = {}
    for word, link in (("risk_ratio", np.log), ("odds_ratio", logit)):

        def value(weights, link=link):
            means = [np.average(score, weights=weights) for score in scores]
            return link(means[0]) - link(means[1])

        n = len(A)
        slopes = []
        for i in range(n):
            up, down = np.ones(n), np.ones(n)
            up[i] += 1e-4
            down[i] -= 1e-4
            slopes.append((value(up) - value(down)) / 2e-4)
        error = np.sqrt(np.sum(np.square(slopes)))
        found[word] = {"estimate": np.exp(value(np.ones(n))), "standard_error": error}
    return found


def iptw(A, Y, g, *, is_binary):
    X = np.column_stack([np.ones(len(A)), A])
    weights = {
        "ate": A / g + (1 - A) / (1 - g),
        "att": A + (1 - A) * g / (1 - g),
        "atc": A * (1 - g) / g + 1 - A,
    }
    found = {}
    for word, w in weights.items():
        fit = sm.WLS(Y, X, weights=w).fit(cov_type="HC0")
        found[word] = {"estimate": fit.params[1], "standard_error": fit.bse[1]}
    links = {"risk_ratio": sm.families.links.Log(), "odds_ratio": sm.families.links.Logit()}
    for word, link in links.items() if is_binary else ():
        start = [link(0.2), 0.0]
        w = weights["ate"]
        model = sm.GLM(Y, X, family=sm.families.Binomial(link), freq_weights=w)
        fit = model.fit(tol=1e-15, maxiter=300, start_params=start)
        mu, slope = fit.predict(X), link.inverse_deriv(X @ fit.params)
        score = X * (w * (Y - mu) * slope / (mu * (1 - mu)))[:, None]
        bread = np.linalg.inv((X * (w * slope**2 / (mu * (1 - mu)))[:, None]).T @ X)
        meat = score.T @ score
        error = np.sqrt((bread @ meat @ bread)[1, 1])
        found[word] = {"estimate": np.exp(fit.params[1]), "standard_error": error}
    return found


def fluctuated(Y, Q, weights, low, width):
    fit = sm.GLM(
        (Y - low) / width,
        np.ones(len(Y)),
        family=BINOMIAL,
        offset=logit((Q - low) / width),
        freq_weights=weights,
    ).fit(tol=1e-15, maxiter=300)
    return low + width * expit(logit((Q - low) / width) + fit.params[0])


def tmle(A, Y, g, Q0, Q1, low, width):
    """Effect in the treated; the controls by swapping arms and sign."""
    found = {}
    for word, a, p, q0, sign in (("att", A, g, Q0, 1), ("atc", 1 - A, 1 - g, Q1, -1)):
        odds = (1 - a) * p / (1 - p)
        star = fluctuated(Y, q0, odds, low, width)
        effect = Y[a == 1].mean() - star[a == 1].mean()
        influence = (a * (Y - star - effect) - odds * (Y - star)) / a.mean()
        found[word] = {
            "estimate": sign * effect,
            "standard_error": influence.std(ddof=1) / np.sqrt(len(a)),
        }
    return found


def nhefs():
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
    g = logistic(X, A).predict(X)
    fit = sm.OLS(Y, np.column_stack([X, A])).fit()
    Q1, Q0 = (fit.predict(np.column_stack([X, np.full(len(A), a)])) for a in (1.0, 0.0))
    return A, Y, g, Q0, Q1


def spline(values):
    knots = np.percentile(values, [5, 50, 95])
    powers = [np.where(values > knot, (values - knot) ** 2, 0.0) for knot in knots]
    return [np.where(values > knots[i], powers[i] - powers[2], 0.0) for i in (0, 1)]


def zepid():
    d = pd.read_csv(HERE / "zepid_sample.csv.gz").astype(float)
    columns = [d[name].to_numpy() for name in ("male", "age0", "cd40", "dvl0")]
    columns += spline(columns[1]) + spline(columns[2])
    W = np.column_stack(columns)[d["dead"].notna()]
    X = sm.add_constant(W / np.abs(W).max(axis=0))
    A, Y = (d.loc[d["dead"].notna(), name].to_numpy() for name in ("art", "dead"))
    g = logistic(X, A).predict(X)
    fit = logistic(np.column_stack([X, A]), Y)
    Q1, Q0 = (fit.predict(np.column_stack([X, np.full(len(A), a)])) for a in (1.0, 0.0))
    return A, Y, g, Q0, Q1


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # fractional outcomes
    A, Y, g, Q0, Q1 = nhefs()
    low, width = Y.min() - 0.01 * np.ptp(Y), 1.02 * np.ptp(Y)
    found = {
        "versions": {"doubleml": doubleml.__version__, "statsmodels": statsmodels.__version__},
        "nhefs": {
            "aipw": aipw(A, Y, g, Q0, Q1),
            "iptw": iptw(A, Y, g, is_binary=False),
            "tmle": tmle(A, Y, g, Q0, Q1, low, width),
        },
    }
    A, Y, g, Q0, Q1 = zepid()
    found["zepid"] = {
        "aipw": aipw(A, Y, g, Q0, Q1) | aipw_ratios(A, Y, g, Q0, Q1),
        "iptw": iptw(A, Y, g, is_binary=True),
        "tmle": tmle(A, Y, g, Q0, Q1, 0.0, 1.0),
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(found, indent=2, default=float) + "\n")
