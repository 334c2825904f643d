"""A reviewer's decision on one table: what was signed, by whom, and until when."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from hybrid_assets.errors import ReleaseError
from hybrid_assets.gates import GateReport
from hybrid_assets.gates.settings import Stated


class Approval(BaseModel):
    """What a reviewer decided about a release candidate; as JSON the file ``approval.json``.

    Parameters
    ----------
    study, generator : str
        Whose table.
    reviewer, reason : str
        Who decided, and why.
    decision : {"approve", "refuse"}
    decided_on : date
        By the reviewer's own calendar, as are the days it is compared with: not valid before.
    expires_on : date, optional
        Last day it holds; without, it holds for these bytes for good.
    data_version : str
        Of the table that the reviewer saw.
    gates_sha256 : str
        Of its ``gates.json``: evidence, policy and overrides are signed with the rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    generator: str
    reviewer: Stated
    decision: Literal["approve", "refuse"]
    reason: Stated
    decided_on: date
    expires_on: date | None = None
    data_version: str
    gates_sha256: str

    @model_validator(mode="after")
    def _expires_later(self) -> Self:
        if self.expires_on is not None and self.expires_on < self.decided_on:
            raise ValueError(
                f"expires_on: expected {self.decided_on} or later; got {self.expires_on}"
            )
        return self

    @property
    def words(self) -> str:
        """Say who decided what, and until when."""
        done = "approved" if self.decision == "approve" else "refused"
        until = "" if self.expires_on is None else f" until {self.expires_on}"
        return f"{done} by {self.reviewer} on {self.decided_on}{until}: {self.reason}"

    def require_signable(self, report: GateReport) -> None:
        """Refuse to approve what cannot leave; a refusal may always be signed.

        Raises
        ------
        ReleaseError
            If a gate is shut and nobody overrides it.
        """
        if self.decision == "approve" and not report.is_passed:
            raise ReleaseError(
                f"study {self.study!r}, generator {self.generator!r}: expected every gate to be "
                f"open before an approval; {report.refusal} (--refuse records a refusal)"
            )

    def is_valid_for(self, data_version: str, gates_sha256: str, today: date) -> bool:
        """Whether it lets these bytes leave today."""
        return not self.objection(data_version, gates_sha256, today)

    def objection(self, data_version: str, gates_sha256: str, today: date) -> str:
        """Say why it does not let these bytes leave today; empty if it does."""
        if (self.data_version, self.gates_sha256) != (data_version, gates_sha256):
            return f"{self.reviewer} decided on other rows, or on other evidence; decide again"
        if self.decision == "refuse":
            return f"refused by {self.reviewer}: {self.reason}"
        if self.decided_on > today:
            return f"the approval by {self.reviewer} is dated {self.decided_on}; today is {today}"
        if self.expires_on is not None and today > self.expires_on:
            return f"the approval by {self.reviewer} expired on {self.expires_on}; decide again"
        return ""
