"""Recompute everything in a release that can be recomputed without the study."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pydantic import ValidationError

from hybrid_assets.approval import Signed
from hybrid_assets.gates import GATE_REPORT
from hybrid_assets.release.attestation import ENVELOPE, PUBLIC_KEY, signature_faults
from hybrid_assets.release.bundle import (
    CARD,
    CSV,
    ENVIRONMENT,
    GATES,
    LINEAGE,
    PARQUET,
    table_metadata,
    told_by,
)
from hybrid_assets.release.card import ReleaseCard
from hybrid_assets.release.dictionary import decimals_of, recomputed, released_schema
from hybrid_assets.release.release_file import ReleaseFile
from hybrid_assets.release.table_files import ParquetRows, same_text, same_values
from hybrid_assets.release.verify_numbers import card_faults, effect_faults

DATA_FILES = (PARQUET, CSV, CARD, GATES, ENVIRONMENT, LINEAGE)
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^\s/\\]+")
NOT_RECOMPUTED = (
    "the study's own effect and overlap, the exact effect of the population (unless its columns "
    "are in the table), the privacy figures with their distances to people, and the keyed hashes: "
    "they need the study's people"
)


VersionOf = Callable[[Iterable[pa.Table]], str]


@dataclass(frozen=True)
class BundleCheck:
    """One thing that was recomputed.

    Attributes
    ----------
    name : str
    faults : tuple of str
        What differs; empty if nothing does.
    """

    name: str
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return not self.faults


@dataclass(frozen=True)
class Surroundings:
    """What a verification needs beside the files.

    Attributes
    ----------
    data_version : callable
        Content hash of a table that comes in blocks, as the study's storage computes it.
    code_version : str
        Of the code that verifies.
    trusted_key : bytes or None
        Public key (PEM) that must have signed.
    """

    data_version: VersionOf
    code_version: str
    trusted_key: bytes | None = None


def verify_contents(files: Mapping[str, ReleaseFile], around: Surroundings) -> list[BundleCheck]:
    """Check the files of a release against each other.

    Parameters
    ----------
    files : mapping of str to ReleaseFile
        All but the checksums, which were checked before.
    around : Surroundings

    Returns
    -------
    list of BundleCheck
        Only the first where no card can be read: nothing else could be held against it. The
        signature is checked where there is one, or where it is asked for.
    """
    told = files[CARD].read() if CARD in files else b""
    try:
        missing = [f"{name} is missing" for name in DATA_FILES if name not in files]
        card = ReleaseCard.model_validate_json(told)
    except ValidationError as error:
        return [BundleCheck("card", (*missing, f"{CARD}: {error.error_count()} faults"))]
    if missing:
        return [BundleCheck("files", tuple(missing))]
    checks: dict[str, Callable[[], Iterable[str]]] = {
        "documents": lambda: _documents(card, files, around.code_version),
        "table": lambda: _table(card, files),
        "approval": lambda: _approval(card, files, around.data_version),
        "card": lambda: card_faults(card),
        "effects": lambda: _effects(card, files),
        "surroundings": lambda: [
            *_environment(files[ENVIRONMENT].read()),
            *_lineage(files[LINEAGE].read()),
        ],
    }
    if around.trusted_key is not None or {ENVELOPE, PUBLIC_KEY} & files.keys():
        checks["signature"] = lambda: signature_faults(
            files, predicate_of(card), around.trusted_key
        )
    return [BundleCheck(name, _faults(check)) for name, check in checks.items()]


def _faults(check: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """Collect what a check finds; files that cannot even be read are a finding, not a crash."""
    try:
        return tuple(check())
    except Exception as error:
        return (f"cannot be read as a release ({type(error).__name__})",)


def _documents(
    card: ReleaseCard, files: Mapping[str, ReleaseFile], code_version: str
) -> Iterator[str]:
    """Write every document again from the card and compare hashes; nothing else may be there."""
    expected = told_by(card, files)
    made_by = card.origin.code_version
    hint = "" if made_by == code_version else f" (made by code {made_by}; this is {code_version})"
    for name, content in {**expected, CARD: card.to_json()}.items():
        if name not in files:
            yield f"{name} is missing"
        elif files[name].sha256 != ReleaseFile.of(content).sha256:
            yield f"{name} is not what the card says{hint}"
    known = {*DATA_FILES, *expected, ENVELOPE, PUBLIC_KEY}
    yield from (f"{name} belongs to no release" for name in sorted(files.keys() - known))


@contextmanager
def _rows(files: Mapping[str, ReleaseFile]) -> Iterator[ParquetRows]:
    with files[PARQUET].open() as file:
        yield ParquetRows(file)


def _effects(card: ReleaseCard, files: Mapping[str, ReleaseFile]) -> Iterator[str]:
    with _rows(files) as rows:
        yield from effect_faults(card, rows)


def _table(card: ReleaseCard, files: Mapping[str, ReleaseFile]) -> Iterator[str]:
    with _rows(files) as rows:
        if rows.metadata != table_metadata(card):
            yield f"{PARQUET} says of itself what the card does not"
        if len(rows) != card.n_rows:
            yield f"{len(rows)} rows; the card says {card.n_rows}"
        yield from _csv(card, rows, files[CSV])
        names = [column.name for column in card.columns]
        if rows.names != names:
            yield f"columns {', '.join(rows.names)}; the dictionary has {', '.join(names)}"
            return
        again = recomputed((block.to_pandas() for block in rows), card.columns, card.study)
        for stated, found in zip(card.columns, again, strict=True):
            if stated != found:
                yield f"column {stated.name!r}: levels, range or missing values differ"
        schema, n_invalid = released_schema(card.columns, card.study), Counter[str]()
        for block in rows:
            n_invalid.update(schema.invalid_counts(block.to_pandas())[1])
        for name, n_bad in n_invalid.items():
            yield f"column {name!r}: {n_bad} values that its kind cannot have"


def _csv(card: ReleaseCard, rows: ParquetRows, file: ReleaseFile) -> Iterator[str]:
    try:
        with file.open() as values, file.open() as text:
            if not same_values(values, rows):
                yield f"{CSV} holds other values than {PARQUET}"
            elif not same_text(text, rows, decimals_of(card.columns)):
                yield f"{CSV} is not written with the declared decimals"
    except ValueError:
        yield f"{CSV} cannot be read with the columns of {PARQUET}"


def _approval(
    card: ReleaseCard, files: Mapping[str, ReleaseFile], version_of: VersionOf
) -> Iterator[str]:
    with _rows(files) as rows:
        gates, data_version = files[GATES].read(), version_of(rows)
    if data_version != card.origin.candidate:
        yield "the rows are not those that were approved"
    known_inside = card.approval.signed.files
    present = Signed.of(data_version, gates, card.settings, known_inside)
    if objection := card.approval.objection(present, card.released_on):
        yield f"the approval does not hold: {objection}"
    if own := card.approval.own_overrides(card.gates):
        yield f"the reviewer overrides {own}: two people have to"
    try:
        if GATE_REPORT.validate_json(gates) != card.gates:
            yield f"{GATES} is not what the card says"
    except ValidationError:
        yield f"{GATES} cannot be read"
    yield from (f"gate {gate.name} is shut" for gate in card.gates.shut)


def _environment(content: bytes) -> Iterator[str]:
    first, *packages = content.decode("utf-8", "replace").splitlines()
    if not re.fullmatch(r"# Python \d+\.\d+\.\d+\S*", first):
        yield f"{ENVIRONMENT} does not open with the version of Python"
    if not all(map(_PACKAGE.fullmatch, packages)) or packages != sorted(set(packages)):
        yield f"{ENVIRONMENT} is not a sorted list of name==version"


def _lineage(content: bytes) -> Iterator[str]:
    try:
        events = [json.loads(line) for line in content.splitlines()]
    except ValueError:
        events = []
    if not events or not all(isinstance(event, dict) and "job" in event for event in events):
        yield f"{LINEAGE} is not a list of OpenLineage events, one a line"


def predicate_of(card: ReleaseCard) -> dict[str, str]:
    """Give what a signature says of a release."""
    return {
        "release": card.name,
        "releasedOn": card.released_on.isoformat(),
        "candidate": card.origin.candidate,
        "auditHead": card.audit_head.entry_hash,
    }
