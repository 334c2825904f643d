"""The report of a study as one self-contained page."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from hybrid_assets.report.lost_effect import PARTS, lost_effect_sentence
from hybrid_assets.report.page_numbers import number_text
from hybrid_assets.report.risks import MEANINGS, SYMBOLS, gravest_first, risk_lights
from hybrid_assets.report.summary import ReportSummary

if TYPE_CHECKING:
    from jinja2 import Environment


def study_report_html(summary: ReportSummary) -> str:
    """Write the report as HTML: no script, nothing loaded from elsewhere.

    Names and texts are escaped, whatever they hold. The same summary gives
    the same text.

    Parameters
    ----------
    summary : ReportSummary

    Returns
    -------
    str
        A complete document.
    """
    return (
        page_environment()
        .get_template("study_report.html")
        .render(
            summary=summary,
            drift_parts=PARTS,
            lights=risk_lights(summary.risks),
            symbols=SYMBOLS,
            meanings=MEANINGS,
        )
    )


def page_environment() -> Environment:
    """Give the templates of this folder, with escaping on and numbers as pages write them."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hybrid_assets.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number_text,
        "count": lambda count: f"{count:,}",
        "percent": lambda share: f"{number_text(100 * share, digits=3)} %",
        "gravest_first": gravest_first,
        "sentence": lost_effect_sentence,
        "short": lambda version: version.removeprefix("hmac-sha256:")[:12],
        "words": lambda word: word.replace("_", " "),
        "base64": lambda png: base64.b64encode(png).decode("ascii"),
    }
    return environment
