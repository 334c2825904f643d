"""Whether synthetic points lie where people are (α-precision) and reach all (β-recall)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.errors import EvaluationError

N_LEVELS = 30


@dataclass(frozen=True)
class SampleCoverage:
    """Two scores of at most 1; 1 is best.

    Attributes
    ----------
    alpha_precision : float
        1 less the mean gap between α and the share of synthetic points within
        the ball that holds the share α of real ones.
    beta_recall : float
        1 less the mean gap between β and the share of real points that have a
        synthetic point of the central share β at least as close as another
        real point. Fresh people reach about .5, as half of them lie farther
        away than the next real point; copies reach 1.
    """

    alpha_precision: float
    beta_recall: float


def sample_coverage(synthetic: np.ndarray, real: np.ndarray) -> SampleCoverage:
    """Score encoded rows against as many real ones.

    As synthcity computes it on raw columns ("naive"): balls around the mean,
    30 levels from 0 to 1, gaps divided by the sum of the levels. Its other
    version, which the STEAM paper reports, first trains a one-class network
    whose random embedding decides the score; that is left out. Memory is two
    matrices (n, n).

    Parameters
    ----------
    synthetic, real : ndarray, shape (n, p)
        As many of each, in units in which distances make sense.

    Raises
    ------
    EvaluationError
        If the numbers of rows differ or are below 2.

    References
    ----------
    Alaa, van Breugel, Saveliev and van der Schaar 2022, arXiv 2102.08921;
    synthcity 0.2, ``metrics/eval_statistical.py``, class AlphaPrecision.
    """
    from scipy.spatial.distance import cdist

    if len(synthetic) != len(real) or len(real) < 2:
        raise EvaluationError(
            "α-precision needs as many synthetic points as real ones, at least 2; got "
            f"{len(synthetic)} and {len(real)}"
        )
    levels = np.linspace(0.0, 1.0, N_LEVELS)
    radii = np.quantile(_from(real, real.mean(axis=0)), levels)
    inside = _from(synthetic, real.mean(axis=0))[None, :] <= radii[:, None]

    to_synthetic = cdist(real, synthetic)
    nearest = to_synthetic.argmin(axis=1)
    among_real = cdist(real, real)
    np.fill_diagonal(among_real, np.inf)
    is_reached = to_synthetic.min(axis=1) <= among_real.min(axis=1)
    depth = _from(synthetic[nearest], synthetic.mean(axis=0))
    reached = is_reached & (depth[None, :] <= np.quantile(depth, levels)[:, None])
    return SampleCoverage(_score(levels, inside), _score(levels, reached))


def _from(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(((points - centre) ** 2).sum(axis=1)))


def _score(levels: np.ndarray, flags: np.ndarray) -> float:
    """1 − Σ |level − share| / Σ level, for flags of shape (n_levels, n)."""
    return float(1.0 - np.abs(levels - flags.mean(axis=1)).sum() / levels.sum())
