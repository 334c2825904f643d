"""KL on tables whose every row can be written out."""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from hybrid_assets.designs import paper1_trial_log_prob
from hybrid_assets.fidelity.divergence import divergence_from_design

CELLS = pd.DataFrame(list(product([0, 1], [0, 1, 2])), columns=["a", "c"])
P = np.array([0.3, 0.05, 0.1, 0.2, 0.25, 0.1])
Q = np.array([0.1, 0.2, 0.2, 0.1, 0.3, 0.05])  # the rest of its mass is on invalid rows


@dataclass
class Known:
    """A generator whose law is written down."""

    law: np.ndarray

    def log_prob(self, table, rng):
        return pd.DataFrame({"covariate": log_of(table, self.law)})


def log_of(table, law):
    return np.log(law[(3 * table["a"] + table["c"]).to_numpy()])


def test_rows_in_proportion_give_the_sum_over_all_cells():
    rows = CELLS.loc[CELLS.index.repeat((P * 100).round().astype(int))].reset_index(drop=True)
    found = divergence_from_design(Known(Q), rows, partial(log_of, law=P), np.random.default_rng(1))
    assert found.value == pytest.approx(np.sum(P * np.log(P / Q)), rel=1e-12)
    assert found.value == pytest.approx(entropy(P, Q / Q.sum()) - np.log(Q.sum()), rel=1e-12)
    assert found.n_rows == 100
    itself = divergence_from_design(
        Known(P), rows, partial(log_of, law=P), np.random.default_rng(1)
    )
    assert (itself.value, itself.standard_error) == (0.0, 0.0)


def test_fresh_rows_estimate_it_with_their_monte_carlo_error():
    rng = np.random.default_rng(2)
    wanted = np.sum(P * np.log(P / Q))
    found = []
    for _ in range(300):
        rows = CELLS.iloc[rng.choice(6, 200, p=P)].reset_index(drop=True)
        found.append(divergence_from_design(Known(Q), rows, partial(log_of, law=P), rng))
    values = np.array([f.value for f in found])
    assert values.mean() == pytest.approx(wanted, abs=4 * values.std() / np.sqrt(300))
    assert np.mean([f.standard_error for f in found]) == pytest.approx(values.std(), rel=0.15)


def test_the_cells_of_paper_1s_trial_have_probabilities_that_add_up():
    grid = np.arange(-5.0, 6.0)
    binary = list(product([0, 1], repeat=5))
    numbers = np.array(list(product(grid, repeat=2)))
    total = 0.0
    for w1, w2, w3, a, y in binary:
        table = pd.DataFrame(numbers, columns=["W4", "W5"]).assign(W1=w1, W2=w2, W3=w3, A=a, Y=y)
        for w6 in np.arange(-12.0, 13.0):
            total += np.exp(paper1_trial_log_prob(table.assign(W6=w6), decimals=0)).sum()
    assert total == pytest.approx(1, abs=1e-6)
