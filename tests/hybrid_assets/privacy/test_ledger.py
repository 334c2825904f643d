import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hybrid_assets.privacy.ledger import (
    LEDGER,
    PrivacyLedger,
    Spent,
    epsilon_of,
    loss_of,
    rho_within,
)

# OpenDP rounds its ε up, and searches orders of its own: it is never below, and near.
REFERENCE = Path(__file__).parents[2] / "reference" / "zcdp_to_approximate_dp.json"
LAW = Spent("law of W, A and Y", "AIM", 0.2)


def test_agrees_with_opendp():
    stored = json.loads(REFERENCE.read_text())["conversions"]
    assert len(stored) == 24
    for known in stored:
        ours = epsilon_of(known["rho"], known["delta"])
        assert ours == pytest.approx(known["epsilon"], rel=1e-6, abs=1e-9)


def test_is_below_the_textbook_conversion():
    # Bun and Steinke 2016, proposition 1.3
    for rho in (0.01, 0.3, 4.0):
        textbook = rho + 2 * np.sqrt(rho * np.log(1e6))
        assert 0.7 * textbook < epsilon_of(rho, 1e-6) < textbook


def test_is_the_smallest_over_all_orders():
    orders = 1 + np.geomspace(1e-4, 1e4, 200_001)
    every = orders * 0.2 - np.log(orders * 1e-6) / (orders - 1) + np.log1p(-1 / orders)
    assert epsilon_of(0.2, 1e-6) == pytest.approx(every.min(), abs=1e-7)


@given(st.floats(0.05, 20.0), st.floats(1e-12, 1e-3))
def test_budget_is_the_inverse_and_never_above(epsilon, delta):
    spent = epsilon_of(rho_within(epsilon, delta), delta)
    assert epsilon * (1 - 1e-6) <= spent <= epsilon


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=6))
def test_looks_add_up_whatever_their_order(budgets):
    entries = [Spent("law", "AIM", rho) for rho in budgets]
    ledger = PrivacyLedger(tuple(entries), 1e-6)
    assert ledger.rho == pytest.approx(sum(budgets))
    assert ledger.epsilon == pytest.approx(PrivacyLedger(tuple(entries[::-1]), 1e-6).epsilon)
    assert ledger.epsilon >= max(epsilon_of(rho, 1e-6) for rho in budgets) - 1e-12
    assert ledger.n_looks == sum(rho > 0 for rho in budgets)


def test_what_is_made_from_noisy_answers_costs_nothing():
    once = PrivacyLedger((LAW,), 1e-6)
    nuisances = Spent("propensity and outcome models", "post-processing", 0.0)
    assert once.with_spent(nuisances, delta=1e-6).epsilon == once.epsilon
    again = once.with_spent(LAW, delta=1e-5)
    assert (again.rho, again.delta, again.n_looks) == (0.4, 1e-5, 2)
    assert PrivacyLedger().epsilon == 0.0


def test_claim_rounds_up_and_says_which_neighbours():
    loss = loss_of(PrivacyLedger((LAW, LAW), 1e-6))
    assert loss.claim == (
        "ε = 4.605 at δ = 1e-06 (ρ = 0.4 zCDP, 2 fits added up; replace-one neighbours)"
    )
    assert loss.epsilon <= 4.605
    assert "one fit;" in loss_of(PrivacyLedger((LAW,), 1e-6)).claim


def test_survives_its_file_and_refuses_what_cannot_be():
    ledger = PrivacyLedger((LAW,), 1e-5)
    assert LEDGER.validate_json(LEDGER.dump_json(ledger)) == ledger
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Spent("law", "AIM", -0.1)
    with pytest.raises(ValidationError, match="finite number"):
        Spent("law", "AIM", float("nan"))
    with pytest.raises(ValidationError, match="less than 1"):
        PrivacyLedger((), 1.0)
