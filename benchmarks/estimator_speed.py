"""CPU seconds per replicate of the estimator benchmark, beside DoubleML IRM.

Same tables, same folds, same learner family and penalties, one thread. Ours
gives four estimators with standard errors, the peer one (AIPW). The two are
timed in turns, so that a busy machine slows both.
"""

import os
import platform
import time
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd

from hybrid_assets.benchmark import (
    BenchmarkSettings,
    DesignPopulation,
    Dials,
    plan_benchmark,
    run_benchmark,
)
from hybrid_assets.benchmark.blocks import analyse
from hybrid_assets.benchmark.estimates import estimate_all
from hybrid_assets.benchmark.folds import FoldLayout
from hybrid_assets.benchmark.nuisances import cross_fitted_nuisances
from hybrid_assets.benchmark.settings import Analysis
from hybrid_assets.benchmark.trees import N_BINS
from hybrid_assets.designs import DESIGNS
from hybrid_assets.nuisance import NuisanceSettings
from hybrid_assets.nuisance.boosting import LEARNING_RATE, MAX_DEPTH, MIN_ROWS_PER_LEAF, N_TREES

N_ROWS, N_FOLDS = 1000, 5
STACK = Analysis.of(NuisanceSettings())
ONE_LEARNER = {
    "logistic": Analysis(("linear",), ("linear",), N_FOLDS),
    "boosting": Analysis(("boosting",), ("boosting",), N_FOLDS),
}
POPULATION = DesignPopulation(DESIGNS["confounded_binary"])
N_OURS, N_PEER, N_TURNS = 50, {"logistic": 8, "boosting": 2, "boosting (LightGBM)": 4}, 5
BOUND = 0.01


def peer_learner(kind):
    """Give the peer's learner with our hyper-parameters."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if kind == "logistic":
        return LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=200)
    if kind == "boosting":
        return HistGradientBoostingClassifier(
            max_iter=N_TREES,
            max_depth=MAX_DEPTH,
            min_samples_leaf=MIN_ROWS_PER_LEAF,
            learning_rate=LEARNING_RATE,
            max_bins=N_BINS,
            early_stopping=False,
            random_state=0,
        )
    return LGBMClassifier(
        n_estimators=N_TREES,
        max_depth=MAX_DEPTH,
        num_leaves=2**MAX_DEPTH,
        min_child_samples=MIN_ROWS_PER_LEAF,
        learning_rate=LEARNING_RATE,
        max_bin=N_BINS,
        n_jobs=1,
        verbose=-1,
    )


def peer_estimate(effects, treatment, outcome, fold_ids, kind):
    """Estimate one replicate with DoubleML: estimate and standard error."""
    import doubleml

    standardised = (effects - effects.mean(axis=0)) / effects.std(axis=0)
    data = doubleml.DoubleMLData.from_arrays(standardised, outcome, treatment)
    learner = peer_learner(kind)
    model = doubleml.DoubleMLIRM(
        data,
        learner,
        learner,
        n_folds=N_FOLDS,
        draw_sample_splitting=False,
        ps_processor_config=doubleml.utils.PSProcessorConfig(clipping_threshold=BOUND),
    )
    everyone = np.arange(len(outcome))
    model.set_sample_splitting(
        [[(everyone[fold_ids != k], everyone[fold_ids == k]) for k in range(N_FOLDS)]]
    )
    model.fit()
    return float(model.coef[0]), float(model.se[0])


def our_estimates(replicates, folds, library):
    """Estimate all replicates with given folds and the peer's bound."""
    fitted = cross_fitted_nuisances(replicates, folds, ONE_LEARNER[library], is_pooled=False)
    g = np.clip(fitted.propensity, BOUND, 1 - BOUND)
    q = fitted.outcome_control, fitted.outcome_treated
    return estimate_all(fitted.treatment, fitted.outcome, g, *q)


def cpu_seconds(work):
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def against_peer(kind):
    """Time ours and the peer in turns on the same tables and folds."""
    library = kind.split()[0]
    rng = np.random.default_rng(7)
    ours, peers, differences = [], [], []
    for turn in range(-1, N_TURNS):  # turn -1 warms both up
        replicates = POPULATION.draw(N_OURS, N_ROWS, rng)
        folds = FoldLayout.draw(2 * replicates.treatment + replicates.outcome, N_FOLDS, rng)
        seconds, found = cpu_seconds(lambda r=replicates, f=folds: our_estimates(r, f, library))
        fold_ids = folds.fold_ids
        n_peer = N_PEER[kind]
        peer_seconds, peer_found = cpu_seconds(
            lambda r=replicates, f=fold_ids, n=n_peer: [
                peer_estimate(r.effects[k], r.treatment[k], r.outcome[k], f[k], kind)
                for k in range(n)
            ]
        )
        if turn >= 0:
            ours.append(seconds / N_OURS)
            peers.append(peer_seconds / n_peer)
            differences += [found["aipw"][0][k] - peer_found[k][0] for k in range(n_peer)]
    return {
        "nuisances": kind,
        "ours, CPU ms": 1e3 * np.median(ours),
        "DoubleML, CPU ms": 1e3 * np.median(peers),
        "times faster": np.median(np.array(peers) / np.array(ours)),
        "range over turns": "{:.1f} to {:.1f}".format(
            *np.sort(np.array(peers) / np.array(ours))[[0, -1]]
        ),
        "largest AIPW difference": np.abs(differences).max(),
        "mean AIPW difference": np.mean(differences),
        "its MC error": np.std(differences, ddof=1) / np.sqrt(len(differences)),
    }


def cost():
    """Time the default stack for R up to 1000, and both libraries for n up to 100 000."""
    print("\n## Default stack, n = 1000, K = 5, one process\n")
    counts, used = (250, 500, 1000), []
    for n_replicates in counts:
        settings = BenchmarkSettings(
            n_replicates=n_replicates, sample_sizes=(N_ROWS,), dials=(Dials(),)
        )
        plan = plan_benchmark(POPULATION, settings, np.random.default_rng(1))
        used.append(cpu_seconds(lambda p=plan: run_benchmark(p))[0])
        print(f"R = {n_replicates}: {used[-1]:.1f} CPU s")
    print(f"exponent in R {np.polyfit(np.log(counts), np.log(used), 1)[0]:.2f}")
    print("\n## CPU s per replicate by rows\n")
    for name, analysis in {"logistic": ONE_LEARNER["logistic"], "stack": STACK}.items():
        sizes, seconds = (1000, 10_000, 100_000), []
        for n_rows in sizes:
            rng = np.random.default_rng(3)
            replicates = POPULATION.draw(max(1, 20_000 // n_rows), n_rows, rng)
            used, _ = cpu_seconds(lambda r=replicates, w=analysis, g=rng: analyse(r, w, g))
            seconds.append(used / len(replicates.treatment))
        slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        figures = ", ".join(f"{n:,}: {s:.4f}" for n, s in zip(sizes, seconds, strict=True))
        print(f"{name}: {figures}; exponent in n {slope:.2f}")


def main():
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("one thread only: run it as python -m benchmarks estimator_speed")
    warnings.simplefilter("ignore")
    names = ("numpy", "scipy", "scikit-learn", "doubleml", "lightgbm")
    print(f"Python {platform.python_version()}, " + ", ".join(f"{n} {version(n)}" for n in names))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; n = {N_ROWS}, K = {N_FOLDS}\n")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        table = pd.DataFrame([against_peer(kind) for kind in N_PEER])
    print(table.T.to_string(header=False, float_format=lambda value: f"{value:.3g}"))
    cost()


if __name__ == "__main__":
    main()
