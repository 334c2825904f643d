"""Bias of the estimators and coverage of their 95 % intervals on every published design."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from hybrid_assets.benchmark import (
    BenchmarkSettings,
    DesignPopulation,
    Dials,
    plan_benchmark,
    run_benchmark,
)
from hybrid_assets.designs import DESIGNS, Design

PAGE = Path(__file__).with_name("DESIGN_COVERAGE.md")
SETTINGS = BenchmarkSettings(sample_sizes=(1000,), dials=(Dials(),))
RANDOM_SEED = 20261122
HEAD = "| design | true ATE | estimator | bias | RMSE | coverage, % |\n|---|---|---|---|---|---|"


def performance(design: Design) -> pd.DataFrame:
    """Analyse fresh studies with the default library and one fold draw."""
    rng = np.random.default_rng(RANDOM_SEED)
    plan = plan_benchmark(DesignPopulation(design), SETTINGS, rng)
    return run_benchmark(plan).performance


def lines(design: Design, found: pd.DataFrame) -> list[str]:
    """Give one row for each estimator, Monte-Carlo errors in brackets."""
    return [
        f"| `{design.word}` | {design.true_ate:.5g} | {row.estimator} "
        f"| {row.bias:+.3g} ({row.bias_error:.2g}) | {row.rmse:.3g} ({row.rmse_error:.2g}) "
        f"| {100 * row.coverage:.1f} ({100 * row.coverage_error:.1f}) |"
        for row in found.itertuples()
    ]


def main() -> None:
    rows: list[str] = []
    for design in DESIGNS.values():
        rows += lines(design, performance(design))
        print("\n".join(rows[-4:]), flush=True)
    PAGE.write_text(
        "# Coverage of the 95 % intervals on the published designs\n\n"
        f"{SETTINGS.n_replicates} fresh studies of {SETTINGS.sample_sizes[0]} people each, the "
        "default library, five folds, one fold draw; Monte-Carlo errors in brackets. scikit-learn "
        f"{version('scikit-learn')}, numpy {version('numpy')}, seed {RANDOM_SEED}. "
        "Made by `python -m benchmarks design_coverage`.\n\n" + "\n".join([HEAD, *rows]) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
