"""How rows are split among moves, by the multinomial law of each beginning."""

import numpy as np
import pytest
from scipy.stats import chisquare

from hybrid_assets.language.splits import MANY, MaskedCounts, ThinnedCounts

SHARES = np.array([0.1, 0.0, 0.25, 0.4])


@pytest.mark.parametrize("mass", [1.0, 1e-14, 1e-30])
@pytest.mark.parametrize("n_rows", [MANY * 4, 20_000])  # row by row, and all at once
def test_masked_rows_are_never_lost_beside_other_beginnings(mass, n_rows):
    split, found = MaskedCounts(np.random.default_rng(1)), np.zeros(4)
    valid = np.concatenate([np.full(1_400, 0.5), mass * SHARES, np.full(200, 0.5)])
    begin = np.array([*range(0, 1_400, 2), 1_400, *range(1_404, 1_604, 2)])
    counts = np.ones(len(begin), dtype=int)
    counts[700] = n_rows
    for _ in range(40):
        drawn = split(counts, valid, begin)
        assert np.add.reduceat(drawn, begin).tolist() == counts.tolist()
        found += drawn[1_400:1_404]
    assert found[1] == 0
    expected = 40 * n_rows * SHARES / SHARES.sum()
    assert chisquare(found[SHARES > 0], expected[SHARES > 0]).pvalue > 1e-3


@pytest.mark.parametrize("n_rows", [MANY * 4, 20_000])
def test_thinned_rows_are_lost_by_what_is_not_valid(n_rows):
    split, found = ThinnedCounts(np.random.default_rng(2)), np.zeros(5)
    for _ in range(40):
        drawn = split(np.array([5, n_rows]), np.concatenate([[1.0], SHARES]), np.array([0, 1]))
        assert drawn[0] == 5
        found += [*drawn[1:], n_rows - drawn[1:].sum()]
    expected = 40 * n_rows * np.append(SHARES, 1 - SHARES.sum())
    assert found[1] == 0
    assert chisquare(found[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_rows_that_no_float_allows_go_anywhere_when_masked():
    drawn = MaskedCounts(np.random.default_rng(3))(np.array([90]), np.zeros(2), np.array([0]))
    assert drawn.sum() == 90
    assert drawn.min() > 20
