"""Which estimator to use: simulated on the study's own hybrid population."""

import time

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.display import small_table
from dagster_project.earlier_settings import earlier_settings
from dagster_project.hybrid_recipe import generating_models, hybrid_settings
from dagster_project.private_branch import made_with
from dagster_project.synthetic_tables import sampled_pool
from dagster_project.workers import workers
from hybrid_assets.benchmark import (
    PERFORMANCE_COMMENTS,
    BenchmarkPlan,
    BenchmarkProgress,
    HybridPopulation,
    Recommendation,
    plan_benchmark,
    run_benchmark,
)
from hybrid_assets.effects import seed_tmle
from hybrid_assets.report.benchmark_figure import learning_curves_plot
from warehouse import UnfinishedParts

RECOMMENDATIONS = TypeAdapter(tuple[Recommendation, ...])
SECONDS_BETWEEN_OBSERVATIONS = 2.0
SHOWN = ["scenario", "n_rows", "estimator", "n_replicates", "n_failed", "true_effect"]
SHOWN += [
    f"{figure}{ending}"
    for figure in ("bias", "rmse", "coverage", "power", "type_1_error")
    for ending in ("", "_error")
]


def benchmark_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare a generator's ``estimator_benchmark``; the published recipe has none.

    Its forests predict the rows they were grown on, which the engine does not simulate.
    """
    if make.study.recipe == "published":
        return []
    covariates = f"{generator}/synthetic_covariates"
    behind = made_with(make.study, generator)

    @make.asset(
        f"{generator}/estimator_benchmark",
        deps=[*dict.fromkeys([covariates, *behind, "seed_estimates", "splits"])],
        kinds={"duckdb"},
        privacy="derived",
        job="simulate",
        hands_out=True,
    )
    def estimator_benchmark(run: AssetRun) -> AssetResult:
        """Estimators on fresh tables whose effect is known: bias, error, coverage, power."""
        plan = _plan(run, covariates)
        parts = run.unfinished_parts()
        with workers(hands_out=True) as pool:
            result = run_benchmark(
                plan,
                finished=parts.read(),
                progress=BenchmarkObserver(run, parts),
                workers=pool,
            )
        recorded = run.record_table(
            result.performance,
            files={"recommendations.json": RECOMMENDATIONS.dump_json(result.recommendations)},
            drawn=_picture(result.performance),
            comments=PERFORMANCE_COMMENTS,
            metadata={
                "recommendation": result.recommendations[-1].sentence,
                "by_sample_size": "\n".join(each.sentence for each in result.recommendations),
                "performance": small_table(result.performance[SHOWN]),
                **sampled_pool(run, covariates),
                **earlier_settings(run),
            },
        )
        parts.remove()
        return recorded

    return [estimator_benchmark]


def _plan(run: AssetRun, covariates: str) -> BenchmarkPlan:
    schema = run.schema()
    population = HybridPopulation.from_models(
        run.sample(covariates, schema.covariates),
        generating_models(run, schema),
        hybrid_settings(run.study),
    )
    return plan_benchmark(
        population,
        run.study.benchmark,
        run.rng,
        nuisance=run.study.nuisance,
        n_seed=int(seed_tmle(run.table("seed_estimates"))["n_rows"]),
    )


def _picture(performance: pd.DataFrame) -> bytes | None:
    is_first = performance["scenario"] == performance["scenario"].iloc[0]
    is_analysed = bool(performance.loc[is_first, "rmse"].notna().any())
    return learning_curves_plot(performance) if is_analysed else None


class BenchmarkObserver:
    """Keeps each finished block, and tells now and then how far the benchmark is."""

    def __init__(self, run: AssetRun, parts: UnfinishedParts) -> None:
        self._run, self._parts = run, parts
        self._started = self._told = time.monotonic()
        self._n_kept: int | None = None

    def __call__(self, progress: BenchmarkProgress) -> None:
        """Keep the block's replicates."""
        self._parts.keep(progress.block.key, progress.replicates)
        if self._n_kept is None:
            self._n_kept = progress.n_done - 1
        now = time.monotonic()
        is_last = progress.n_done == progress.n_blocks
        if now - self._told < SECONDS_BETWEEN_OBSERVATIONS and not is_last:
            return
        self._told = now
        pace = (now - self._started) / (progress.n_done - self._n_kept)
        self._run.observe(
            {
                "share_done": round(progress.n_done / progress.n_blocks, 4),
                "blocks": f"{progress.n_done} of {progress.n_blocks}",
                "scenario": progress.block.scenario,
                "n_rows": progress.block.n_rows,
                "seconds_left": round(pace * (progress.n_blocks - progress.n_done), 1),
            }
        )
