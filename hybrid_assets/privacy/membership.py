"""Membership inference: who was in training."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from hybrid_assets.privacy.auc import auc
from hybrid_assets.privacy.measure import Attack, Limits, Measure, normal_measure
from hybrid_assets.privacy.neighbours import k_nearest
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.surroundings import N_NEIGHBOURS, Surroundings


def membership(
    attacked: Attacked,
    target: str,
    policy: PrivacyPolicy,
    around: Surroundings,
    workers: Executor | None = None,
) -> list[Measure]:
    """Attack by distance, by density ratio, and the most exposed few by either.

    Distance: minus that to the closest synthetic row. Density ratio: how much
    nearer the fifth synthetic row is than the fifth other person, as DOMIAS
    compares the synthetic law to the population's (van Breugel et al. 2023,
    arXiv 2302.12580), with nearest-neighbour densities.
    """
    to_synthetic, _ = k_nearest(around.people, around.synthetic, N_NEIGHBOURS, workers)
    least = 1e-6 * float(np.median(around.reach)) + 1e-300
    scores = {
        Attack.MEMBERSHIP_DISTANCE: -to_synthetic[:, 0],
        Attack.MEMBERSHIP_DENSITY: np.log(around.reach + least)
        - np.log(to_synthetic[:, -1] + least),
    }
    measures = [auc_measure(attack, target, s, attacked, policy) for attack, s in scores.items()]
    worst = scores[Attack.MEMBERSHIP_DENSITY]
    return [*measures, tail_measure(target, worst, attacked.is_member, policy)]


def auc_measure(
    attack: Attack, target: str, scores: np.ndarray, attacked: Attacked, policy: PrivacyPolicy
) -> Measure:
    """Judge a membership score of shape (N,) by its AUC."""
    found = auc(scores, attacked.is_member)
    return normal_measure(
        attack,
        target,
        "AUC",
        found=(found.value, found.standard_error, 0.5),
        limits=Limits(0.5, policy.membership_fail, policy.membership_pass),
    )


def tail_measure(
    target: str, scores: np.ndarray, is_member: np.ndarray, policy: PrivacyPolicy
) -> Measure:
    """Give the true-positive rate where few non-members are accused.

    If labels mean nothing, the number of members above the k-th highest
    non-member is negative hypergeometric: the exact law of permuting labels.
    The interval is Clopper and Pearson's at the threshold found. A tie is
    broken in the non-member's favour.
    """
    from scipy.stats import binomtest, hypergeom

    n, m = int(is_member.sum()), int((~is_member).sum())
    k = int(policy.tail_rate * m) + 1
    threshold = np.partition(scores[~is_member], m - k)[m - k]
    n_accused = int((scores[is_member] > threshold).sum())
    interval = binomtest(n_accused, n).proportion_ci()
    return Measure(
        attack=Attack.MEMBERSHIP_TAIL,
        target=target,
        statistic="true-positive rate",
        value=n_accused / n,
        reference=(k - 1) / m,
        ci_low=float(interval.low),
        ci_high=float(interval.high),
        p_value=float(hypergeom.cdf(k - 1, n + m, m, n_accused + k - 1)) if n_accused else 1.0,
        is_within_limit=bool(interval.high <= policy.tail_pass),
        is_suspicious=bool(interval.low > policy.tail_rate),
    )
