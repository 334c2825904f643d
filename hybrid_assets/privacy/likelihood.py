"""Membership inference by whoever has the generator itself, not its rows alone."""

from __future__ import annotations

import numpy as np

from hybrid_assets.privacy.auc import auc
from hybrid_assets.privacy.measure import Attack, Limits, Measure, normal_measure
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy


def likelihood_membership(attacked: Attacked, target: str, policy: PrivacyPolicy) -> list[Measure]:
    """Tell members from unseen people by the log probability that the generator gives them.

    The loss attack of Yeom et al. 2018, doi:10.1109/CSF.2018.00027. Rows
    alone do not show this number: it bounds what they can tell, and says what
    a release of the generator's files would.

    Returns
    -------
    list of Measure
        The AUC with DeLong's interval; none where nobody is scored.
    """
    if attacked.log_prob is None:
        return []
    is_scored = ~np.isnan(attacked.log_prob)
    found = auc(attacked.log_prob[is_scored], attacked.is_member[is_scored])
    measure = normal_measure(
        Attack.MEMBERSHIP_LIKELIHOOD,
        target,
        "AUC",
        found=(found.value, found.standard_error, 0.5),
        limits=Limits(0.5, policy.membership_fail, policy.membership_pass),
    )
    return [measure]
