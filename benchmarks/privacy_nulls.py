"""How often the spike attack and the DCR share accuse tables that know nobody.

    python -m benchmarks privacy_nulls

Paper 1's trial, two decimals. Spikes: who is a member is drawn anew 100 times
for each of 100 tables of strangers; both column sets are attacked. DCR share:
200 tables of strangers for each size of the holdout.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.privacy_power import schema
from hybrid_assets.designs import DESIGNS
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.spikes import crowding, enrichment
from hybrid_assets.privacy.surroundings import Surroundings

N_TABLES, N_LABELS, N_SHARES, N_ROWS = 100, 100, 200, 3000
SPLITS = [(300, 300), (400, 200)]
HOLDOUTS = [100, 300, 900]


def spike_rates(n: int, m: int) -> tuple[float, float, float]:
    """Give the share of null tables that fail, its Monte-Carlo error, and the share reviewed."""
    layout, policy, n_people = schema(), PrivacyPolicy(), n + m
    failed, reviewed = np.zeros((2, N_TABLES, N_LABELS), dtype=bool)
    for table in range(N_TABLES):
        rng = np.random.default_rng([table, n, m])
        people, rows = (
            layout.rounded(DESIGNS["paper1_trial"](size, int(rng.integers(2**31))))
            for size in (n_people, N_ROWS)
        )
        attacked = Attacked.of(rows, people.iloc[:n], people.iloc[n:], layout)
        found = [
            crowding(Surroundings.of(*seen.encoded())) for seen in (attacked.covariates, attacked)
        ]
        for label in range(N_LABELS):
            is_member = rng.permutation(n_people) < n
            measures = [enrichment(one, is_member, "", policy) for one in found]
            failed[table, label] = any(e.p_value < e.own_significance for e in measures)
            reviewed[table, label] = not all(e.is_within_limit for e in measures)
    of_tables = failed.mean(axis=1)
    return of_tables.mean(), of_tables.std(ddof=1) / N_TABLES**0.5, reviewed.mean()


def share_rates(n: int, m: int) -> tuple[float, float]:
    """Give the shares of null tables with \\|z\\| above 1.96, and above the policy's limit."""
    layout, draw, z = schema(), DESIGNS["paper1_trial"], []
    for table in range(N_SHARES):
        rng = np.random.default_rng([table, n, m])
        rows, train, holdout = (
            layout.rounded(draw(size, int(rng.integers(2**31)))) for size in (N_ROWS, n, m)
        )
        z.append(abs(evaluate_dcr(rows, train, holdout, layout.covariates).share.z))
    return np.mean(np.array(z) > 1.959964), np.mean(np.array(z) > PrivacyPolicy().max_dcr_share_z)


def main() -> None:
    """Print one row for each split."""
    started = time.process_time()
    print("| near-copies of a few people | FAIL (MC error) | REVIEW or FAIL |\n|---|---|---|")
    for n, m in SPLITS:
        rate, error, review = spike_rates(n, m)
        print(f"| {n} members + {m} others | {rate:.5f} ({error:.5f}) | {review:.4f} |", flush=True)
    print("| DCR share | beyond 1.96 (MC error) | REVIEW |\n|---|---|---|")
    for m in HOLDOUTS:
        rate, review = share_rates(300, m)
        error = (rate * (1 - rate) / N_SHARES) ** 0.5
        print(f"| 300 + {m} | {rate:.3f} ({error:.3f}) | {review:.3f} |", flush=True)
    print(f"CPU s: {time.process_time() - started:.0f}")


if __name__ == "__main__":
    main()
