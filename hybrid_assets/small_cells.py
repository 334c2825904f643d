"""Counts of 1 to 9 people, which nobody outside the warehouse is told."""

from __future__ import annotations

import numpy as np

MIN_PEOPLE = 10


def told_few(count: int) -> str:
    """Give a count in words that tell of no 1 to 9 people: "fewer than 10" for these."""
    return f"fewer than {MIN_PEOPLE}" if 0 < count < MIN_PEOPLE else f"{count:,}"


def is_small_cell(count: int, n_people: int) -> bool:
    """Whether a count, or what it leaves of `n_people`, is of 1 to 9 people."""
    return 0 < count < MIN_PEOPLE or 0 < n_people - count < MIN_PEOPLE


def told_count(count: int, n_people: int) -> int | str:
    """Give the count, or "< 10 of n" ("> n - 10 of n") where it would tell of 1 to 9 people."""
    if not is_small_cell(count, n_people):
        return count
    return _bound(count, n_people, " of ")


def told_share(share: float, n_people: int) -> float | str:
    """Give a share of `n_people`, or "< 10/n" where it is that of 1 to 9 people.

    All but 1 to 9 people are "> (n - 10)/n".
    """
    count = round(share * n_people)
    if not is_small_cell(count, n_people):
        return share
    return _bound(count, n_people, "/")


def count_or_missing(count: int, n_people: int) -> float:
    """Give a count, for a column of numbers: missing where `told_count` is words."""
    return np.nan if is_small_cell(count, n_people) else float(count)


def share_or_missing(share: float, n_people: int) -> float:
    """Give a share of `n_people`, for a column of numbers: missing where `told_share` is words."""
    return np.nan if is_small_cell(round(share * n_people), n_people) else share


def _bound(count: int, n_people: int, of: str) -> str:
    if count < MIN_PEOPLE:
        return f"< {MIN_PEOPLE}{of}{n_people}"
    return f"> {max(n_people - MIN_PEOPLE, 0)}{of}{n_people}"
