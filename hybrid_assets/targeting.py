"""Calibration: the outcome model's arm means are moved to the seed's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hybrid_assets.blocks import BLOCK_ROWS, mean_of
from hybrid_assets.errors import EstimationError, NotConverged

LARGE_LOGIT_SHIFT = 0.15
RELATIVE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Calibration:
    """One shift per arm of an outcome model over a pool of synthetic covariates.

    Attributes
    ----------
    is_binary : bool
        Shifts are on the logit scale if true, in outcome units otherwise.
    shift_control, shift_treated : float
        A large one (beyond .15 on the logit scale) means that the covariate
        law or the outcome model is poor.
    target_control, target_treated : float
        Arm means that the calibrated outcome model has over the pool.
    uncalibrated_control, uncalibrated_treated : float
        Arm means it had before.
    lowest, highest : float
        Means stay in this range (0 and 1 for a binary outcome).
    """

    is_binary: bool
    shift_control: float
    shift_treated: float
    target_control: float
    target_treated: float
    uncalibrated_control: float
    uncalibrated_treated: float
    lowest: float
    highest: float

    @property
    def uncalibrated_ate(self) -> float:
        """Effect that the outcome model gave over the pool before calibration."""
        return self.uncalibrated_treated - self.uncalibrated_control

    @property
    def target_ate(self) -> float:
        """Effect over the pool after calibration."""
        return self.target_treated - self.target_control

    def apply(self, means: np.ndarray, arm: int) -> np.ndarray:
        """Shift outcome means of one arm (0 or 1), shape (n,)."""
        shift = self.shift_treated if arm == 1 else self.shift_control
        return _shifted(means, shift, self.is_binary, (self.lowest, self.highest))


def calibrate(
    means_control: np.ndarray,
    means_treated: np.ndarray,
    *,
    target_control: float,
    target_treated: float,
    limits: tuple[float, float] | None = None,
) -> Calibration:
    """Solve for the shift of each arm that gives the target arm mean.

    Parameters
    ----------
    means_control, means_treated : ndarray, shape (n,)
        Q_a(W) over the pool: probabilities for a binary outcome.
    target_control, target_treated : float
        The seed's TMLE arm means.
    limits : tuple of float, optional
        Range of a continuous outcome, whose means are shifted additively and
        kept inside; None for a binary one, shifted on the logit scale.

    Returns
    -------
    Calibration
        Its arm means equal the targets to 1e-12 of the outcome's range.

    Raises
    ------
    EstimationError
        If a target lies outside the outcome's range.
    NotConverged
        If a root is not found to that precision.

    References
    ----------
    van der Laan and Rubin 2006, doi:10.2202/1557-4679.1043 (targeting);
    the shift preserves the seed's estimate, not the truth.
    """
    is_binary = limits is None
    bounds = (0.0, 1.0) if limits is None else limits
    shift_control = _solve_shift(means_control, target_control, is_binary, bounds)
    shift_treated = _solve_shift(means_treated, target_treated, is_binary, bounds)
    return Calibration(
        is_binary=is_binary,
        shift_control=shift_control,
        shift_treated=shift_treated,
        target_control=target_control,
        target_treated=target_treated,
        uncalibrated_control=mean_of(_in_blocks(means_control)),
        uncalibrated_treated=mean_of(_in_blocks(means_treated)),
        lowest=bounds[0],
        highest=bounds[1],
    )


def _solve_shift(
    means: np.ndarray, target: float, is_binary: bool, bounds: tuple[float, float]
) -> float:
    from scipy.optimize import brentq

    lowest, highest = bounds
    if not lowest < target < highest:
        raise EstimationError(
            "an arm mean to calibrate to lies outside the outcome's range; "
            "the seed's estimate is not usable"
        )

    def excess(shift: float) -> float:
        moved = (_shifted(some, shift, is_binary, bounds) for some in _in_blocks(means))
        return mean_of(moved) - target

    reach = 1.0 if is_binary else 2.0 * (highest - lowest)
    while excess(-reach) * excess(reach) > 0.0 and reach < 1e6 * (highest - lowest):
        reach *= 2.0
    if excess(-reach) * excess(reach) > 0.0:
        raise NotConverged("calibration: no shift gives an arm the target mean")
    shift = float(brentq(excess, -reach, reach, xtol=1e-300, rtol=1e-15, maxiter=500))
    if abs(excess(shift)) > RELATIVE_TOLERANCE * (highest - lowest):
        raise NotConverged(f"calibration: an arm mean is off by {abs(excess(shift)):.2g}")
    return shift


def _in_blocks(means: np.ndarray) -> Iterator[np.ndarray]:
    """Cut an array, so that no shift of all of it is in memory."""
    return (means[first : first + BLOCK_ROWS] for first in range(0, len(means), BLOCK_ROWS))


def _shifted(
    means: np.ndarray, shift: float, is_binary: bool, bounds: tuple[float, float]
) -> np.ndarray:
    from scipy.special import expit, logit

    if is_binary:
        return np.asarray(expit(logit(means) + shift))
    return np.clip(means + shift, *bounds)
