"""Guessing which columns are treatment, outcome and identifiers, and saying why."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from hybrid_assets.columns import MAX_INFERRED_LEVELS, NO_KIND, holds_lists, is_zero_one
from hybrid_assets.columnwise import Columns

TREATMENT_WORDS = {
    *("treat", "treated", "treatment", "trt", "therapy", "drug", "intervention", "arm"),
    *("exposed", "exposure", "assigned", "assignment", "randomised", "randomized"),
}
OUTCOME_WORDS = {"outcome", "response", "endpoint", "died", "death", "dead", "event"}
IDENTIFIER_WORDS = {
    *("id", "ids", "uuid", "mrn", "seqn", "pid", "patientid", "subjectid"),
    *("ssn", "nhs", "dob", "email"),
}
PERSON_WORDS = {  # at the end of a name: patient_number, but not patient_age
    *("patient", "participant", "subject", "person", "name", "birth"),
    *("phone", "zip", "postcode"),
}
NUMBER_WORDS = {"no", "nr", "num", "number", "code", "key", "date"}
NEARLY_ALL = 0.9
OF_THEIR_OWN = "nearly everybody has a value of their own"


@dataclass(frozen=True)
class Guess:
    """A column that could have a role.

    Attributes
    ----------
    column : str
    reason : str
    is_plain : bool
        Whether its whole name is the word, or no other column could be it.
    """

    column: str
    reason: str
    is_plain: bool


@dataclass(frozen=True)
class GuessedRoles:
    """What names and values suggest; None where they suggest nothing, or more than one column.

    Attributes
    ----------
    treatment, outcome : Guess or None
    identifiers : mapping of str to str
        Column -> why.
    binary, numeric : tuple of str
        Columns that could be the treatment; that could be the outcome.
    """

    treatment: Guess | None
    outcome: Guess | None
    identifiers: Mapping[str, str]
    binary: tuple[str, ...]
    numeric: tuple[str, ...]


def guess_roles(table: Columns) -> GuessedRoles:
    """Guess treatment and outcome by name among the columns that could be it, identifiers by both.

    Roles are the author's to state: a guess needs a telling name, and only one of them.

    Parameters
    ----------
    table : Columns
        As read.
    """
    columns = {str(name): table[name] for name in table.columns if not holds_lists(table[name])}
    named = {name: word for name, values in columns.items() if (word := _identifying(values))}
    own = {name: OF_THEIR_OWN for name, values in columns.items() if is_nearly_unique(values)}
    others = {name: values for name, values in columns.items() if name not in named}
    binary = [n for n, values in others.items() if is_zero_one(values) and values.nunique() == 2]
    numeric = [n for n, values in others.items() if pd.api.types.is_numeric_dtype(values)]
    treatment = _guess(binary, TREATMENT_WORDS, "a")
    taken = treatment.column if treatment else None
    outcome = _guess([n for n in numeric if n != taken], OUTCOME_WORDS, "y")
    return GuessedRoles(treatment, outcome, own | named, tuple(binary), tuple(numeric))


def is_nearly_unique(values: pd.Series) -> bool:
    """Whether nine of ten people or more have text, or a whole number, that nobody else has."""
    present = values.dropna()
    if len(present) <= MAX_INFERRED_LEVELS or present.nunique() < NEARLY_ALL * len(present):
        return False
    if pd.api.types.is_numeric_dtype(present):
        return _is_whole(present)
    return pd.api.types.infer_dtype(present) not in NO_KIND


def _identifying(values: pd.Series) -> str:
    """Give the reason why a name, of a column with many values, is that of an identifier."""
    parts = _parts(str(values.name))
    found = [part for part in parts if part in IDENTIFIER_WORDS]
    while parts and parts[-1] in NUMBER_WORDS:
        parts.pop()
    found += [part for part in parts[-1:] if part in PERSON_WORDS]
    present = values.dropna()
    if not found or (pd.api.types.is_numeric_dtype(present) and not _is_whole(present)):
        return ""
    tells_apart = present.nunique() > MAX_INFERRED_LEVELS or present.is_unique
    return _by_name(found[0]) if tells_apart else ""


def _guess(candidates: list[str], words: Iterable[str], letter: str) -> Guess | None:
    telling = {*words, letter}
    named = [n for n in candidates if n.lower() == letter or set(_parts(n)) & {*words}]
    if len(named) != 1:
        return None
    word = next(part for part in _parts(named[0]) if part in telling)
    is_plain = named[0].lower() in telling or len(candidates) == 1
    return Guess(named[0], _by_name(word), is_plain)


def _by_name(word: str) -> str:
    return f'its name says "{word}"'


def _is_whole(present: pd.Series) -> bool:
    return bool((present.astype(float) % 1 == 0).all())


def _parts(name: str) -> list[str]:
    """Split a name into its words: patientNumber_2 is patient, number."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return [part for part in re.split(r"[^a-z]+", parted.lower()) if part]
