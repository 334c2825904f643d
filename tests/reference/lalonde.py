"""LaLonde's training programme with statsmodels: ``lalonde.json``.

NSW: Dehejia and Wahba's 445 men, earnings in 1978 with and without training.
CPS: the 185 trained beside 15 992 men of the Current Population Survey, the
classic table on which the average effect is out of reach. Propensity:
main-effects logistic regression on age, educ, black, hisp, marr, nodegree,
re74, re75. Both tables are in causaldata (MIT).

The Hájek standard errors are statsmodels' HC0 of the weighted regression of
re78 on treat. Needs statsmodels and causaldata.
Run: python tests/reference/lalonde.py
"""

import json
from pathlib import Path

import causaldata
import numpy as np
import pandas as pd
import statsmodels.api as sm

COVARIATES = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]


def weighted(Y, A, weights, cov_type):
    fit = sm.WLS(Y, np.column_stack([np.ones(len(A)), A]), weights=weights).fit(cov_type=cov_type)
    return {"estimate": fit.params[1], "standard_error": fit.bse[1]}


def propensity(table, A):
    X = table[COVARIATES].astype(float)
    X = sm.add_constant(((X - X.mean()) / X.std()).to_numpy())
    return sm.GLM(A, X, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=300).predict(X)


if __name__ == "__main__":
    nsw = causaldata.nsw_mixtape.load_pandas().data.drop(columns="data_id").astype(float)
    cps = causaldata.cps_mixtape.load_pandas().data.drop(columns="data_id").astype(float)
    A, Y = nsw["treat"].to_numpy(), nsw["re78"].to_numpy()
    found = {"nsw": weighted(Y, A, np.ones(len(A)), "HC2")}
    both = pd.concat([nsw[A == 1], cps], ignore_index=True)
    A, Y = both["treat"].to_numpy(), both["re78"].to_numpy()
    g = propensity(both, A)
    found["cps"] = {
        "naive": weighted(Y, A, np.ones(len(A)), "HC0"),
        "att": weighted(Y, A, A + (1 - A) * g / (1 - g), "HC0"),
        "propensity_range": [g.min(), g.max()],
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(found, indent=2, default=float) + "\n")
