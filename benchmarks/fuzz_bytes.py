"""Bytes that a coverage-guided fuzzer (atheris, libFuzzer) finds, through the two front doors.

    python -m benchmarks.fuzz_bytes csv -runs=20000 -timeout=60
    python -m benchmarks.fuzz_bytes yaml -runs=20000 -timeout=60

Starts from plain files; what is not a run or one refusal in own words is a crash, whose input
libFuzzer keeps.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hybrid_assets", "dagster_project.sources", "yaml"]):
    from tests.reliability.front_door import outcome_of_study_file, outcome_of_table
    from tests.reliability.odd_study_files import FILES
    from tests.reliability.odd_tables import STUDIES, csv_file

FOLDER = Path(tempfile.mkdtemp())


def table(data: bytes) -> None:
    """Take bytes for a CSV file; the first chooses the study."""
    number = data[0] % len(STUDIES) if data else 0
    outcome_of_table(data[1:], STUDIES[number], FOLDER, whole=False)


def study_file(data: bytes) -> None:
    """Take bytes for a study file."""
    outcome_of_study_file(data, FOLDER / "defs.yaml")


def main() -> None:
    """Fuzz what the first argument names; the others are libFuzzer's."""
    what, *options = sys.argv[1:]
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    plain = FILES if what == "yaml" else [b"\0" + csv_file(i, 24, [], "as is") for i in range(5)]
    for number, content in enumerate(plain):
        (corpus / str(number)).write_bytes(content)
    warnings.simplefilter("error")
    take = {"csv": table, "yaml": study_file}[what]
    atheris.Setup([sys.argv[0], *options, str(corpus)], take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
