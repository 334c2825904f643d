"""Arrays that every estimator takes."""

import numpy as np
import pytest


def draw_arrays(random_seed: int, n_rows: int = 60, *, continuous: bool = False):
    """Draw A, Y, g, Q0, Q1 with both arms, both outcomes and confounding present."""
    rng = np.random.default_rng(random_seed)
    w = rng.normal(size=n_rows)
    g = 0.1 + 0.8 / (1 + np.exp(-w))
    A = (rng.random(n_rows) < g).astype(float)
    A[:4] = [0, 1, 0, 1]
    if continuous:
        q0, q1 = w + rng.normal(size=n_rows) / 4, 2 + w + rng.normal(size=n_rows) / 4
        Y = w + 2 * A + rng.normal(size=n_rows)
    else:
        q0, q1 = (1 / (1 + np.exp(-(b + w))) for b in (-0.5, 0.5))
        Y = (rng.random(n_rows) < np.where(A == 1, q1, q0)).astype(float)
        Y[:4] = [0, 1, 1, 0]
    return A, Y, g, q0, q1


@pytest.fixture(scope="session")
def arrays():
    """Give the function that draws them."""
    return draw_arrays
