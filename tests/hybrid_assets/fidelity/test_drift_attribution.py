import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_assets.estimators import iptw
from hybrid_assets.fidelity.drift_attribution import WeightedTable, attribute_drift


def drawn(seed, n_rows=400, shift=0.0, effect=1.0, confounding=0.0):
    """Draw a table whose fitted means are the true ones, with its x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, n_rows)
    treatment = (rng.random(n_rows) < 1 / (1 + np.exp(-confounding * x))).astype(float)
    means = (x, x + effect * (1 + 0.5 * x))
    outcome = np.where(treatment == 1, means[1], means[0]) + rng.normal(size=n_rows)
    return x, WeightedTable(treatment, outcome, np.full(n_rows, 0.5), means)


def seed_contrast_at(x, effect=1.0):
    return effect * (1 + 0.5 * x)


def plain_hajek(table, values1, values0):
    sums = np.zeros((2, 2))
    for i, arm in enumerate(table.treatment.astype(int)):
        g = table.propensity[i]
        weight = 1 / g if arm == 1 else 1 / (1 - g)
        sums[arm] += weight, weight * (values1 if arm == 1 else values0)[i]
    return sums[1, 1] / sums[1, 0] - sums[0, 1] / sums[0, 0]


@given(st.integers(0, 10_000), st.floats(-1, 1), st.floats(-2, 2), st.floats(0, 1.5))
def test_the_parts_sum_to_the_drift_of_iptw(seed, shift, effect, confounding):
    _, real = drawn(seed)
    x, made = drawn(seed + 1, shift=shift, effect=effect, confounding=confounding)
    found = attribute_drift(made, real, seed_contrast_at(x))
    parts = found.covariate_law + found.contrast + found.assignment + found.noise
    drift = plain_hajek(made, made.outcome, made.outcome) - plain_hajek(
        real, real.outcome, real.outcome
    )
    assert found.total == parts
    assert found.total == pytest.approx(drift, abs=1e-10)
    nuisances = [np.zeros(400), np.zeros(400)]
    ours = [iptw(t.treatment, t.outcome, t.propensity, *nuisances).estimate for t in (made, real)]
    assert found.total == pytest.approx(ours[0] - ours[1], abs=1e-10)


def test_each_part_by_its_definition():
    xr, real = drawn(1, 300)
    x, made = drawn(2, 500, shift=0.5, effect=-1.0, confounding=1.0)
    found = attribute_drift(made, real, seed_contrast_at(x))
    assert found.covariate_law == pytest.approx(0.5 * (x.mean() - xr.mean()))
    assert found.contrast == pytest.approx(np.mean(-2 * (1 + 0.5 * x)))
    imbalances = [plain_hajek(t, t.means[1], t.means[0]) - t.contrast.mean() for t in (made, real)]
    assert found.assignment == pytest.approx(imbalances[0] - imbalances[1])
    residuals = [
        plain_hajek(t, t.outcome - t.means[1], t.outcome - t.means[0]) for t in (made, real)
    ]
    assert found.noise == pytest.approx(residuals[0] - residuals[1])


@pytest.mark.parametrize(
    ("changed", "part", "size"),
    [
        ({"shift": 1.0}, "covariate_law", 0.5),
        ({"effect": 0.0}, "contrast", -1.0),
        ({"confounding": 1.0}, "assignment", None),
    ],
)
def test_a_component_that_changed_alone_gets_the_drift(changed, part, size):
    """With 100 000 rows, the other parts are no more than chance."""
    _, real = drawn(3, 100_000)
    x, made = drawn(4, 100_000, **changed)
    found = attribute_drift(made, real, seed_contrast_at(x))
    for name in ("covariate_law", "contrast", "assignment", "noise"):
        if name != part:
            assert abs(getattr(found, name)) < 0.04, name
    moved = getattr(found, part)
    assert abs(moved) > 0.4
    if size is not None:
        assert moved == pytest.approx(size, abs=0.02)


def test_a_table_has_not_drifted_from_itself():
    x, real = drawn(5)
    found = attribute_drift(real, real, seed_contrast_at(x))
    assert found.total == pytest.approx(0.0, abs=1e-15)
