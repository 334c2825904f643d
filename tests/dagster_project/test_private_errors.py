"""An error that quotes a row is read in the private file and nowhere else."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.private_errors import STEP_VARIABLE, PrivateErrors

SENTINEL = "cell-of-a-patient"

# pandas quotes the cell it cannot convert, as libraries do.
SCRIPT = """
import sys
from pathlib import Path

import dagster as dg
import pandas as pd

from dagster_project.instance import prepare_instance

prepare_instance()

from dagster_project.asset_factory import AssetFactory
from dagster_project.command_line import console
from dagster_project.definitions import RESOURCES
from dagster_project.run_display import RunDisplay
from dagster_project.study_file import read_study_file

file = Path(sys.argv[1])
make = AssetFactory(read_study_file(file), file.parent)


@make.asset("careless", deps=[], kinds=[], privacy="confidential")
def careless(run):
    return pd.read_csv(file.with_name("seed.csv"))["A"].astype(float)


result = dg.materialize(
    [careless], instance=dg.DagsterInstance.get(), resources=RESOURCES, raise_on_error=False
)
with RunDisplay(console) as display:
    for event in result.all_events:
        display(event)
"""

STUDY = """\
attributes:
  name: small
  title: A small study
  source: {kind: csv, path: seed.csv}
  treatment: A
  outcome: Y
  design: {kind: observational}
  random_seed: 1
  generators: [bootstrap]
"""


def test_a_quoted_cell_is_in_the_private_file_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "seed.csv").write_text(f"A,Y\n1,1\n{SENTINEL},2\n")
    (tmp_path / "defs.yaml").write_text(STUDY)
    shown = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "defs.yaml")],
        env={**os.environ, "HYBRID_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "failed  small__careless: Error occurred during user code execution" in shown.stdout
    assert SENTINEL not in shown.stdout + shown.stderr
    found = [f for f in home.rglob("*") if f.is_file() and SENTINEL.encode() in f.read_bytes()]
    assert found == [home / "errors" / "redacted_errors.log"]
    assert oct(found[0].stat().st_mode & 0o777) == "0o600"
    assert oct(found[0].parent.stat().st_mode & 0o777) == "0o700"


def test_an_error_that_cannot_be_written_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "errors").write_text("a file where the folder should be")
    logger = logging.Logger("private")
    logger.addHandler(PrivateErrors(tmp_path / "errors" / "redacted_errors.log"))
    try:
        float(SENTINEL)
    except ValueError:
        logger.exception("Error occurred during user code execution")
    shown = capsys.readouterr()
    assert "an error is lost" in shown.err
    assert SENTINEL not in shown.err + shown.out


def test_what_a_step_on_a_cluster_prints_is_kept_private(tmp_path: Path) -> None:
    """Ray quotes in its events what a failed step printed."""
    script = f"import dagster_project.definitions; print({SENTINEL!r}, flush=True)"
    printed = {
        key: subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            env={**os.environ, "HYBRID_HOME": str(tmp_path), **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for key, variables in {"step": {STEP_VARIABLE: "small__splits"}, "other": {}}.items()
    }
    kept = tmp_path / "errors" / "step_output.log"
    assert printed == {"step": "", "other": f"{SENTINEL}\n"}
    assert kept.read_text() == f"{SENTINEL}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
