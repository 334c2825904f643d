"""Odd tables and study files: a complete run, or one error in the study author's words."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.study_file import StudyFile
from tests.reliability.front_door import (
    COMPLETE,
    SPLIT,
    outcome_of_study_file,
    outcome_of_table,
    plain_study,
)
from tests.reliability.odd_study_files import FILES, study_file
from tests.reliability.odd_tables import SECRET, STUDIES, csv_file, csv_files

pytestmark = pytest.mark.filterwarnings("ignore:.*function-scoped fixture")
bounded = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@bounded
@given(content=csv_files, study=st.sampled_from(STUDIES))
def test_a_table_is_taken_or_refused(tmp_path: Path, content: bytes, study: StudyFile) -> None:
    outcome = outcome_of_table(content, study, tmp_path, whole=False)
    if outcome.kind != SPLIT:
        assert outcome.message.startswith(("study 'fuzzed', column ", "source csv: expected "))
        assert "expected" in outcome.message
        assert "; got " in outcome.message
    assert SECRET not in outcome.message


@bounded
@given(seed=st.integers(0, 2**32 - 1))
def test_a_study_file_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    outcome_of_study_file(study_file(seed), tmp_path / "defs.yaml")


@pytest.mark.parametrize("number", range(len(FILES)))
def test_unspoiled_files_are_complete(tmp_path: Path, number: int) -> None:
    assert outcome_of_study_file(FILES[number], tmp_path / "defs.yaml").kind == COMPLETE


def test_an_unspoiled_table_is_complete(tmp_path: Path) -> None:
    content = csv_file(1, 130, [], "as is")
    assert outcome_of_table(content, plain_study(), tmp_path, whole=True).kind == COMPLETE


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("W1", "9300000000000000000", "column 'W1': expected numbers up to 9e+18 in size"),
        ("W2", "1e30", "column 'W2': expected numbers up to 9e+18 in size"),
        ("Y", "1e200", "column 'Y': expected numbers up to 9e+18 in size"),
    ],
)
def test_numbers_that_cannot_be_kept_are_refused(
    tmp_path: Path, column: str, value: str, says: str
) -> None:
    """Whole numbers beyond 64 bits became other numbers, without a word."""
    header, *rows = csv_file(1, 40, [], "as is").decode().split("\n")
    cells = rows[3].split(",")
    cells[header.split(",").index(column)] = value
    content = "\n".join([header, *rows[:3], ",".join(cells), *rows[4:]]).encode()
    assert says in outcome_of_table(content, plain_study(), tmp_path, whole=False).message


def test_a_column_that_does_not_differ_where_shown_is_refused(tmp_path: Path) -> None:
    header, *rows = csv_file(1, 40, [], "as is").decode().split("\n")
    tiny = np.random.default_rng(3).normal(size=40) * 1e-20
    cells = [f"{row},{value!r}" for row, value in zip(rows, tiny.tolist(), strict=True)]
    content = "\n".join([f"{header},W5", *cells])
    message = outcome_of_table(content.encode(), plain_study(), tmp_path, whole=False).message
    assert "column 'W5': expected values that differ at 0 decimals (rescale" in message


def test_cells_of_a_file_without_header_are_not_quoted(tmp_path: Path) -> None:
    """The first row may hold the treatment's name by chance, as a cell."""
    rows = csv_file(1, 40, [], "as is").decode().split("\n")[1:]
    content = "\n".join([f"{rows[0]},A", *(f"{row},B" for row in rows[1:])]).encode()
    message = outcome_of_table(content, plain_study(), tmp_path, whole=False).message
    assert "7 columns, numbers among their names (no header line?)" in message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"  generators: [{a: 1}]", "expected names in the list"),
        (b"  generators: {cart: {kind: [a]}}", "unknown generator ['a']"),
        (b"  covariates: [[a]]", "expected names in the list"),
        (b"  ? [a, b]\n  : 1", "expected YAML of plain keys, text and numbers"),
        (b"  title: !!timestamp 2020-99-99", "expected YAML of plain keys, text and numbers"),
        (b"  title: " + b"[" * 2000, "expected YAML of plain keys, text and numbers"),
        (b"  title: \xff", "expected UTF-8 text; got other bytes"),
        (b"  title: \x00", "a character that YAML does not allow"),
    ],
)
def test_what_only_the_loader_would_refuse(tmp_path: Path, line: bytes, says: str) -> None:
    assert says in outcome_of_study_file(FILES[0] + line, tmp_path / "defs.yaml").message
