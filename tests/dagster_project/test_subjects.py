"""Tracing a person: what is hashed, what is found, and that no value is kept."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.study_file import StudyFile
from dagster_project.subjects import (
    asked_columns,
    canonical_value,
    identified_by,
    row_digests,
    split_of,
    untold,
    uses_of,
)
from hybrid_assets.designs import DESIGNS
from tests.dagster_project.conftest import SMALL_STUDY
from warehouse import AuditTrail, KeyedHash, PageStore, Provenance, Warehouse

COLUMNS = (("site", "text"), ("number", "number"))
ROWS = pd.DataFrame({"site": ["a", "b", None], "number": [1.0, np.nan, 2.5], "Y": [0, 1, 1]})
ORIGIN = Provenance("run", "code", "study", 1, {}, 0.0, "ada", "2026-01-31T12:00:00+00:00")


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_cell_and_what_is_typed_agree(number: int) -> None:
    assert canonical_value(np.int64(number), "number") == canonical_value(f" {number}", "number")


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_cell_and_what_is_typed_agree(number: float) -> None:
    assert canonical_value(np.float64(number), "number") == canonical_value(repr(number), "number")


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (7.0, "number", "7"),
        ("7.50", "number", "7.5"),
        ("007", "text", "007"),
        ("007", "number", "7"),
        ("x", "number", "x"),
        (" a ", "text", "a"),
        ("Zoe\u0308", "text", "Zo\u00eb"),  # typed decomposed, stored composed
        (pd.Timestamp("1960-02-01"), "date", "1960-02-01"),
        ("1960-02-01", "date", "1960-02-01"),
        ("1960-02-01 00:00", "date", "1960-02-01"),
        (pd.Timestamp("1960-02-01 09:30"), "date", "1960-02-01T09:30:00"),
        (pd.Timestamp("1960-02-01 01:00", tz="Europe/Paris"), "date", "1960-02-01T00:00:00+00:00"),
        (pd.NaT, "date", None),
        ("in spring", "date", "in spring"),
        ("", "text", None),
        (None, "text", None),
        (float("nan"), "number", None),
    ],
)
def test_values_are_written_one_way(value: object, kind: str, written: str | None) -> None:
    assert canonical_value(value, kind) == written


def test_days_are_told_from_numbers_and_text() -> None:
    days = pd.to_datetime(["1960-02-01", None])
    seed = pd.DataFrame({"born": days, "number": [1.0, 2.0], "site": ["a", "b"]})
    study = StudyFile.model_validate(SMALL_STUDY | {"identifiers": list(seed.columns)})
    kinds = (("born", "date"), ("number", "number"), ("site", "text"))
    assert identified_by(study, DESIGNS["paper1_trial"].schema(), seed) == kinds


def test_a_holdout_without_the_identifier_is_told_as_a_gap(tmp_path: Path) -> None:
    keyed = KeyedHash(tmp_path, make=True)
    assert len(set(row_digests(ROWS, COLUMNS, keyed))) == 3
    parts = {"train": ROWS, "holdout": ROWS.drop(columns="site")}
    split = split_of(COLUMNS, parts, keyed, seed_version="a" * 64, splits_version="b" * 64)
    assert list(split.digests) == ["train"]
    said = f"the holdout of seed version {'a' * 12}: it came without site, number"
    assert untold([split], keyed) == [said]
    other = KeyedHash(tmp_path / "other", make=True)
    said = f"seed version {'a' * 12}: its people were hashed with another key than keys/audit.key"
    assert untold([split], other) == [said]
    again = split_of(
        COLUMNS,
        {"train": ROWS, "holdout": ROWS},
        other,
        seed_version="a" * 64,
        splits_version="b" * 64,
    )
    assert untold([split, again], other) == []


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    """Three people in two versions of the seed; a generator and a release of the first."""
    warehouse, trail = Warehouse(tmp_path, "s"), AuditTrail(tmp_path, "s")
    keyed = KeyedHash(tmp_path, make=True)

    def record(asset: str, table: pd.DataFrame, **upstream: str) -> str:
        origin = dataclasses.replace(ORIGIN, upstream=upstream)
        return warehouse.record_table(asset, table, origin).data_version

    for rows, generator in ((ROWS, "gan"), (ROWS.iloc[1:], "cart")):
        seed = record("seed_table", rows)
        parts = {"train": rows.iloc[:-1], "holdout": rows.iloc[-1:]}
        splits = record("splits", rows[["Y"]], seed_table=seed)
        split = split_of(COLUMNS, parts, keyed, seed_version=seed, splits_version=splits)
        trail.record_subjects(split, ORIGIN)
        made = record(f"{generator}/hybrid_triplets", ROWS[["Y"]], splits=splits)
        upstream = {f"{generator}/hybrid_triplets": made}
        bundle = dataclasses.replace(ORIGIN, upstream=upstream)
        PageStore(tmp_path, "s").record(f"{generator}/release_bundle", b"{}", bundle)
    return trail


def test_a_deleted_person_is_traced_to_what_used_them(trail: AuditTrail, tmp_path: Path) -> None:
    assert asked_columns(trail.subject_splits()) == ["site", "number"]
    (use,) = uses_of(trail, KeyedHash(tmp_path), {"site": "a", "number": "1"})
    assert use.parts == ("train",)
    assert [entry.asset for entry in use.used_by] == ["gan/hybrid_triplets", "gan/release_bundle"]
    assert use.seed_entry is not None
    assert use.seed_entry.sequence == 1


def test_a_person_is_found_in_every_version_and_part(trail: AuditTrail, tmp_path: Path) -> None:
    keyed = KeyedHash(tmp_path, make=True)
    kept = uses_of(trail, keyed, {"site": "b", "number": ""})
    assert [(use.parts, use.used_by[-1].asset) for use in kept] == [
        (("train",), "gan/release_bundle"),
        (("train",), "cart/release_bundle"),
    ]
    held_out = uses_of(trail, keyed, {"site": "", "number": "2.50"})
    assert [use.parts for use in held_out] == [("holdout",), ("holdout",)]


def test_strangers_and_other_keys_find_nothing(trail: AuditTrail, tmp_path: Path) -> None:
    assert uses_of(trail, KeyedHash(tmp_path), {"site": "a", "number": "2"}) == []
    other = KeyedHash(tmp_path / "elsewhere", make=True)
    assert uses_of(trail, other, {"site": "a", "number": "1"}) == []
