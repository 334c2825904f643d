"""Gates: what must hold before a table may leave, and who let it through all the same."""

from hybrid_assets.gates.evaluate import GATE_MEANINGS, evaluate_gates
from hybrid_assets.gates.evidence import (
    ReleaseEvidence,
    ReleaseFacts,
    cells_beyond,
    columns_not_guessed,
)
from hybrid_assets.gates.report import GATE_REPORT, GateReport, GateResult, GateVerdict
from hybrid_assets.gates.settings import Gates, Override

__all__ = [
    "GATE_MEANINGS",
    "GATE_REPORT",
    "GateReport",
    "GateResult",
    "GateVerdict",
    "Gates",
    "Override",
    "ReleaseEvidence",
    "ReleaseFacts",
    "cells_beyond",
    "columns_not_guessed",
    "evaluate_gates",
]
