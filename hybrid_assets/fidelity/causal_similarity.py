"""Treatment assignment and effects learnt from two tables, compared person by person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.nuisance.cross_fitting import propensity_bound
from hybrid_assets.nuisance.library import LEARNERS, ArmDesign


@dataclass(frozen=True, eq=False, repr=False)
class LearntEffects:
    """What one table teaches about a common set of people; arrays of shape (n,).

    Attributes
    ----------
    propensity : ndarray
        P(A = 1 | W) by logistic regression on the main effects.
    effects : dict of str to ndarray
        τ(W) by ``t``, ``s`` and ``dr`` learner.
    """

    propensity: np.ndarray
    effects: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class ArmTable:
    """A table's design matrix with its treatment and outcome.

    Attributes
    ----------
    main_effects, curves : ndarray, shape (n, p) and (n, q)
        Main effects, and main effects with spline columns.
    treatment, outcome : ndarray, shape (n,)
    is_binary : bool
        Whether the outcome is.
    """

    main_effects: np.ndarray
    curves: np.ndarray
    treatment: np.ndarray
    outcome: np.ndarray
    is_binary: bool


def learn_effects(table: ArmTable, main_effects: np.ndarray, curves: np.ndarray) -> LearntEffects:
    """Fit the propensity and three effect learners to `table`, predict them at other people.

    Learners of Künzel et al. 2019 (doi:10.1073/pnas.1804597116) and Kennedy
    2023 (doi:10.1214/23-EJS2157), on ridge regressions with splines, each
    fitted in-sample: T one regression per arm; S one with treatment as a column
    and its products; DR regresses the pseudo-outcome of AIPW on W.

    Parameters
    ----------
    table : ArmTable
    main_effects, curves : ndarray, shape (m, p) and (m, q)
        Of the people to predict for.
    """
    A, Y = table.treatment, table.outcome  # noqa: N806 - the field's names
    logistic, ridge = LEARNERS["linear"], LEARNERS["spline"]
    assignment = logistic.fit(table.main_effects, A, True)
    by_arm, pooled = ArmDesign(is_pooled=False), ArmDesign(is_pooled=True)
    t0, t1 = by_arm.fit(ridge, table.curves, A, Y, table.is_binary)
    single, _ = pooled.fit(ridge, table.curves, A, Y, table.is_binary)

    bound = propensity_bound(len(A))
    g = np.clip(assignment.predict(table.main_effects), bound, 1.0 - bound)
    q0, q1 = t0.predict(table.curves), t1.predict(table.curves)
    pseudo = q1 - q0 + A * (Y - q1) / g - (1.0 - A) * (Y - q0) / (1.0 - g)
    robust = ridge.fit(table.curves, pseudo, False)
    s0, s1 = (single.predict(pooled.matrix(curves, arm)) for arm in (0, 1))
    return LearntEffects(
        propensity=assignment.predict(main_effects),
        effects={
            "t": t1.predict(curves) - t0.predict(curves),
            "s": s1 - s0,
            "dr": robust.predict(curves),
        },
    )


def propensity_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """1 − mean Jensen–Shannon distance (base 2) of Bernoulli laws, in [0, 1]; 1 is best.

    The distance is the square root of the divergence, as the STEAM authors
    compute it (``src/metrics.py`` of github.com/harrya32/STEAM).

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        Propensities of the same people.
    """
    middle = 0.5 * (first + second)
    divergence = _entropy(middle) - 0.5 * (_entropy(first) + _entropy(second))
    return float(1.0 - np.sqrt(np.maximum(divergence, 0.0)).mean())


def effect_dissimilarity(first: LearntEffects, second: LearntEffects) -> float:
    """U_PEHE: root mean squared difference of the learnt effects, averaged over the learners.

    In units of the outcome; 0 is best (Amad et al. 2025, arXiv 2510.18768).
    """
    return float(
        np.mean(
            [
                np.sqrt(np.mean((first.effects[word] - second.effects[word]) ** 2))
                for word in first.effects
            ]
        )
    )


def _entropy(p: np.ndarray) -> np.ndarray:
    """Give −p log₂ p − (1 − p) log₂ (1 − p), 0 at both ends; shape (n,)."""
    from scipy.special import entr

    return np.asarray((entr(p) + entr(1.0 - p)) / np.log(2.0))
