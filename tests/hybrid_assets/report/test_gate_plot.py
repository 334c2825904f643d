"""The picture of the gates: every gate on it, each verdict with a shape of its own."""

import io

from matplotlib.image import imread

from hybrid_assets.gates import (
    GateReport,
    GateResult,
    Gates,
    GateVerdict,
    Override,
    ReleaseFacts,
)
from hybrid_assets.report.gate_plot import MARKS, gate_plot

OVERRIDE = Override(gate="positivity", generator="cart", person="Ada", reason="known")


def report(verdict: GateVerdict, n_gates: int = 2, evidence: str = "$a$ few words") -> GateReport:
    facts = ReleaseFacts(
        "cart", "", "observed", None, 9, 0, 9, 9, 9, 0.0, 1.0, 1.0, 0.1, "PASS", "1"
    )
    gates = [GateResult(f"gate_{i}", verdict, evidence, "advice", OVERRIDE) for i in range(n_gates)]
    return GateReport("demo", "cart", facts, Gates(), tuple(gates))


def test_each_verdict_has_its_own_shape() -> None:
    assert set(MARKS) == set(GateVerdict)
    assert len({shape for shape, _, _ in MARKS.values()}) == len(MARKS)
    pictures = {gate_plot(report(verdict)) for verdict in GateVerdict}
    assert len(pictures) == len(GateVerdict)


def test_a_gate_more_and_a_line_more_make_it_higher() -> None:
    heights = [
        imread(io.BytesIO(gate_plot(one))).shape[0]
        for one in (
            report(GateVerdict.OPEN),
            report(GateVerdict.OPEN, n_gates=3),
            report(GateVerdict.OPEN, n_gates=3, evidence="a long sentence of evidence " * 9),
        )
    ]
    assert heights == sorted(set(heights))


def test_the_same_gates_give_the_same_bytes() -> None:
    assert gate_plot(report(GateVerdict.SHUT)) == gate_plot(report(GateVerdict.SHUT))
