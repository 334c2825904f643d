import json
from pathlib import Path

import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[2] / "reference"


@pytest.fixture(scope="session")
def pieces():
    """Give pieces of paper 1's tables by name."""
    stored = pd.read_csv(REFERENCE / "paper1_tables.csv.gz")
    return {name: rows.drop(columns="table") for name, rows in stored.groupby("table", sort=False)}


@pytest.fixture(scope="session")
def figures():
    """Give scikit-learn's figures for them."""
    return json.loads((REFERENCE / "paper1_forests.json").read_text())
