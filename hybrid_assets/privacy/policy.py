"""Thresholds of the privacy verdict: policy, not mathematics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PrivacyPolicy(BaseModel):
    """What counts as a fail and as a pass; a reviewer signs for these numbers.

    Parameters
    ----------
    version : str
        Printed with every verdict; changes with any default below.
    min_holdout : int
        Fewer unseen people cannot support a PASS.
    significance : float
        One-sided, family-wise (Holm) level of a FAIL.
    copy_pass, cell_pass : float
        Largest upper bound of the share of members whose row, or whose value
        in a column, is shown beyond the share of non-members.
    membership_fail, membership_pass, replay_pass : float
        AUC of telling members from non-members: FAIL if surely above the
        first, PASS if surely not above the others.
    tail_rate, tail_pass : float
        False-positive rate, and the largest upper bound of the true-positive
        rate there.
    inference_fail, inference_pass : float
        Excess AUC of guessing a value of members over non-members.
    spike_significance : float
        Enrichment of members among the most crowded records, on W and on
        (W, A, Y) together.
    max_dcr_share_z : float
        Beyond it a person must look.
    max_audit_epsilon : float
        Largest lower bound of ε from planted coin flips.
    rare_people : int
        A level, or an integer, that fewer training people have is rare.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["1"] = "1"
    min_holdout: int = Field(default=500, ge=2)
    significance: float = Field(default=0.025, gt=0.0, lt=0.5)
    copy_pass: float = Field(default=0.01, gt=0.0, lt=1.0)
    cell_pass: float = Field(default=0.05, gt=0.0, lt=1.0)
    membership_fail: float = Field(default=0.55, ge=0.5, lt=1.0)
    membership_pass: float = Field(default=0.60, ge=0.5, lt=1.0)
    replay_pass: float = Field(default=0.55, ge=0.5, lt=1.0)
    tail_rate: float = Field(default=0.01, gt=0.0, lt=1.0)
    tail_pass: float = Field(default=0.05, gt=0.0, lt=1.0)
    inference_fail: float = Field(default=0.03, ge=0.0, lt=0.5)
    inference_pass: float = Field(default=0.10, ge=0.0, lt=0.5)
    spike_significance: float = Field(default=0.005, gt=0.0, lt=0.5)
    max_dcr_share_z: float = Field(default=2.58, gt=0.0)
    max_audit_epsilon: float = Field(default=1.0, gt=0.0)
    rare_people: int = Field(default=11, ge=2)

    @property
    def name(self) -> str:
        """The version, and every threshold that a study has changed."""
        changed = changed_words(self, type(self).model_fields)
        return f"{self.version}, {changed}" if changed else self.version


def changed_words(settings: BaseModel, fields: Iterable[str]) -> str:
    """Say which thresholds are not the default ones; empty if none.

    Examples
    --------
    >>> changed_words(PrivacyPolicy(rare_people=2), ["rare_people", "copy_pass"])
    'changed: rare_people 2 (default 11)'
    """
    stated, defaults = dict(settings), type(settings).model_fields
    changed = [
        f"{name} {stated[name]:g} (default {defaults[name].default:g})"
        for name in fields
        if stated[name] != defaults[name].default
    ]
    return f"changed: {', '.join(changed)}" if changed else ""
