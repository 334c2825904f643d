"""How far a generator's law is from a design that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.generators.base import ScoresRows


@dataclass(frozen=True)
class Divergence:
    """An estimate of KL(design || generator).

    Attributes
    ----------
    value : float
        Nats per row; 0 for the design itself. May be below 0 by chance.
    standard_error : float
        Monte-Carlo error over the rows.
    n_rows : int
    """

    value: float
    standard_error: float
    n_rows: int


def divergence_from_design(
    generator: ScoresRows,
    fresh: pd.DataFrame,
    design_log_prob: Callable[[pd.DataFrame], np.ndarray],
    rng: np.random.Generator,
) -> Divergence:
    """Estimate KL(design || generator) = E[log p(row) - log q(row)] on the design's own rows.

    Kullback and Leibler 1951, doi:10.1214/aoms/1177729694. What the generator
    gives to invalid rows counts against it. Where it averages logs over column
    orders, the estimate is of the mean divergence of the orders, which is no
    less than that of their mixture (Jensen).

    Parameters
    ----------
    generator : ScoresRows
        Fitted.
    fresh : DataFrame of shape (n, p)
        Canonical rows of the design that the generator has not seen, rounded
        to the declared decimals.
    design_log_prob : callable
        Gives log p of such rows, shape (n,): of the cell that a rounded number
        stands for.
    rng : Generator
        For the generator's column orders.
    """
    modelled = generator.log_prob(fresh, rng).sum(axis=1).to_numpy()
    gap = design_log_prob(fresh) - modelled
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    return Divergence(float(gap.mean()), float(error), len(gap))
