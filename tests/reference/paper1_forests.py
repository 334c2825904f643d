"""Paper 1's recipe on small pieces of its own tables, with scikit-learn and nothing of ours.

    python tests/reference/paper1_forests.py DIR

DIR holds the published files. Writes paper1_tables.csv.gz (simulated people and rows generated
from them) and paper1_forests.json. Made with scikit-learn 1.9.1, pandas 2.3.3.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).parent
COVARIATES = ["W1", "W2", "W3", "W4", "W5", "W6"]
PIECES = {
    "test": slice(0, 300),
    "observational": slice(None),
    "gan_pair": slice(None),
    "gan_hybrid": slice(0, 300),
    "llm_full": slice(12_800, 13_100),  # one of its treatments is -0.086
}


def effects(table: pd.DataFrame) -> list[float]:
    a, y = table["A"].astype(int), table["Y"]
    forest = RandomForestClassifier(random_state=42).fit(table[COVARIATES], a)
    g = np.clip(forest.predict_proba(table[COVARIATES])[:, 1], 1e-6, 1 - 1e-6)
    with_a = table[COVARIATES].assign(A=a)
    h = RandomForestClassifier(random_state=42).fit(with_a, y)
    q1 = h.predict_proba(with_a.assign(A=1))[:, 1]
    q0 = h.predict_proba(with_a.assign(A=0))[:, 1]
    iptw = np.average(y, weights=a / g) - np.average(y, weights=(1 - a) / (1 - g))
    aipw = np.mean(q1 - q0 + a * (y - q1) / g - (1 - a) * (y - q0) / (1 - g))
    return [float(iptw), float(aipw), float(np.mean(q1 - q0))]


def auc(table: pd.DataFrame, test: pd.DataFrame) -> float:
    names = [*COVARIATES, "A"]
    forest = RandomForestClassifier(random_state=42).fit(table[names], table["Y"])
    return float(roc_auc_score(test["Y"], forest.predict_proba(test[names])[:, 1]))


def main(folder: Path) -> None:
    names = [*COVARIATES, "A", "Y"]
    # as text, so that the digits stay as published
    pieces = [
        pd.read_csv(folder / f"{name}.csv", dtype=str)[names].iloc[rows].assign(table=name)
        for name, rows in PIECES.items()
    ]
    stored = HERE / "paper1_tables.csv.gz"
    options = {"method": "gzip", "mtime": 0}
    pd.concat(pieces).to_csv(stored, index=False, compression=options)
    tables = dict(list(pd.read_csv(stored).groupby("table", sort=False)))
    figures = {
        name: {"auc": auc(table, tables["test"]), "effects": effects(table)}
        for name, table in tables.items()
        if name != "test"
    }
    (HERE / "paper1_forests.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
