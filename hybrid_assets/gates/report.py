"""How each gate of a table stands: what a reviewer reads before signing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter

from hybrid_assets.gates.evidence import ReleaseFacts
from hybrid_assets.gates.settings import CAN_BE_OVERRIDDEN, Gates, Override


class GateVerdict(StrEnum):
    """Whether a table may pass; overridden: a named person lets it."""

    SHUT = "SHUT"
    OVERRIDDEN = "OVERRIDDEN"
    OPEN = "OPEN"

    @property
    def symbol(self) -> str:
        """A mark that is told from the others without colour."""
        return {"SHUT": "✗", "OVERRIDDEN": "!", "OPEN": "✓"}[self.value]


@dataclass(frozen=True)
class GateResult:
    """One gate.

    Attributes
    ----------
    name : str
        Such as ``"exact_copies"``.
    verdict : GateVerdict
    evidence : str
        What was found, and the limit; aggregates only.
    advice : str
        What opens the gate; empty where it is open.
    override : Override or None
        Who overrides it, whether or not that is needed.
    """

    name: str
    verdict: GateVerdict
    evidence: str
    advice: str
    override: Override | None

    @property
    def is_passed(self) -> bool:
        """Whether the gate is open, by itself or by an override."""
        return self.verdict is not GateVerdict.SHUT

    @property
    def override_words(self) -> str:
        """Say who overrides the gate and why; empty where nobody does."""
        if self.override is None:
            return ""
        needed = "" if self.verdict is GateVerdict.OVERRIDDEN else "not needed: "
        return f"{needed}{self.override.person}: {self.override.reason}"


@dataclass(frozen=True)
class GateReport:
    """Every gate of one generator's table; as JSON the file ``gates.json``.

    Attributes
    ----------
    study, generator : str
    facts : ReleaseFacts
    settings : Gates
        Thresholds and overrides that the gates were judged by.
    gates : tuple of GateResult
        All of them, in a fixed order.
    """

    study: str
    generator: str
    facts: ReleaseFacts
    settings: Gates
    gates: tuple[GateResult, ...]

    @property
    def shut(self) -> tuple[GateResult, ...]:
        """Gates that nothing opens."""
        return tuple(gate for gate in self.gates if not gate.is_passed)

    @property
    def overrides(self) -> tuple[Override, ...]:
        """Who opens gates that are shut by themselves."""
        overridden = [gate for gate in self.gates if gate.verdict is GateVerdict.OVERRIDDEN]
        return tuple(gate.override for gate in overridden if gate.override is not None)

    @property
    def is_passed(self) -> bool:
        """Whether the table may go to its reviewer."""
        return not self.shut

    @property
    def refusal(self) -> str:
        """Say which gates are shut and what opens them; empty if none is."""
        said = [f"{gate.name} is shut: {gate.evidence}. {gate.advice}" for gate in self.shut]
        if any(gate.name in CAN_BE_OVERRIDDEN for gate in self.shut):
            said.append(BY_NAME)
        return " ".join(said)


BY_NAME = (
    "Or a named person opens a gate and says why, in the study file "
    "(gates: {overrides: [{gate, generator, person, reason}]})."
)
GATE_REPORT = TypeAdapter(GateReport)
