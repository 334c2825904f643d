"""What a reviewer's decision lets leave, and until when."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hybrid_assets.approval import Approval

DAY = date(2026, 3, 1)
SIGNED = {
    "study": "demo",
    "generator": "cart",
    "reviewer": "Grace",
    "decision": "approve",
    "reason": "evidence read",
    "decided_on": DAY,
    "expires_on": DAY + timedelta(days=30),
    "data_version": "a" * 64,
    "gates_sha256": "b" * 64,
}
BYTES = ("a" * 64, "b" * 64)


def approval(**changes: object) -> Approval:
    return Approval.model_validate(SIGNED | changes)


@given(st.integers(0, 60))
def test_it_holds_until_its_last_day(days: int) -> None:
    today = DAY + timedelta(days=days)
    assert approval().is_valid_for(*BYTES, today) == (days <= 30)
    assert approval(expires_on=None).is_valid_for(*BYTES, today)


@pytest.mark.parametrize("other", [("c" * 64, BYTES[1]), (BYTES[0], "c" * 64)])
def test_other_rows_or_other_evidence_void_it(other: tuple[str, str]) -> None:
    assert not approval().is_valid_for(*other, DAY)
    said = "Grace decided on other rows, or on other evidence; decide again"
    assert approval().objection(*other, DAY) == said


def test_a_refusal_lets_nothing_leave() -> None:
    refused = approval(decision="refuse", reason="spikes")
    assert refused.objection(*BYTES, DAY) == "refused by Grace: spikes"


def test_an_expired_one_says_when() -> None:
    late = DAY + timedelta(days=31)
    said = "the approval by Grace expired on 2026-03-31; decide again"
    assert approval().objection(*BYTES, late) == said


def test_one_of_a_later_day_does_not_hold_yet() -> None:
    early = DAY - timedelta(days=1)
    said = "the approval by Grace is dated 2026-03-01; today is 2026-02-28"
    assert approval().objection(*BYTES, early) == said
    assert not approval().is_valid_for(*BYTES, early)


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
