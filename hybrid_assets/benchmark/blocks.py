"""One block of replicates: drawn, analysed, tabulated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.benchmark.estimates import estimate_all
from hybrid_assets.benchmark.folds import FoldLayout
from hybrid_assets.benchmark.nuisances import cross_fitted_nuisances
from hybrid_assets.benchmark.plan import BenchmarkPlan, Block
from hybrid_assets.benchmark.replicates import Replicates, arm_sizes
from hybrid_assets.benchmark.settings import Analysis
from hybrid_assets.estimators import DEFAULT_ESTIMATORS
from hybrid_assets.nuisance.cross_fitting import propensity_bound
from hybrid_assets.nuisance.observed import MIN_ROWS_PER_ARM_MODEL

REPLICATE_COLUMNS = [
    "scenario",
    "n_rows",
    "replicate",
    "estimator",
    "estimate",
    "standard_error",
    "clipped_share",
    "block",
]


def run_block(plan: BenchmarkPlan, block: Block) -> pd.DataFrame:
    """Draw the block's replicates and estimate the effect of each.

    Returns
    -------
    DataFrame
        One row for each replicate and estimator: `REPLICATE_COLUMNS`. Missing
        estimates are analyses that failed: an arm too small for the folds, or
        equations without solution.
    """
    population = plan.scenarios[block.scenario]
    rng = block.random_generator(plan.entropy)
    replicates = population.draw(block.n_replicates, block.n_rows, rng)
    found = analyse(replicates, plan.analysis, rng, population.known_propensity)
    return found.assign(
        scenario=block.scenario,
        n_rows=block.n_rows,
        replicate=found["replicate"] + block.first,
        block=block.key,
    )[REPLICATE_COLUMNS]


def pool_estimates(plan: BenchmarkPlan) -> dict[str, float]:
    """Give each estimator's estimate from the whole pool of the published protocol, if any."""
    pool = plan.published_pool
    if pool is None:
        return {}
    found = analyse(pool.rows, plan.analysis, plan.pool_stream(), pool.known_propensity)
    return dict(zip(found["estimator"], found["estimate"], strict=True))


def analyse(
    replicates: Replicates,
    analysis: Analysis,
    rng: np.random.Generator,
    known_propensity: float | None = None,
) -> pd.DataFrame:
    """Estimate the effect of each replicate as `estimate_ate` would, with one fold draw.

    Returns
    -------
    DataFrame
        ``replicate``, ``estimator``, ``estimate``, ``standard_error``, ``clipped_share``.
    """
    from threadpoolctl import threadpool_limits

    treatment, outcome = replicates.treatment, replicates.outcome
    strata = 2 * treatment + (outcome if replicates.is_binary else 0.0)
    folds = FoldLayout.draw(strata, analysis.n_folds, rng)
    smallest = arm_sizes(treatment)
    values = np.full((len(DEFAULT_ESTIMATORS), 3, len(treatment)), np.nan)
    is_usable = smallest >= 2 * analysis.n_folds
    is_small = smallest < MIN_ROWS_PER_ARM_MODEL
    with threadpool_limits(limits=1):
        for is_pooled in (False, True):
            chosen = np.flatnonzero(is_usable & (is_small == is_pooled))
            if len(chosen):
                part = replicates.part(chosen), folds.part(chosen)
                values[:, :, chosen] = _analyse_part(*part, analysis, known_propensity, is_pooled)
    n_replicates = len(treatment)
    return pd.DataFrame(
        {
            "replicate": np.tile(np.arange(n_replicates), len(DEFAULT_ESTIMATORS)),
            "estimator": np.repeat(list(DEFAULT_ESTIMATORS), n_replicates),
            "estimate": values[:, 0].ravel(),
            "standard_error": values[:, 1].ravel(),
            "clipped_share": values[:, 2].ravel(),
        }
    )


def _analyse_part(
    replicates: Replicates,
    folds: FoldLayout,
    analysis: Analysis,
    known_propensity: float | None,
    is_pooled: bool,
) -> np.ndarray:
    """Give estimate, standard error and clipped share by estimator: (4, 3, B)."""
    fitted = cross_fitted_nuisances(
        replicates, folds, analysis, is_pooled=is_pooled, known_propensity=known_propensity
    )
    bound = propensity_bound(replicates.treatment.shape[1])
    bounded = np.clip(fitted.propensity, bound, 1.0 - bound)
    clipped_share = (bounded != fitted.propensity).mean(axis=1)
    estimates = estimate_all(
        fitted.treatment, fitted.outcome, bounded, fitted.outcome_control, fitted.outcome_treated
    )
    return np.array([[*estimates[word], clipped_share] for word in DEFAULT_ESTIMATORS])
