"""What `hybrid run` says of a study it cannot run: the file, the line, the fault, once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Hybrid = Callable[..., subprocess.CompletedProcess[str]]

COMPLETION = "from dagster_project.command_line import app; app(prog_name='hybrid')"
GOOD_FILE = """\
type: dagster_project.component.StudyComponent
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


@pytest.fixture
def hybrid(tmp_path: Path) -> Hybrid:
    def run(*arguments: str, studies: Path) -> subprocess.CompletedProcess[str]:
        home = {"HYBRID_HOME": str(tmp_path / "home"), "HYBRID_STUDIES": str(studies)}
        return subprocess.run(
            [sys.executable, "-m", "dagster_project.command_line", *arguments],
            env={**os.environ, **home},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def study_folder(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "studies"
    (folder / "small").mkdir(parents=True)
    (folder / "small" / "defs.yaml").write_text(text)
    return folder


def refusal(shown: subprocess.CompletedProcess[str]) -> str:
    assert shown.returncode == 2, shown.stdout + shown.stderr
    assert "Traceback" not in shown.stdout + shown.stderr
    return shown.stdout.strip()


def test_an_unknown_study_is_refused_with_the_known_ones(hybrid: Hybrid, tmp_path: Path) -> None:
    said = refusal(hybrid("run", "smal", studies=study_folder(tmp_path, GOOD_FILE)))
    known = "actg175, nhanes, nhefs, paper_observational, paper_trial, paper_trial_published, small"
    assert said == f"unknown study smal; known: {known}"


def test_a_seed_version_that_is_none_is_refused(hybrid: Hybrid, tmp_path: Path) -> None:
    folder = study_folder(tmp_path, GOOD_FILE)
    said = refusal(hybrid("run", "nhefs", "--seed-version", "2026-01", studies=folder))
    assert said == "study 'nhefs': seed version '2026-01': expected a file source"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("  outcom: Y", "11: attributes.outcom: Extra inputs are not permitted"),
        ("  - [bootstrap", "11: while parsing a block mapping: expected <block end>, but found"),
    ],
)
def test_a_broken_study_file_is_refused_with_its_line(
    hybrid: Hybrid, tmp_path: Path, line: str, fault: str
) -> None:
    folder = study_folder(tmp_path, f"{GOOD_FILE}{line}\n")
    said = refusal(hybrid("run", "nhefs", studies=folder))
    assert said.startswith(f"{folder / 'small' / 'defs.yaml'}:{fault}")
    assert "\n" not in said


def test_an_absent_folder_of_studies_is_refused(hybrid: Hybrid, tmp_path: Path) -> None:
    absent = tmp_path / "none"
    said = refusal(hybrid("run", "nhefs", studies=absent))
    assert said == f"HYBRID_STUDIES: expected a folder at {absent}; got none"


def test_a_failure_is_printed_once(hybrid: Hybrid, tmp_path: Path) -> None:
    shown = hybrid("run", "small", studies=study_folder(tmp_path, GOOD_FILE))
    assert shown.returncode == 1
    assert shown.stdout.count("source csv: expected a file at") == 1
    assert "Traceback" not in shown.stdout + shown.stderr


def test_the_shell_completes_commands_and_studies(hybrid: Hybrid, tmp_path: Path) -> None:
    completing = {"_HYBRID_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    for words, expected in (("hybrid check nh", "nhanes\nnhefs"), ("hybrid run sma", "small")):
        shown = subprocess.run(
            [sys.executable, "-c", COMPLETION],
            env={
                **os.environ,
                **completing,
                "COMP_WORDS": words,
                "HYBRID_STUDIES": str(study_folder(tmp_path / words[-3:], GOOD_FILE)),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.stdout.split() == expected.split(), shown.stderr


def test_a_trial_of_an_unknown_generator_is_refused(hybrid: Hybrid, tmp_path: Path) -> None:
    shown = hybrid("run", "small", "--generator", "gan", studies=study_folder(tmp_path, GOOD_FILE))
    assert refusal(shown) == "study 'small': expected generators of bootstrap; got gan"


def test_json_is_all_that_is_printed(hybrid: Hybrid, tmp_path: Path) -> None:
    shown = hybrid("run", "small", "--json", studies=study_folder(tmp_path, GOOD_FILE))
    (told,) = json.loads(shown.stdout)
    assert (shown.returncode, told["study"], told["success"]) == (1, "small", False)
    assert "source csv: expected a file at" in told["failures"][0]


def test_no_report_yet_says_how_to_make_one(hybrid: Hybrid, tmp_path: Path) -> None:
    shown = hybrid("report", "small", studies=study_folder(tmp_path, GOOD_FILE))
    assert shown.returncode == 1
    assert shown.stdout.strip() == "no report of small yet; make it with: hybrid run small"
