"""How far an effect has moved from the seed's."""

from __future__ import annotations

import numpy as np

from hybrid_assets.errors import EvaluationError


def effect_drift(estimate: float, seed_estimate: float, seed_standard_error: float) -> float:
    """Distance between two estimates of an effect, in standard errors of the seed's.

    Raises
    ------
    EvaluationError
        If a number is not finite or the standard error is not positive.
    """
    numbers = np.array([estimate, seed_estimate, seed_standard_error])
    if not np.isfinite(numbers).all() or seed_standard_error <= 0:
        raise EvaluationError(
            "effect drift needs finite estimates and a positive standard error; got "
            f"{estimate}, {seed_estimate} and {seed_standard_error}"
        )
    return abs(estimate - seed_estimate) / seed_standard_error
