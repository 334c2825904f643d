"""Simulation engine: which estimator to use, decided before the analysis."""

from hybrid_assets.benchmark.performance import (
    PERFORMANCE_COMMENTS,
    performance,
    recommendation,
)
from hybrid_assets.benchmark.population import DesignPopulation, HybridPopulation, Population
from hybrid_assets.benchmark.run import BenchmarkProgress, BenchmarkResult, run_benchmark
from hybrid_assets.benchmark.settings import BenchmarkSettings, Dials

__all__ = [
    "PERFORMANCE_COMMENTS",
    "BenchmarkProgress",
    "BenchmarkResult",
    "BenchmarkSettings",
    "DesignPopulation",
    "Dials",
    "HybridPopulation",
    "Population",
    "performance",
    "recommendation",
    "run_benchmark",
]
