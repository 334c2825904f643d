"""What the widened interval is worth, measured where the true effect is known."""

from __future__ import annotations

from hybrid_assets.release.table_effects import MeasuredCoverage

N_PEOPLE, N_TRIALS = 1000, 713
# benchmarks/interval_coverage.py: trials whose interval held the truth, as they are and widened
HITS = {
    1000: (577, 670),
    6000: (371, 673),
    50_000: (144, 672),
}


def _error(share: float) -> float:
    return float((share * (1.0 - share) / N_TRIALS) ** 0.5)


MEASURED_COVERAGE = tuple(
    MeasuredCoverage(
        n_rows=n_rows,
        n_people=N_PEOPLE,
        n_trials=N_TRIALS,
        naive=naive / N_TRIALS,
        naive_error=_error(naive / N_TRIALS),
        widened=widened / N_TRIALS,
        widened_error=_error(widened / N_TRIALS),
    )
    for n_rows, (naive, widened) in HITS.items()
)
