"""How often the evaluation sees planted leaks, and how often it accuses strangers.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/privacy_power.py [REPEATS]

Paper 1's trial, two decimals, 20 000 synthetic rows of fresh people but for the
leak. Shares of repeats in which the whole evaluation, and single attacks, FAIL.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd

from hybrid_assets.designs import DESIGNS
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.evaluate import WAY, W, evaluate_privacy
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.schema import TableSchema

N_ROWS = 20_000
NUMBERS = ["W4", "W5", "W6"]
SPLITS = [(1000, 1000), (1000, 500), (2000, 500)]
Rows = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def jittered(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add noise of a twentieth of a standard deviation to the numbers."""
    noise = rng.normal(0, 0.05, (len(rows), len(NUMBERS)))
    return rows.assign(**{n: rows[n] + noise[:, i] for i, n in enumerate(NUMBERS)})


LEAKS: dict[str, Rows] = {
    "none (strangers)": lambda train, rng: train.iloc[:0],
    "2 % of rows are jittered copies": lambda train, rng: jittered(
        train.iloc[rng.integers(0, len(train), N_ROWS // 50)], rng
    ),
    "10 % of rows are jittered copies": lambda train, rng: jittered(
        train.iloc[rng.integers(0, len(train), N_ROWS // 10)], rng
    ),
    "ten people, fifty near-copies each": lambda train, rng: jittered(
        train.iloc[np.repeat(rng.choice(len(train), 10, replace=False), 50)], rng
    ),
    "2 % of rows are verbatim copies": lambda train, rng: train.iloc[
        rng.integers(0, len(train), N_ROWS // 50)
    ],
}


def schema() -> TableSchema:
    """Declare two decimals."""
    plain = DESIGNS["paper1_trial"].schema()
    return plain.model_copy(
        update={
            "columns": tuple(
                c.model_copy(update={"decimals": 2}) if c.name in NUMBERS else c
                for c in plain.columns
            )
        }
    )


def main() -> None:
    """Print one row for each leak and split."""
    n_repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    layout, draw = schema(), DESIGNS["paper1_trial"]
    print(f"{n_repeats} repeats, {N_ROWS} rows")
    print("| leak | members + others | FAIL | REVIEW | INCONCLUSIVE | PASS | what failed | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, leak in LEAKS.items():
        for n, m in SPLITS:
            verdicts, attacks, started = Counter[str](), Counter[str](), time.process_time()
            for r in range(n_repeats):
                rng = np.random.default_rng(r)
                seeds = (1000 * r + 1, 1000 * r + 2, 1000 * r + 3)
                fresh, train, holdout = (
                    layout.rounded(draw(size, seed))
                    for size, seed in zip((N_ROWS, n, m), seeds, strict=True)
                )
                copies = layout.rounded(leak(train, rng))
                table = pd.concat([fresh.iloc[len(copies) :], copies], ignore_index=True)
                shares = {
                    W: evaluate_dcr(table, train, holdout, layout.covariates).share,
                    WAY: evaluate_dcr(table, train, holdout, layout).share,
                }
                found = evaluate_privacy(
                    Attacked.of(table, train, holdout, layout),
                    shares=shares,
                    policy=PrivacyPolicy(),
                    rng=rng,
                )
                verdicts[found.verdict.value] += 1
                attacks.update(
                    {f.measure.attack.value for f in found.findings if f.verdict == "FAIL"}
                )
            seconds = (time.process_time() - started) / n_repeats
            failed = ", ".join(f"{a} {k / n_repeats:.2f}" for a, k in attacks.most_common(4))
            shares_of = [
                f"{verdicts[v] / n_repeats:.2f}" for v in ("FAIL", "REVIEW", "INCONCLUSIVE", "PASS")
            ]
            cells = [name, f"{n} + {m}", *shares_of, failed, f"{seconds:.2f}"]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
