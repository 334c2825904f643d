"""Which letters, one after the other, are a number between two limits."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_assets.language.serialization import NumberFormat

DIGITS = "0123456789"
Branch = tuple[int, int, int, int, bool]
NumberState = str | frozenset[Branch]
BEFORE, SIGN = "before the word", "before the sign"


@dataclass(frozen=True)
class NumberAcceptor:
    """Accepts, letter by letter, the numbers of a format between two limits.

    A state is the set of numbers still possible. A branch of it has a known
    count of digits: how many are to come before the point, how many in all,
    between which limits they lie read as one number, and whether the point
    has been. Branches whose limits no longer bind are the same state.

    Parameters
    ----------
    numbers : NumberFormat
        How numbers are written.
    low, high : int
        Limits in units of the last digit, within those of the format.
    """

    numbers: NumberFormat
    low: int
    high: int

    def step(self, state: NumberState, letter: str) -> NumberState | None:
        """Read a letter; None where no number allowed goes on with it."""
        if state == BEFORE:
            return SIGN if letter == " " else None
        has_sign = self.numbers.fixed_width and self.numbers.signed
        if state == SIGN:
            if letter == "-":
                return self._branches(max(1, -self.high), -self.low) or None
            positive = self._branches(max(0, self.low), self.high)
            if letter == "+":
                return (positive or None) if has_sign else None
            return None if has_sign else self.step(positive, letter)
        assert isinstance(state, frozenset)
        read = {_after(branch, letter) for branch in state} - {None}
        return frozenset(branch for branch in read if branch) or None

    def accepts(self, state: NumberState) -> bool:
        """Whether a number may end here."""
        return isinstance(state, frozenset) and any(
            n_left == 0 and (was_point or not self.numbers.decimals)
            for _, n_left, _, _, was_point in state
        )

    def walk(self, state: NumberState, text: str) -> NumberState | None:
        """Read several letters."""
        reached: NumberState | None = state
        for letter in text:
            if reached is None:
                return None
            reached = self.step(reached, letter)
        return reached

    def _branches(self, low: int, high: int) -> frozenset[Branch]:
        """Split magnitudes by their digits before the point."""
        decimals, found = self.numbers.decimals, set()
        most = self.numbers.integer_digits
        for n_digits in [most] if self.numbers.fixed_width else range(1, most + 1):
            shortest = 10 ** (n_digits - 1 + decimals) if n_digits > 1 else 0
            least = low if self.numbers.fixed_width else max(low, shortest)
            greatest = min(high, 10 ** (n_digits + decimals) - 1)
            if least <= greatest:
                found.add((n_digits, n_digits + decimals, least, greatest, False))
        return frozenset(found)


def _after(branch: Branch, letter: str) -> Branch | None:
    n_before_point, n_left, low, high, was_point = branch
    if letter == ".":
        at_point = n_before_point == 0 and n_left > 0 and not was_point
        return (0, n_left, low, high, True) if at_point else None
    if letter not in DIGITS or not n_left or not (n_before_point or was_point):
        return None
    unit = 10 ** (n_left - 1)
    low, high = max(low - int(letter) * unit, 0), min(high - int(letter) * unit, unit - 1)
    return (max(n_before_point - 1, 0), n_left - 1, low, high, was_point) if low <= high else None
