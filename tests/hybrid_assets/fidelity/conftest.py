"""A small study of mixed covariates, drawn with a signal or without."""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.schema import ColumnSchema, TableSchema


def small_schema(outcome="binary"):
    return TableSchema(
        study="small",
        columns=(
            ColumnSchema(name="x", role="covariate", kind="continuous"),
            ColumnSchema(name="site", role="covariate", kind="categorical", levels=("a", "b", "c")),
            ColumnSchema(name="grade", role="covariate", kind="ordinal", levels=(1, 2, 3)),
            ColumnSchema(name="treated", role="treatment", kind="binary"),
            ColumnSchema(
                name="y",
                role="outcome",
                kind=outcome,
                levels=("no", "yes") if outcome == "categorical" else None,
            ),
        ),
    )


def draw_people(n_rows, seed, outcome="binary", signal=1.0):
    rng = np.random.default_rng(seed)
    x, site, grade = rng.normal(size=n_rows), rng.integers(0, 3, n_rows), rng.integers(1, 4, n_rows)
    treated = rng.integers(0, 2, n_rows)
    score = signal * (x + (site == 1) - 0.5 * grade + treated)
    if outcome == "binary":
        y = (rng.random(n_rows) < 1 / (1 + np.exp(-score))).astype(int)
    else:
        y = score + rng.normal(size=n_rows)
    table = pd.DataFrame(
        {"x": x, "site": np.array(list("abc"))[site], "grade": grade, "treated": treated, "y": y}
    )
    return small_schema(outcome).canonical(table)


@pytest.fixture(scope="session")
def study_schema():
    return small_schema


@pytest.fixture(scope="session")
def people():
    return draw_people
