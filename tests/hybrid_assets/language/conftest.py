"""Small tables, and language models small enough to train in a test."""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.randomness import one_torch_thread
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def column(name, kind, **details) -> ColumnSchema:
    return ColumnSchema(name=name, role=Role.COVARIATE, kind=kind, **details)


@pytest.fixture(autouse=True)
def _one_thread():
    with one_torch_thread():
        yield


@pytest.fixture
def awkward_schema() -> TableSchema:
    """Names and levels with commas, digits, spaces, signs and other alphabets."""
    return TableSchema(
        study="awkward",
        columns=(
            column("is it", ColumnKind.BINARY),
            column("is", ColumnKind.INTEGER, minimum=-30, maximum=1200),
            column("age (y.)", ColumnKind.CONTINUOUS, minimum=-9.5, maximum=99.5, decimals=1),
            column("CD4+|x", ColumnKind.CATEGORICAL, levels=("a, b", "a", "1", "12", "-", "été")),
            column("größe", ColumnKind.ORDINAL, levels=(1, 2, 10)),
        ),
    )


@pytest.fixture
def awkward_table(awkward_schema: TableSchema) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n_rows = 60
    table = pd.DataFrame(
        {
            "is it": rng.integers(0, 2, n_rows),
            "is": rng.integers(-30, 1200, n_rows),
            "age (y.)": rng.uniform(-9.5, 99.5, n_rows).round(1),
            "CD4+|x": rng.choice(["a, b", "a", "1", "12", "-", "été"], n_rows),
            "größe": rng.choice([1, 2, 10], n_rows),
        }
    )
    return awkward_schema.canonical(table)
