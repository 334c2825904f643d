"""Gates as Dagster shows them: one blocking check for each, and a table of all."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.display import small_table
from hybrid_assets.gates import GATE_MEANINGS, GateReport, GateResult

GATE_FILE = "gates.json"


def gate_checks(make: AssetFactory, asset: str) -> list[dg.AssetCheckSpec]:
    """Declare a blocking check for each gate of an asset."""
    return [
        make.check(asset, f"gate_{name}", meaning, blocking=True)
        for name, meaning in GATE_MEANINGS.items()
    ]


def gate_check_results(report: GateReport) -> Iterator[dg.AssetCheckResult]:
    """Pass where a gate is open, or a named person opens it; the override stays visible."""
    for gate in report.gates:
        yield dg.AssetCheckResult(
            check_name=f"gate_{gate.name}",
            passed=gate.is_passed,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata=_told(gate),
        )


def _told(gate: GateResult) -> dict[str, str]:
    told = {"gate": gate.verdict.value, "evidence": gate.evidence}
    if gate.advice:
        told["what_to_do"] = gate.advice
    if gate.override is not None:
        told["override"] = gate.override_words
    return told


def gate_metadata(report: GateReport) -> dict[str, Any]:
    """Show every gate under the asset, told apart without colour."""
    rows = pd.DataFrame(
        {
            "gate": [f"{g.verdict.symbol} {g.name}" for g in report.gates],
            "verdict": [g.verdict.value for g in report.gates],
            "evidence": [g.evidence for g in report.gates],
            "what to do": [g.advice for g in report.gates],
            "override": [g.override_words for g in report.gates],
        }
    )
    return {
        "gates": small_table(rows),
        "gates_shut": len(report.shut),
        "gates_overridden": len(report.overrides),
        "privacy_policy": report.facts.privacy_policy,
        **({"seed_version": report.facts.seed_version} if report.facts.seed_version else {}),
    }
