import importlib.util
import math

import numpy as np
import pytest

from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators.private.mechanisms import (
    OpenDpNoise,
    choice_scale,
    noise_scale,
    opendp,
    score_change,
)

HAS_OPENDP = importlib.util.find_spec("opendp") is not None
needs_opendp = pytest.mark.skipif(not HAS_OPENDP, reason="needs pip install 'hybrid-assets[dp]'")


def test_scales_by_hand():
    assert noise_scale(0.02) == pytest.approx(math.sqrt(2) / math.sqrt(0.04))
    # ε = 2Δ/scale, ρ = ε²/8
    scale = choice_scale(0.02, 3.0)
    assert (2 * 6 / scale) ** 2 / 8 == pytest.approx(0.02, rel=1e-5)
    assert score_change(3.0) > 6.0


@pytest.mark.skipif(HAS_OPENDP, reason="the extra is installed")
def test_missing_extra_is_one_clear_error():
    with pytest.raises(GeneratorError, match=r"pip install 'hybrid-assets\[dp\]'"):
        opendp()


@needs_opendp
def test_noise_has_the_scale_that_was_paid_for():
    noise = OpenDpNoise()
    counts = np.full((200, 100), 40, dtype=np.int64)
    noisy = noise.noisy_counts(counts, 0.02)
    assert noisy.shape == counts.shape
    assert noisy.dtype == np.int64
    scale = noise_scale(0.02)
    # five standard errors: once in 1.7 million runs
    assert noisy.mean() == pytest.approx(40, abs=5 * scale / math.sqrt(20_000))
    assert noisy.std() == pytest.approx(scale, rel=5 / math.sqrt(40_000))
    assert not np.array_equal(noisy, noise.noisy_counts(counts, 0.02))


@needs_opendp
def test_choices_follow_the_exponential_mechanism():
    noise, n = OpenDpNoise(), 3000
    scores, weight, rho = np.array([0.0, 2.0, -3.0]), 1.0, 0.5
    chosen = np.bincount([noise.best(scores, rho, weight) for _ in range(n)], minlength=3) / n
    expected = np.exp(scores / choice_scale(rho, weight))
    expected /= expected.sum()
    np.testing.assert_allclose(chosen, expected, atol=5 * 0.5 / math.sqrt(n))


@needs_opendp
@pytest.mark.parametrize("rho", [1e-5, 0.003, 0.4, 7.0])
def test_opendp_charges_what_we_account(rho):
    noise = OpenDpNoise()  # refuses where its privacy map says more
    noise.noisy_counts(np.array([3, 4]), rho)
    noise.best(np.array([1.0, 2.0]), rho, 63.0)
