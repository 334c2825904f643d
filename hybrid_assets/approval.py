"""A reviewer's decision on one table: what was signed, by whom, and until when."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from hybrid_assets.errors import ReleaseError
from hybrid_assets.gates import GateReport
from hybrid_assets.gates.settings import Stated
from hybrid_assets.release.public_settings import settings_yaml


class Signed(BaseModel):
    """Everything that a reviewer signs: another byte of it needs another decision.

    Parameters
    ----------
    data_version : str
        Of the table.
    gates_sha256 : str
        Of its ``gates.json``: evidence, thresholds and overrides.
    settings_sha256 : str
        Of ``config.resolved.yaml``: what the card says in the words of the study file.
    files : str
        Keyed hash of all files beside the table, confidential ones among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_version: str
    gates_sha256: str
    settings_sha256: str
    files: str

    @classmethod
    def of(cls, data_version: str, gates: bytes, settings: Mapping[str, Any], files: str) -> Self:
        """Hash a candidate's ``gates.json`` and its public settings."""
        return cls(
            data_version=data_version,
            gates_sha256=hashlib.sha256(gates).hexdigest(),
            settings_sha256=hashlib.sha256(settings_yaml(settings)).hexdigest(),
            files=files,
        )

    def differs_in(self, other: Signed) -> str:
        """Say what is not the same; empty if all is."""
        words = {
            "data_version": "rows",
            "gates_sha256": "gates",
            "settings_sha256": "settings or words of the card",
            "files": "evidence",
        }
        changed = [
            word for name, word in words.items() if getattr(self, name) != getattr(other, name)
        ]
        return ", other ".join(changed)


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
    signed : Signed
        What the reviewer saw.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    generator: str
    reviewer: Stated
    decision: Literal["approve", "refuse"]
    reason: Stated
    decided_on: date
    expires_on: date | None = None
    signed: Signed

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
            If a gate is shut and nobody overrides it, or the reviewer does.
        """
        if self.decision == "refuse":
            return
        place = f"study {self.study!r}, generator {self.generator!r}"
        if not report.is_passed:
            raise ReleaseError(
                f"{place}: expected every gate to be open before an approval; {report.refusal} "
                "(--refuse records a refusal)"
            )
        if own := self.own_overrides(report):
            raise ReleaseError(
                f"{place}: expected a reviewer other than who overrides a gate; {self.reviewer} "
                f"overrides {own}: somebody else has to sign"
            )

    def own_overrides(self, report: GateReport) -> str:
        """Name the gates that the reviewer opened; names are the same in any case and spacing."""
        return ", ".join(
            override.gate
            for override in report.overrides
            if _as_person(override.person) == _as_person(self.reviewer)
        )

    def is_valid_for(self, present: Signed, today: date) -> bool:
        """Whether it lets these bytes leave today."""
        return not self.objection(present, today)

    def objection(self, present: Signed, today: date) -> str:
        """Say why it does not let these bytes leave today; empty if it does."""
        if other := self.signed.differs_in(present):
            return f"{self.reviewer} decided on other {other}; decide again"
        if self.decision == "refuse":
            return f"refused by {self.reviewer}: {self.reason}"
        if self.decided_on > today:
            return f"the approval by {self.reviewer} is dated {self.decided_on}; today is {today}"
        if self.expires_on is not None and today > self.expires_on:
            return f"the approval by {self.reviewer} expired on {self.expires_on}; decide again"
        return ""


def _as_person(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
