"""Against a plain rewrite with scikit-learn's neighbours, as synthcity counts them."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from hybrid_assets.errors import EvaluationError
from hybrid_assets.fidelity.sample_coverage import sample_coverage


def by_counting(synthetic, real):
    n = len(real)
    levels = [k / 29 for k in range(30)]
    centre, made_centre = real.mean(axis=0), synthetic.mean(axis=0)
    spread = [np.linalg.norm(row - centre) for row in real]
    between = NearestNeighbors(n_neighbors=2).fit(real).kneighbors(real)[0][:, 1]
    gaps, nearest = NearestNeighbors(n_neighbors=1).fit(synthetic).kneighbors(real)
    depth = [np.linalg.norm(synthetic[j] - made_centre) for j in nearest[:, 0]]
    off_precision = off_recall = 0.0
    for level in levels:
        radius, reach = np.quantile(spread, level), np.quantile(depth, level)
        precision = sum(np.linalg.norm(row - centre) <= radius for row in synthetic) / n
        recall = sum(gaps[i, 0] <= between[i] and depth[i] <= reach for i in range(n)) / n
        off_precision += abs(level - precision)
        off_recall += abs(level - recall)
    return 1 - off_precision / sum(levels), 1 - off_recall / sum(levels)


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_equals_the_plain_count(spread):
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(150, 4)), rng.normal(0.2, spread, size=(150, 4))
    found = sample_coverage(synthetic, real)
    precision, recall = by_counting(synthetic, real)
    assert found.alpha_precision == pytest.approx(precision, abs=1e-12)
    assert found.beta_recall == pytest.approx(recall, abs=1e-12)


def test_fresh_copied_and_collapsed_samples():
    rng = np.random.default_rng(1)
    real, fresh = rng.normal(size=(2, 800, 3))
    new = sample_coverage(fresh, real)
    assert new.alpha_precision > 0.93
    assert new.beta_recall == pytest.approx(0.5, abs=0.06)
    same = sample_coverage(real, real)
    assert same.alpha_precision > 0.99
    assert same.beta_recall > 0.99
    collapsed = sample_coverage(np.zeros((800, 3)) + 1e-3 * fresh, real)
    assert collapsed.alpha_precision < 0.1
    assert collapsed.beta_recall < 0.1


def test_levels_alone_can_be_scored():
    """Indicators tie: a sample of the same cells is precise and reaches everybody."""
    rng = np.random.default_rng(2)
    real, fresh = (np.eye(3)[rng.integers(0, 3, 300)] * np.sqrt(0.5) for _ in range(2))
    found = sample_coverage(fresh, real)
    assert found.beta_recall > 0.5
    assert -1.0 <= found.alpha_precision <= 1.0


def test_unequal_sizes_are_refused():
    with pytest.raises(EvaluationError, match="as many synthetic points as real ones.*got 3 and 4"):
        sample_coverage(np.zeros((3, 2)), np.zeros((4, 2)))
