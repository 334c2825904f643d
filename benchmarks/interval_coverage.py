"""How often intervals of hybrid tables contain the true effect, as they are and widened.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/interval_coverage.py [TRIALS]

Paper 1's trial, 1000 people, linear and spline learners, one fold draw; synthetic
covariates are drawn from the people's own, so that nothing but the number of rows is at stake.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import (
    adjusted_for_synthesis,
    estimate_ate,
    estimate_from_cross_fits,
)
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.nuisance import (
    NuisanceSettings,
    cross_fit_draws,
    fit_outcome_model,
    fit_propensity_model,
)

N_PEOPLE, N_SYNTHETIC = 1000, (1000, 6000, 50_000)
LIBRARY = NuisanceSettings(n_fold_draws=1, outcome_library=("linear", "spline"))
DESIGN = DESIGNS["paper1_trial"]


def covered(random_seed: int) -> dict[str, bool]:
    people, schema = DESIGN(N_PEOPLE, random_seed), DESIGN.schema()
    rng = np.random.default_rng(random_seed)
    fits = cross_fit_draws(people, schema, LIBRARY, rng, 0.5)
    seed = estimate_from_cross_fits(fits)["tmle"]
    models = GeneratingModels(
        fit_propensity_model(people, schema, LIBRARY, fits),
        fit_outcome_model(people, schema, LIBRARY, fits),
        seed.mean_treated,
        seed.mean_control,
    )
    found = {"seed": seed.ci_low <= DESIGN.true_ate <= seed.ci_high}
    for n_rows in N_SYNTHETIC:
        rows = people[schema.covariate_names].iloc[rng.integers(0, N_PEOPLE, n_rows)]
        table = hybrid_triplets(rows, models, settings=HybridSettings(), rng=rng).table
        naive = estimate_ate(table, schema, LIBRARY, rng, 0.5)["tmle"]
        wide = adjusted_for_synthesis(naive, N_PEOPLE)
        found[f"{n_rows} naive"] = naive.ci_low <= DESIGN.true_ate <= naive.ci_high
        found[f"{n_rows} widened"] = wide.ci_low <= DESIGN.true_ate <= wide.ci_high
    return found


def main(n_trials: int) -> None:
    shares = pd.DataFrame([covered(1000 + i) for i in range(n_trials)]).mean()
    for name, share in shares.items():
        error = np.sqrt(share * (1 - share) / n_trials)
        print(f"{name:<16} {share:.4f} ± {error:.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
