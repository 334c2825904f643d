"""The report of a study as one self-contained page."""

from __future__ import annotations

import base64
import math

from hybrid_assets.report.summary import ReportSummary

ABSENT = "–"


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
        "words": lambda word: word.replace("_", " "),
        "base64": lambda png: base64.b64encode(png).decode("ascii"),
    }
    return environment.get_template("study_report.html").render(summary=summary)


def number_text(number: float | None, digits: int = 4) -> str:
    """Write a number with so many digits, leading zeros not counted only where it is tiny.

    Examples
    --------
    >>> number_text(-0.02346), number_text(0.8), number_text(0.00002, 1), number_text(None)
    ('−0.0235', '0.8000', '0.00002', '–')
    """
    if number is None:
        return ABSENT
    size = abs(number)
    if size < 1e-9:
        return "0"
    magnitude = math.floor(math.log10(size))
    decimals = digits - 1 - magnitude
    if magnitude >= 1 - digits:
        text = f"{size:,.{min(max(decimals, 0), digits)}f}"
    else:
        text = f"{size:.{decimals}f}" if magnitude >= -6 else f"{size:.{digits - 1}e}"
    return f"−{text}" if number < 0 else text
