"""`hybrid paper-tables`: what it reads, what it prints, and how it ends."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from dagster_project.paper_tables import print_paper_tables, read_paper_data
from hybrid_assets.errors import SourceError
from hybrid_assets.published.paper1 import FILE_ROWS, TABLE_1, TABLE_2, TABLE_3

NAMES = ["W1", "W2", "W3", "W4", "W5", "W6", "A", "Y"]


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Make files of the published shape."""
    rng = np.random.default_rng(0)
    for name, n_rows in FILE_ROWS.items():
        rows = pd.DataFrame(rng.integers(0, 2, (n_rows, len(NAMES))), columns=NAMES)
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def test_files_are_read_by_name(data_folder: Path) -> None:
    data = read_paper_data(data_folder)
    assert {name: len(table) for name, table in data.items()} == FILE_ROWS


def spoil(change: Callable[[pd.DataFrame], pd.DataFrame], file: Path) -> None:
    change(pd.read_csv(file)).to_csv(file, index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="W3"), r"got no \['W3'\]"),
        (lambda t: t.iloc[:-1], "expected 200 rows of numbers; got 199 rows and 0 cells"),
        (lambda t: t.assign(W4="tall"), "got 200 rows and 200 cells that are not finite numbers"),
        (lambda t: t.assign(A=np.inf), "got 200 rows and 200 cells that are not finite numbers"),
        (lambda t: t.assign(A=2), "column 'A': expected 0 and 1; got other values"),
        (lambda t: t.assign(Y=0), "column 'Y': expected 0 and 1; got other values"),
    ],
)
def test_a_malformed_file_is_refused(
    data_folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    spoil(change, data_folder / "observational.csv")
    with pytest.raises(SourceError, match=rf"observational.csv.*{message}"):
        read_paper_data(data_folder)


def test_equal_digits_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    nearly = {name: tuple(x + 4e-7 for x in row) for name, row in TABLE_2.rows.items()}
    recomputed = (TABLE_1, TABLE_2.with_rows(nearly), TABLE_3)
    assert print_paper_tables(Console(width=118), recomputed)
    printed = capsys.readouterr().out
    assert "65 of 65 published figures agree to all printed digits." in printed
    assert "published recipe: not for release" in printed
    assert re.search(r"gan pair +0.386112 +0.386112 +0.339557", printed)


def test_one_other_digit_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    other = TABLE_2.rows | {"gan_pair": (0.386113, 0.339557, 0.329250)}
    assert not print_paper_tables(Console(width=118), (TABLE_1, TABLE_2.with_rows(other), TABLE_3))
    assert "64 of 65 published figures agree" in capsys.readouterr().out


def paper_tables(folder: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dagster_project.command_line", "paper-tables", folder],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    shown = paper_tables(str(tmp_path))
    assert shown.returncode == 2
    absent = tmp_path / "seed.csv"
    assert shown.stdout.strip() == f"source csv: expected a file at {absent}; got nothing there"
    assert "Traceback" not in shown.stderr


@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    "PAPER1_TABLES" not in os.environ,
    reason="PAPER1_TABLES names no folder of paper 1's published CSV files",
)
def test_every_published_digit_comes_out() -> None:
    shown = paper_tables(os.environ["PAPER1_TABLES"])
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "65 of 65 published figures agree to all printed digits." in shown.stdout
