from dataclasses import replace

import numpy as np
import pytest

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.positivity import combined_propensity, is_extreme, worst_case
from hybrid_assets.positivity.worst_case import imbens_manski_critical_value


def test_the_width_is_the_share_of_extreme_rows(cross_fits):
    _, fits = cross_fits("paper1_observational", 500)
    found = worst_case(fits)
    assert found.share_extreme == is_extreme(combined_propensity(fits)).mean() > 0.5
    assert found.width == pytest.approx(found.share_extreme, abs=1e-12)
    assert found.ci_low < found.bound_low < 0 < found.bound_high < found.ci_high


def test_with_overlap_the_bounds_are_the_estimate(cross_fits):
    _, fits = cross_fits("confounded_binary", 500)
    book = estimate_from_cross_fits(fits, ("aipw",))["aipw"]
    found = worst_case(fits)
    assert (found.share_extreme, found.width) == (0.0, 0.0)
    assert found.bound_low == pytest.approx(book.estimate, abs=1e-12)
    assert (found.ci_low, found.ci_high) == pytest.approx((book.ci_low, book.ci_high), abs=1e-9)


def test_by_hand(cross_fits):
    """Of 100 rows, 20 were never treated and 10 always: their own arm's outcomes are all known."""
    fit = cross_fits("paper1_trial", 100)[1][0]
    treatment = np.r_[np.zeros(20), np.ones(10), np.tile([0.0, 1.0], 35)]
    g = np.r_[np.full(20, 1e-9), np.full(10, 1 - 1e-9), np.full(70, 0.5)]
    outcome = np.r_[np.tile([0.0, 1.0], 50)]
    half = np.full(100, 0.5)
    fit = replace(
        fit,
        treatment=treatment,
        outcome=outcome,
        propensity_unbounded=g,
        outcome_control=half,
        outcome_treated=half,
    )
    found = worst_case((fit,))
    # among the 70: treated (odd positions) all had 1, controls 0: AIPW terms average to 1
    assert found.bound_low == pytest.approx((70 * 1 + 20 * (0 - 0.5) + 10 * (0.5 - 1)) / 100, 1e-5)
    assert found.bound_high == pytest.approx((70 * 1 + 20 * (1 - 0.5) + 10 * 0.5) / 100, 1e-5)


def test_critical_values_are_imbens_and_manski_s():
    assert imbens_manski_critical_value(0.0, 0.1) == pytest.approx(1.959964, abs=1e-6)
    assert imbens_manski_critical_value(1.0, 0.01) == pytest.approx(1.644854, abs=1e-6)
    assert imbens_manski_critical_value(0.1, 0.0) == pytest.approx(1.644854, abs=1e-6)


def test_a_measurement_has_no_worst_case(cross_fits):
    _, fits = cross_fits("confounded_continuous", 200)
    with pytest.raises(EstimationError, match="need an outcome of 0 and 1"):
        worst_case(fits)
