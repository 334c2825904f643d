"""What the widened interval is worth, measured where the true effect is known."""

from __future__ import annotations

from hybrid_assets.release.table_effects import MeasuredCoverage

N_TRIALS = 1000
SHARES = {1000: (0.83, 0.95), 6000: (0.52, 0.97), 50_000: (0.15, 0.98)}
MEASURED_COVERAGE = tuple(
    MeasuredCoverage(
        n_rows=n_rows,
        n_people=1000,
        n_trials=N_TRIALS,
        naive=naive,
        naive_error=(naive * (1 - naive) / N_TRIALS) ** 0.5,
        widened=widened,
        widened_error=(widened * (1 - widened) / N_TRIALS) ** 0.5,
    )
    for n_rows, (naive, widened) in SHARES.items()
)
