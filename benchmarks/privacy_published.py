"""The privacy evaluation of paper 1's published tables, and of one that should have been made.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/privacy_published.py FOLDER

FOLDER holds seed.csv (members), test.csv (unseen people) and the published tables, with as many
digits as they show. The last row takes the language model's covariates at two decimals, treatment
by a coin and outcomes from a logistic model for each arm.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from benchmarks.privacy_power import NUMBERS, schema
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.evaluate import WAY, PrivacyEvaluation, W, evaluate_privacy
from hybrid_assets.privacy.measure import Attack
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.schema import TableSchema

PUBLISHED = ["llm_hybrid", "llm_full", "gan_hybrid", "gan_full"]
SHOWN = {
    "Y excess": (Attack.INFERENCE, "Y"),
    "A excess": (Attack.INFERENCE, "A"),
    "digits of W4 to W6, AUC": (Attack.DIGIT_REPLAY, ", ".join(NUMBERS)),
    "members' W4 shown, excess": (Attack.COPIES, "W4"),
    "distance on W, AUC": (Attack.MEMBERSHIP_DISTANCE, W),
    "DCR share on W": (Attack.DCR_SHARE, W),
}


def as_shown(layout: TableSchema) -> TableSchema:
    """Declare twelve decimals: digits count as they stand."""
    columns = (
        c.model_copy(update={"decimals": 12}) if c.name in NUMBERS else c for c in layout.columns
    )
    return layout.model_copy(update={"columns": tuple(columns)})


def mended(covariates: pd.DataFrame, members: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Draw treatment by a coin, outcomes from a logistic model for each arm."""
    rng = np.random.default_rng(5)
    table = covariates.assign(A=rng.integers(0, 2, len(covariates)))
    chance = np.zeros(len(table))
    for arm in (0, 1):
        seen, drawn = members[members["A"] == arm], (table["A"] == arm).to_numpy()
        model = LogisticRegression().fit(seen[names], seen["Y"])
        chance[drawn] = model.predict_proba(table.loc[drawn, names])[:, 1]
    return table.assign(Y=(rng.random(len(table)) < chance).astype("int64"))


def evaluated(
    table: pd.DataFrame, members: pd.DataFrame, others: pd.DataFrame, layout: TableSchema
) -> PrivacyEvaluation:
    """Evaluate as the asset does."""
    shares = {
        W: evaluate_dcr(table, members, others, layout.covariates).share,
        WAY: evaluate_dcr(table, members, others, layout).share,
    }
    attacked = Attacked.of(table, members, others, layout)
    rng = np.random.default_rng(0)
    return evaluate_privacy(attacked, shares=shares, policy=PrivacyPolicy(), rng=rng)


def line(name: str, found: PrivacyEvaluation, seconds: float) -> str:
    """Give one row of the table: each value with its 95 % interval, F where it fails."""
    by_target = {(f.measure.attack, f.measure.target): f for f in found.findings}
    cells = []
    for key in SHOWN.values():
        finding, measure = by_target[key], by_target[key].measure
        mark = " F" if finding.verdict == "FAIL" else ""
        cells.append(f"{measure.value:.3f} ({measure.ci_low:.3f}, {measure.ci_high:.3f}){mark}")
    n_fails = sum(f.verdict == "FAIL" for f in found.findings)
    verdict = f"{found.verdict} ({n_fails} of {len(found.findings)} fail)"
    return "| " + " | ".join([name, verdict, *cells, f"{seconds:.1f}"]) + " |"


def main() -> None:
    """Print one row for each table."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder, rounded = Path(sys.argv[1]), schema()
    full = as_shown(rounded)
    tables = {
        name: full.canonical(pd.read_csv(folder / f"{name}.csv"))
        for name in ("seed", "test", *PUBLISHED)
    }
    people = [tables["seed"], tables["test"]]
    covariates = rounded.rounded(tables["llm_hybrid"])
    two_decimals = [rounded.rounded(t) for t in people]
    cases = [(name, tables[name], people, full) for name in PUBLISHED]
    made = mended(covariates, two_decimals[0], rounded.covariate_names)
    cases.append(("llm covariates, small models", made, two_decimals, rounded))
    print("| table | verdict | " + " | ".join(SHOWN) + " | CPU s |\n|" + "---|" * (len(SHOWN) + 3))
    for name, table, (members, others), layout in cases:
        started = time.process_time()
        found = evaluated(table, members, others, layout)
        print(line(name, found, time.process_time() - started), flush=True)


if __name__ == "__main__":
    main()
