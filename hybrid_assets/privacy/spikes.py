"""Near-copies of a few people: too few for any average to show."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.neighbours import n_within
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.surroundings import Surroundings

SHRINKAGE, MIN_TOP, SMALLEST_CHANCE = 4.0, 10, 1e-3
N_COLUMN_SETS = 2  # W, and (W, A, Y): one policy limit for both
BEYOND_DOUBT = 1e-20  # repeated digits crowd rows more than a Poisson law allows


@dataclass(frozen=True, eq=False)
class Crowding:
    """Synthetic rows about each person.

    Attributes
    ----------
    n_near : ndarray of int64, shape (N,)
        Within a quarter of the distance to the fifth other person.
    expected : ndarray of float64, shape (N,)
        What the rows within the whole distance promise.
    log_tail : ndarray of float64, shape (N,)
        Log of the Poisson probability of so many or more.
    """

    n_near: np.ndarray
    expected: np.ndarray
    log_tail: np.ndarray


def crowding(around: Surroundings, workers: Executor | None = None) -> Crowding:
    """Count rows about people, and what all people's surroundings lead one to expect.

    Parameters
    ----------
    around : Surroundings
    workers : Executor, optional
        Count for blocks of many people; this process if None. The result is the same.
    """
    from scipy.stats import poisson

    reach = around.reach
    radii = [reach, reach / SHRINKAGE]
    all_rows, near = n_within(around.people, around.synthetic, radii, workers)
    alone = reach > 0  # where five others are alike there is no nearer
    share = (near[alone].sum() + 1.0) / (all_rows[alone].sum() + SHRINKAGE)
    expected = all_rows * share
    log_tail = np.where(alone, poisson.logsf(near - 1, expected), 0.0)
    return Crowding(near, expected, log_tail)


def spikes(
    attacked: Attacked,
    target: str,
    policy: PrivacyPolicy,
    around: Surroundings,
    workers: Executor | None = None,
) -> Measure:
    """Ask whether the most crowded people are members more often than chance allows."""
    return enrichment(crowding(around, workers), attacked.is_member, target, policy)


def enrichment(
    found: Crowding, is_member: np.ndarray, target: str, policy: PrivacyPolicy
) -> Measure:
    """Count members among the most crowded people.

    As many are looked at as it takes for "all are members" to be rare: ten
    where half of the people are members, more where most are. Where labels
    mean nothing the count is hypergeometric, whatever the crowding. The two
    column sets share the policy's significance (Bonferroni).

    Parameters
    ----------
    found : Crowding
    is_member : ndarray of bool, shape (N,)
    target : str
    policy : PrivacyPolicy
    """
    from scipy.stats import binomtest, hypergeom

    n_people, n = len(is_member), int(is_member.sum())
    n_top = max(MIN_TOP, int(np.ceil(np.log(SMALLEST_CHANCE) / np.log(n / n_people))))
    n_top = min(n_top, n_people)
    # members last among equals: a tie is broken in favour of the table
    top = np.lexsort((is_member, found.log_tail))[:n_top]
    n_top_members = int(is_member[top].sum())
    law = hypergeom(n_people, n, n_top)
    p_value = float(law.sf(n_top_members - 1))
    interval = binomtest(n_top_members, n_top).proportion_ci()
    return Measure(
        attack=Attack.SPIKES,
        target=target,
        statistic=f"members among the {n_top} most crowded people",
        value=float(n_top_members),
        reference=float(law.mean()),
        ci_low=n_top * float(interval.low),
        ci_high=n_top * float(interval.high),
        p_value=p_value,
        is_within_limit=p_value >= policy.significance and not _only_members(found, is_member),
        is_suspicious=True,
        own_significance=policy.spike_significance / N_COLUMN_SETS,
    )


def _only_members(found: Crowding, is_member: np.ndarray) -> bool:
    """Whether some members, and no others, are crowded beyond all doubt.

    Where most people are members, a few crowded ones cannot enrich any list.
    """
    is_crowded = found.log_tail < np.log(BEYOND_DOUBT)
    return bool(is_crowded.any() and not is_crowded[~is_member].any())
