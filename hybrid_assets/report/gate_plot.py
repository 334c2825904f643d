"""The gates before a release as a picture: told apart by shape, not by colour alone."""

from __future__ import annotations

from textwrap import fill

from hybrid_assets.gates import GateReport, GateResult, GateVerdict
from hybrid_assets.report.canvas import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    RED,
    blank_figure,
    plain_text,
    png_bytes,
)

MARKS = {
    GateVerdict.OPEN: ("o", BLUE, "white"),
    GateVerdict.OVERRIDDEN: ("^", ORANGE, ORANGE),
    GateVerdict.SHUT: ("X", RED, RED),
}
LINE_WIDTH = 72  # letters of evidence beside a gate's name


def gate_plot(report: GateReport) -> bytes:
    """Draw one line for each gate: how it stands, and the evidence in words.

    Parameters
    ----------
    report : GateReport

    Returns
    -------
    bytes
        A PNG picture.
    """
    texts = [fill(_told(gate), LINE_WIDTH) for gate in report.gates]
    heights = [1.6 + text.count("\n") for text in texts]
    figure, axes = blank_figure(0.6 + 0.17 * sum(heights))
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(sum(heights), 0)
    top = 0.0
    for gate, text, height in zip(report.gates, texts, heights, strict=True):
        shape, edge, face = MARKS[gate.verdict]
        middle = top + height / 2
        axes.plot(0.015, middle, shape, markersize=8, markeredgecolor=edge, markerfacecolor=face)
        axes.text(0.04, middle, gate.name.replace("_", " "), va="center", fontsize=9.5, color=BLACK)
        axes.text(0.22, middle, gate.verdict.value, va="center", fontsize=7.5, color=edge)
        axes.text(0.36, middle, plain_text(text), va="center", fontsize=8.5, color=BLACK)
        top += height
        axes.axhline(top, color="#E6E6E6", linewidth=0.7)
    n_shut = len(report.shut)
    said = f"{n_shut} of {len(report.gates)} gates shut" if n_shut else "no gate shut"
    title = f"{report.study}, {report.generator}: {said}"
    axes.set_title(plain_text(title), loc="left", fontsize=11, color=RED if n_shut else GREY)
    return png_bytes(figure)


def _told(gate: GateResult) -> str:
    if gate.override is None or gate.verdict is not GateVerdict.OVERRIDDEN:
        return gate.evidence
    return f"{gate.evidence} (overridden by {gate.override.person})"
