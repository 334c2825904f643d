"""What a reviewer's decision lets leave, and until when."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hybrid_assets.approval import Approval, Signed
from hybrid_assets.errors import ReleaseError
from hybrid_assets.gates import GateReport, GateResult, Gates, GateVerdict, Override
from tests.hybrid_assets.gates.test_gates import FACTS

BYTES = Signed.of("a" * 64, b"gates", {"title": "A trial"}, "hmac-sha256:0")
DAY = date(2026, 3, 1)
SIGNED = {
    "study": "demo",
    "generator": "cart",
    "reviewer": "Grace",
    "decision": "approve",
    "reason": "evidence read",
    "decided_on": DAY,
    "expires_on": DAY + timedelta(days=30),
    "signed": BYTES,
}


def approval(**changes: object) -> Approval:
    return Approval.model_validate(SIGNED | changes)


@given(st.integers(0, 60))
def test_it_holds_until_its_last_day(days: int) -> None:
    today = DAY + timedelta(days=days)
    assert approval().is_valid_for(BYTES, today) == (days <= 30)
    assert approval(expires_on=None).is_valid_for(BYTES, today)


@pytest.mark.parametrize(
    ("changed", "other"),
    [
        ({"data_version": "c" * 64}, "rows"),
        ({"gates": b"other gates"}, "gates"),
        ({"settings": {"title": "Another trial"}}, "settings or words of the card"),
        ({"files": "hmac-sha256:1"}, "evidence"),
        ({"data_version": "c" * 64, "gates": b"other"}, "rows, other gates"),
    ],
)
def test_any_other_byte_voids_it_and_is_named(changed: dict[str, Any], other: str) -> None:
    stated = {
        "data_version": "a" * 64,
        "gates": b"gates",
        "settings": {"title": "A trial"},
        "files": "hmac-sha256:0",
    }
    assert Signed.of(**stated) == BYTES
    present = Signed.of(**stated | changed)
    assert not approval().is_valid_for(present, DAY)
    assert approval().objection(present, DAY) == f"Grace decided on other {other}; decide again"


def report(*verdicts: GateVerdict, person: str = "Ada") -> GateReport:
    """Give one gate for each verdict, overridden by one person where it is."""
    gates = []
    for i, verdict in enumerate(verdicts):
        override = Override(gate="positivity", generator="cart", person=person, reason="known")
        overridden = override if verdict is GateVerdict.OVERRIDDEN else None
        gates.append(GateResult(f"gate_{i}", verdict, "evidence", "advice", overridden))
    return GateReport("demo", "cart", FACTS, Gates(), tuple(gates))


def test_only_open_gates_are_approved_and_anything_is_refused() -> None:
    shut = report(GateVerdict.OPEN, GateVerdict.SHUT)
    with pytest.raises(ReleaseError, match="expected every gate to be open before an approval; ga"):
        approval().require_signable(shut)
    approval(decision="refuse").require_signable(shut)
    approval().require_signable(report(GateVerdict.OPEN))


@pytest.mark.parametrize("reviewer", ["Grace", "grace ", "GRACE", "\uff27race"])
def test_who_overrides_a_gate_does_not_sign(reviewer: str) -> None:
    overridden = report(GateVerdict.OVERRIDDEN, person="Grace")
    said = f"{reviewer.strip()} overrides positivity: somebody else has to sign"
    with pytest.raises(ReleaseError, match=said):
        approval(reviewer=reviewer).require_signable(overridden)
    approval(reviewer="Ada").require_signable(overridden)
    approval(reviewer=reviewer, decision="refuse").require_signable(overridden)


def test_a_refusal_lets_nothing_leave() -> None:
    refused = approval(decision="refuse", reason="spikes")
    assert refused.objection(BYTES, DAY) == "refused by Grace: spikes"


def test_an_expired_one_says_when() -> None:
    late = DAY + timedelta(days=31)
    said = "the approval by Grace expired on 2026-03-31; decide again"
    assert approval().objection(BYTES, late) == said


def test_one_of_a_later_day_does_not_hold_yet() -> None:
    early = DAY - timedelta(days=1)
    said = "the approval by Grace is dated 2026-03-01; today is 2026-02-28"
    assert approval().objection(BYTES, early) == said
    assert not approval().is_valid_for(BYTES, early)


def test_it_reads_back() -> None:
    assert Approval.model_validate_json(approval().model_dump_json()) == approval()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reviewer": "  "}, "reviewer\n  String should have at least 1 character"),
        ({"reason": ""}, "reason\n  String should have at least 1 character"),
        ({"decision": "maybe"}, "Input should be 'approve' or 'refuse'"),
        ({"expires_on": date(2026, 2, 28)}, "expected 2026-03-01 or later; got 2026-02-28"),
    ],
)
def test_refuses(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        approval(**changes)
