"""Ridge and unpenalised regressions whose score equations are checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hybrid_assets.errors import NotConverged

MAX_NEWTON_STEPS = 100
SCORE_TOLERANCE = 1e-8
_SEPARATED_LOGIT = 30.0

# eta (n,) -> loss per row, its first and its second derivative in eta
Loss = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """A fitted intercept and coefficients, on the logit scale for probabilities.

    Attributes
    ----------
    intercept : float
    coefficients : ndarray, shape (n_columns,)
    is_probability : bool
        Whether predictions pass through the logistic function.
    """

    intercept: float
    coefficients: np.ndarray
    is_probability: bool

    def predict(self, design: np.ndarray) -> np.ndarray:
        """Predict, shape (n,), for a design matrix of shape (n, n_columns)."""
        eta = self.intercept + design @ self.coefficients
        return expit(eta) if self.is_probability else eta

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers."""
        return {
            "type": "linear",
            "intercept": self.intercept,
            "coefficients": self.coefficients.tolist(),
            "is_probability": self.is_probability,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Restore what `to_json` gave."""
        coefficients = np.array(state["coefficients"], dtype=float)
        return cls(state["intercept"], coefficients, state["is_probability"])


def expit(eta: np.ndarray) -> np.ndarray:
    """Give 1 / (1 + exp(-eta)) without overflow, accurate in both tails."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -eta)))


def fit_constant(design: np.ndarray, target: np.ndarray, is_binary: bool) -> LinearPredictor:
    """Fit the mean, kept within (0, 1) for a binary target by half a case and half a control."""
    if is_binary:
        n_cases, n_rows = float(target.sum()), len(target)
        if n_cases in (0.0, float(n_rows)):
            n_cases, n_rows = n_cases + 0.5, n_rows + 1
        intercept = float(np.log(n_cases) - np.log(n_rows - n_cases))
    else:
        intercept = float(target.mean())
    return LinearPredictor(intercept, np.zeros(design.shape[1]), is_binary)


def fit_ridge(
    design: np.ndarray, target: np.ndarray, is_binary: bool, *, penalty: float
) -> LinearPredictor:
    """Fit a logistic (binary target) or linear regression with a free intercept.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Columns of comparable scale.
    target : ndarray, shape (n,)
        0 and 1 if `is_binary`.
    is_binary : bool
    penalty : float, >= 0
        Half of it times the squared coefficients is added to the summed loss
        (the negative log likelihood, or half the squared error).

    Raises
    ------
    NotConverged
        If a score equation is off by more than 1e-8 per row, or, without a
        penalty, the columns separate the two classes.
    """
    if not is_binary:
        return _fit_linear(design, target, penalty)
    start = fit_constant(design, target, True).intercept

    def loss(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p = expit(eta)
        return np.logaddexp(0.0, eta) - target * eta, p - target, p * (1.0 - p)

    intercept, coefficients = minimise_newton(design, loss, start=start, penalty=penalty)
    eta = intercept + design @ coefficients
    if penalty == 0.0 and np.abs(eta).max() > _SEPARATED_LOGIT:
        raise NotConverged(
            "unpenalised logistic regression: the covariates separate the two classes, so no "
            "finite coefficients exist; use penalised nuisance models"
        )
    return LinearPredictor(intercept, coefficients, True)


def _fit_linear(design: np.ndarray, target: np.ndarray, penalty: float) -> LinearPredictor:
    column_means, target_mean = design.mean(axis=0), float(target.mean())
    centred = design - column_means
    if penalty > 0.0:
        gram = centred.T @ centred + penalty * np.eye(design.shape[1])
        coefficients = np.linalg.solve(gram, centred.T @ (target - target_mean))
    else:
        coefficients = np.linalg.lstsq(centred, target - target_mean, rcond=None)[0]
    intercept = target_mean - float(column_means @ coefficients)
    residual = target - intercept - design @ coefficients
    score = centred.T @ residual - penalty * coefficients
    _require_solved(score, len(target), scale=float(target.std()) or 1.0)
    return LinearPredictor(intercept, coefficients, False)


def minimise_newton(
    design: np.ndarray, loss: Loss, *, start: float, penalty: float
) -> tuple[float, np.ndarray]:
    """Minimise a convex loss of a linear predictor plus a ridge, by damped Newton steps.

    Returns
    -------
    intercept : float
    coefficients : ndarray, shape (p,)

    Raises
    ------
    NotConverged
        If a score equation is off by more than 1e-8 per row at the end.
    """
    n_rows = len(design)
    x = np.column_stack([np.ones(n_rows), design])
    ridge = np.r_[0.0, np.full(design.shape[1], penalty)]
    beta = np.r_[start, np.zeros(design.shape[1])]
    losses, slope, curvature = loss(x @ beta)
    value = losses.sum() + 0.5 * ridge @ beta**2
    for _ in range(MAX_NEWTON_STEPS):
        score = x.T @ slope + ridge * beta
        if np.abs(score).max() <= 1e-3 * SCORE_TOLERANCE * n_rows:
            break
        hessian = (x * curvature[:, None]).T @ x + np.diag(ridge)
        step = _solve(hessian, score, is_singular_possible=penalty == 0.0)
        for halving in range(30):
            proposal = beta - step * 0.5**halving
            losses, slope, curvature = loss(x @ proposal)
            proposed = losses.sum() + 0.5 * ridge @ proposal**2
            if proposed <= value + 1e-12 * abs(value):
                break
        beta, value = proposal, proposed
    _require_solved(x.T @ slope + ridge * beta, n_rows, scale=1.0)
    return float(beta[0]), beta[1:]


def _solve(hessian: np.ndarray, score: np.ndarray, *, is_singular_possible: bool) -> np.ndarray:
    if is_singular_possible:
        return np.asarray(np.linalg.lstsq(hessian, score, rcond=None)[0])
    return np.linalg.solve(hessian, score)


def _require_solved(score: np.ndarray, n_rows: int, *, scale: float) -> None:
    worst = float(np.abs(score).max(initial=0.0)) / n_rows
    if not worst <= SCORE_TOLERANCE * scale:
        raise NotConverged(
            f"a regression's score equations are off by {worst:.2g} per row, "
            f"more than {SCORE_TOLERANCE * scale:.2g}"
        )
