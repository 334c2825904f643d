import numpy as np
import pytest

from hybrid_assets.designs import DESIGNS
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.evaluate import WAY, W, evaluate_privacy
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.schema import TableSchema


def with_decimals(schema, decimals):
    return TableSchema(
        study=schema.study,
        columns=tuple(
            c.model_copy(update={"decimals": decimals}) if c.kind == "continuous" else c
            for c in schema.columns
        ),
    )


@pytest.fixture
def schema():
    """Of paper 1's trial, with two decimals declared."""
    return with_decimals(DESIGNS["paper1_trial"].schema(), 2)


@pytest.fixture
def people(schema):
    """Draw people of paper 1's trial."""
    return lambda n, seed: schema.rounded(DESIGNS["paper1_trial"](n, seed))


@pytest.fixture
def evaluated(schema):
    """Evaluate a synthetic table."""

    def evaluate(synthetic, train, holdout, schema=schema, seed=0):
        shares = {
            W: evaluate_dcr(synthetic, train, holdout, schema.covariates).share,
            WAY: evaluate_dcr(synthetic, train, holdout, schema).share,
        }
        return evaluate_privacy(
            Attacked.of(synthetic, train, holdout, schema),
            shares=shares,
            policy=PrivacyPolicy(),
            rng=np.random.default_rng(seed),
        )

    return evaluate


@pytest.fixture
def by_logistic():
    """Give rows outcomes from a logistic model for each arm, and treatment by a coin."""

    def redraw(covariates, train, schema, rng):
        from sklearn.linear_model import LogisticRegression

        names = schema.covariate_names
        table = covariates.assign(A=rng.integers(0, 2, len(covariates)))
        chance = np.zeros(len(table))
        for arm in (0, 1):
            seen, drawn = train[train["A"] == arm], (table["A"] == arm).to_numpy()
            model = LogisticRegression().fit(seen[names], seen["Y"])
            chance[drawn] = model.predict_proba(table.loc[drawn, names])[:, 1]
        return table.assign(Y=(rng.random(len(table)) < chance).astype("int64"))

    return redraw


@pytest.fixture
def by_forest():
    """Give rows treatments and outcomes from default forests, fitted in sample."""

    def redraw(covariates, train, schema, rng):
        from sklearn.ensemble import RandomForestClassifier

        names = schema.covariate_names
        table = covariates.copy()
        for known, target in ((names, "A"), ([*names, "A"], "Y")):
            forest = RandomForestClassifier(random_state=42).fit(train[known], train[target])
            chance = forest.predict_proba(table[known])[:, 1]
            table[target] = (rng.random(len(table)) < chance).astype("int64")
        return table

    return redraw
