"""Simulation engine: which estimator to use, decided before the analysis."""

from hybrid_assets.benchmark.design_population import DesignPopulation
from hybrid_assets.benchmark.performance import PERFORMANCE_COMMENTS, performance
from hybrid_assets.benchmark.plan import BenchmarkPlan, plan_benchmark
from hybrid_assets.benchmark.population import HybridPopulation, Population
from hybrid_assets.benchmark.published import PUBLISHED_PROTOCOL
from hybrid_assets.benchmark.recommendation import Recommendation, recommend
from hybrid_assets.benchmark.run import BenchmarkProgress, BenchmarkResult, run_benchmark
from hybrid_assets.benchmark.settings import Analysis, BenchmarkSettings, Dials

__all__ = [
    "PERFORMANCE_COMMENTS",
    "PUBLISHED_PROTOCOL",
    "Analysis",
    "BenchmarkPlan",
    "BenchmarkProgress",
    "BenchmarkResult",
    "BenchmarkSettings",
    "DesignPopulation",
    "Dials",
    "HybridPopulation",
    "Population",
    "Recommendation",
    "performance",
    "plan_benchmark",
    "recommend",
    "run_benchmark",
]
