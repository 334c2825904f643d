"""Arrays that every estimator takes, and the tables of the reference tests."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

REFERENCE = Path(__file__).parents[2] / "reference"


def draw_arrays(random_seed: int, n_rows: int = 60, *, continuous: bool = False):
    """Draw A, Y, g, Q0, Q1 with both arms, both outcomes and confounding present."""
    rng = np.random.default_rng(random_seed)
    w = rng.normal(size=n_rows)
    g = 0.1 + 0.8 / (1 + np.exp(-w))
    A = (rng.random(n_rows) < g).astype(float)
    A[:4] = [0, 1, 0, 1]
    if continuous:
        q0, q1 = w + rng.normal(size=n_rows) / 4, 2 + w + rng.normal(size=n_rows) / 4
        Y = w + 2 * A + rng.normal(size=n_rows)
    else:
        q0, q1 = (1 / (1 + np.exp(-(b + w))) for b in (-0.5, 0.5))
        Y = (rng.random(n_rows) < np.where(A == 1, q1, q0)).astype(float)
        Y[:4] = [0, 1, 1, 0]
    return A, Y, g, q0, q1


@pytest.fixture(scope="session")
def arrays():
    """Give the function that draws them."""
    return draw_arrays


@pytest.fixture(scope="session")
def reference():
    """Give the function that reads stored outside figures by name."""
    return lambda name: json.loads((REFERENCE / f"{name}.json").read_text())


def canonical(table, covariates, *, treatment, outcome):
    """Give a table its schema: covariates by kind, a 0/1 treatment, the outcome's kind seen."""
    columns = [
        ColumnSchema(
            name=name,
            role=Role.COVARIATE,
            kind=kind,
            levels=tuple(sorted(table[name].astype(str).unique()))
            if kind is ColumnKind.CATEGORICAL
            else None,
        )
        for name, kind in covariates.items()
    ]
    is_binary = table[outcome].isin((0, 1)).all()
    ends = {
        treatment: (Role.TREATMENT, ColumnKind.BINARY),
        outcome: (Role.OUTCOME, ColumnKind.BINARY if is_binary else ColumnKind.CONTINUOUS),
    }
    columns += [ColumnSchema(name=name, role=r, kind=k) for name, (r, k) in ends.items()]
    schema = TableSchema(study="reference", columns=tuple(columns))
    return schema.canonical(table), schema


@pytest.fixture(scope="session")
def nhefs():
    """Quitting smoking and weight gain, n = 1566, nine covariates."""
    causaldata = pytest.importorskip("causaldata")
    kinds = dict.fromkeys(("sex", "race"), ColumnKind.BINARY)
    kinds |= dict.fromkeys(("age", "smokeintensity", "smokeyrs"), ColumnKind.INTEGER)
    kinds |= dict.fromkeys(("education", "exercise", "active"), ColumnKind.CATEGORICAL)
    kinds |= {"wt71": ColumnKind.CONTINUOUS}
    raw = causaldata.nhefs_complete.load_pandas().data
    return canonical(raw, kinds, treatment="qsmk", outcome="wt82_71")


def restricted_spline(values):
    """Give two quadratic terms, restricted at the last of the knots at 5, 50 and 95 %."""
    knots = np.percentile(values, [5, 50, 95])
    above = np.maximum(values[:, None] - knots, 0.0) ** 2
    return (above[:, :2] - above[:, 2:]) * (values[:, None] > knots[:2])


@pytest.fixture(scope="session")
def zepid_people():
    """All 547 people of zEpid's sample data, with their splines; outcomes may be missing."""
    people = pd.read_csv(REFERENCE / "zepid_sample.csv.gz")
    for name in ("age0", "cd40"):
        terms = restricted_spline(people[name].to_numpy(dtype=float))
        people[[f"{name}_spline1", f"{name}_spline2"]] = terms
    return people


ZEPID_COVARIATES = {
    "male": ColumnKind.BINARY,
    "dvl0": ColumnKind.BINARY,
    **{
        f"{name}{term}": ColumnKind.CONTINUOUS
        for name in ("age0", "cd40")
        for term in ("", "_spline1", "_spline2")
    },
}


@pytest.fixture(scope="session")
def zepid(zepid_people):
    """Give the function that keeps the people whose outcome is known."""
    return lambda outcome: canonical(
        zepid_people.dropna(subset=outcome), ZEPID_COVARIATES, treatment="art", outcome=outcome
    )


@pytest.fixture(scope="session")
def with_schema():
    """Give the function that gives a table its schema."""
    return canonical
