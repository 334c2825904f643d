"""Numbers as the report writes them."""

from __future__ import annotations

import math

ABSENT = "–"


def number_text(number: float | None, digits: int = 4) -> str:
    """Write a number with so many digits, leading zeros not counted only where it is tiny.

    Examples
    --------
    >>> number_text(-0.02346), number_text(0.8), number_text(0.00002, 1), number_text(None)
    ('−0.0235', '0.8000', '0.00002', '–')
    """
    if number is None or math.isnan(number):
        return ABSENT
    size = abs(number)
    if math.isinf(size):
        return "∞" if number > 0 else "−∞"
    if size < 1e-9:
        return "0"
    magnitude = math.floor(math.log10(size))
    decimals = digits - 1 - magnitude
    if magnitude >= 1 - digits:
        text = f"{size:,.{min(max(decimals, 0), digits)}f}"
    else:
        text = f"{size:.{decimals}f}" if magnitude >= -6 else f"{size:.{digits - 1}e}"
    return f"−{text}" if number < 0 else text
