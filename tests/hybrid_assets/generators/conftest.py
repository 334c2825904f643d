"""Tables that every generator must survive."""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.generators.private.mechanisms import choice_scale, noise_scale
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def column_schema(name: str, values: pd.Series) -> ColumnSchema:
    if values.dtype == object:
        levels = tuple(sorted(set(values)))
        return ColumnSchema(
            name=name, role=Role.COVARIATE, kind=ColumnKind.CATEGORICAL, levels=levels
        )
    kind = ColumnKind.CONTINUOUS if values.dtype == float else ColumnKind.INTEGER
    if set(values) == {0, 1}:
        kind = ColumnKind.BINARY
    return ColumnSchema(
        name=name,
        role=Role.COVARIATE,
        kind=kind,
        minimum=values.min(),
        maximum=values.max(),
        decimals=2 if kind is ColumnKind.CONTINUOUS else None,
    )


def as_study_table(columns: dict[str, object]) -> tuple[pd.DataFrame, TableSchema]:
    table = pd.DataFrame(columns)
    schema = TableSchema(
        study="small", columns=tuple(column_schema(name, table[name]) for name in table)
    )
    return schema.canonical(table), schema


def mixed_columns(n_rows: int) -> dict[str, object]:
    """Age rises with the site, weight falls with age, and a third earn nothing."""
    rng = np.random.default_rng(11)
    site = rng.integers(0, 3, n_rows)
    age = 40 + 10 * site + rng.integers(-8, 9, n_rows)
    weight = (110 - 0.6 * age + rng.normal(0, 5, n_rows)).round(2)
    income = np.where(rng.random(n_rows) < 1 / 3, 0.0, rng.gamma(2, 900, n_rows).round(2))
    smoker = (rng.random(n_rows) < 0.2 + 0.2 * (weight > weight.mean())).astype(int)
    return {
        "site": np.array(["north", "south", "west"], dtype=object)[site],
        "age": age,
        "weight": weight,
        "income": income,
        "smoker": smoker,
    }


@pytest.fixture
def mixed_table() -> tuple[pd.DataFrame, TableSchema]:
    return as_study_table(mixed_columns(1000))


@pytest.fixture(
    params=["mixed", "all categorical", "all numeric", "one column", "constant", "small", "tiny"]
)
def any_table(request: pytest.FixtureRequest) -> tuple[pd.DataFrame, TableSchema]:
    columns = mixed_columns({"small": 60, "tiny": 3}.get(request.param, 400))
    kept = {
        "all categorical": ["site", "smoker"],
        "all numeric": ["age", "weight", "income"],
        "one column": ["weight"],
    }.get(request.param, list(columns))
    columns = {name: columns[name] for name in kept}
    if request.param == "constant":
        columns |= {"height": np.full(400, 1.75), "country": ["here"] * 400, "year": [2020] * 400}
    return as_study_table(columns)


class SeededNoise:
    """OpenDP's answers by numpy's generator, for tests of all but the noise; remembers prices."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.spent, self.scores = [], []

    def noisy_counts(self, counts, rho):
        assert counts.dtype == np.int64
        self.spent.append(rho)
        return counts + np.round(self.rng.normal(0, noise_scale(rho), counts.shape)).astype(int)

    def best(self, scores, rho, largest_weight):
        self.spent.append(rho)
        self.scores.append(scores)
        noisy = scores + self.rng.gumbel(0, choice_scale(rho, largest_weight), len(scores))
        return int(np.argmax(noisy))


@pytest.fixture
def seeded_noise():
    return SeededNoise
