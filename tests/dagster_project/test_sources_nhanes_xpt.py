"""The user's own CDC files: a SAS transport file is written here, byte by byte, and read.

Layout: SAS technical support note TS-140, "The record layout of a data set in
SAS transport (XPORT) format": 80-byte records, IBM hexadecimal floating point.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from dagster_project.sources import AnySource, nhanes_xpt
from dagster_project.sources.nhanes_xpt import NhanesXptSource
from dagster_project.study_file import read_study_file
from hybrid_assets.errors import SourceError

MISSING = None
PARTS: dict[str, dict[str, list[float | None]]] = {
    "DEMO": {
        "SEQN": [62161, 62162, 62163, 62164],
        "RIDAGEYR": [80, 22, 19, 44],
        "RIAGENDR": [1, 2, 2, 2],
        "RIDRETH3": [3, 6, 7, 1],
        "DMDEDUC2": [5, 9, MISSING, 1],
        "DMDMARTL": [1, 77, MISSING, 6],
        "INDFMPIR": [0, 3.15, 5, MISSING],
    },
    "BMX": {"SEQN": [62162, 62161], "BMXBMI": [23.3, 31.25]},
    "DIQ": {"SEQN": [62161, 62162, 62163, 62164], "DIQ010": [3, 2, 2, 1]},
    "MCQ": {
        "SEQN": [62161, 62162, 62163, 62164],
        "MCQ160E": [2, 2, MISSING, 9],
        "MCQ160F": [1, 2, MISSING, 2],
    },
    "PFQ": {"SEQN": [62161, 62162, 62163, 62164], "PFQ051": [1, 2, MISSING, 2]},
    "SMQ": {"SEQN": [62161, 62162, 62163, 62164], "SMQ020": [1, 2, MISSING, 7]},
}


def ibm_float(value: float | None) -> bytes:
    """Write sign, base-16 exponent in excess 64, and a 56-bit fraction; missing is a point."""
    if value is MISSING:
        return b"." + bytes(7)
    exponent, fraction = 0, abs(float(value))
    while fraction >= 1:
        exponent, fraction = exponent + 1, fraction / 16
    while 0 < fraction < 1 / 16:
        exponent, fraction = exponent - 1, fraction * 16
    first = (0x80 if value < 0 else 0) + (64 + exponent if fraction else 0)
    return bytes([first]) + int(fraction * 2**56).to_bytes(7, "big")


def write_xpt(file: Path, name: str, columns: dict[str, list[float | None]]) -> None:
    def header(word: str, rest: str = "0" * 30) -> bytes:
        return f"HEADER RECORD*******{word:<8}HEADER RECORD!!!!!!!{rest:<30}  ".encode()

    stamp = "01JAN15:00:00:00"
    made = f"SAS     SAS     SASLIB  6.06    X64_7PRO{'':24}{stamp}{stamp}{'':64}".encode()
    member = f"SAS     {name:<8}SASDATA 6.06    X64_7PRO{'':24}{stamp}{stamp}{'':64}".encode()
    names = [
        struct.pack(
            ">hhhh8s40s8shhh2s8shhl52s",
            *(1, 0, 8, n + 1, column.ljust(8).encode(), b" " * 40, b" " * 8, 0, 0, 0),
            *(bytes(2), b" " * 8, 0, 0, 8 * n, bytes(52)),
        )
        for n, column in enumerate(columns)
    ]
    rows = zip(*columns.values(), strict=True)
    parts = [
        header("LIBRARY") + made,
        header("MEMBER", "000000000000000001600000000140"),
        header("DSCRPTR") + member,
        header("NAMESTR", f"000000{len(columns):04}" + "0" * 20) + padded(b"".join(names)),
        header("OBS") + padded(b"".join(ibm_float(v) for row in rows for v in row)),
    ]
    file.write_bytes(b"".join(parts))


def padded(record: bytes) -> bytes:
    return record + b" " * (-len(record) % 80)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for cycle, shift in (("G", 0), ("H", 10_000)):
        for part, columns in PARTS.items():
            people = [None if n is None else n + shift for n in columns["SEQN"]]
            suffix = "XPT" if cycle == "G" else "xpt"
            file = tmp_path / f"{part}_{cycle}.{suffix}"
            write_xpt(file, f"{part}_{cycle}", columns | {"SEQN": people})
    return tmp_path


def read(folder: Path) -> pd.DataFrame:
    settings = {"kind": "nhanes_xpt", "folder": "."}
    source: NhanesXptSource = TypeAdapter(AnySource).validate_python(settings)
    return source.read(folder, folder)


def test_the_files_are_as_pandas_reads_them(folder: Path) -> None:
    table = pd.read_sas(folder / "DEMO_G.XPT", format="xport")
    expected = pd.DataFrame(PARTS["DEMO"], dtype="float64")
    pd.testing.assert_frame_equal(table, expected, rtol=0, atol=1e-15)


def test_people_of_both_cycles(folder: Path) -> None:
    table = read(folder)
    # the third is a minor; the fourth does not know of a heart attack and had no stroke
    assert table["seqn"].tolist() == [62161, 62162, 72161, 72162]
    first, second = (table.iloc[row].to_dict() for row in (0, 1))
    assert first == {
        "seqn": 62161,
        "age": 80,
        "female": 0,
        "race": "Non-Hispanic White",
        "education": "College graduate",
        "marital": "Married",
        "income_ratio": 0.0,
        "bmi": 31.25,
        "smoker": 1.0,
        "diabetes": "borderline",
        "cvd": 1,
        "pfq051": 1,
    }
    assert (second["cvd"], second["pfq051"], second["female"]) == (0, 0, 1)
    assert second["bmi"] == pytest.approx(23.3, abs=1e-14)
    assert pd.isna(second["education"])
    assert pd.isna(second["marital"])


def test_the_columns_are_those_of_the_packaged_study(folder: Path) -> None:
    packaged = Path(nhanes_xpt.__file__).parents[1] / "defs" / "nhanes" / "defs.yaml"
    study = read_study_file(packaged)
    named = {*study.identifiers, *(study.covariates or ()), study.treatment, "pfq051"}
    assert set(read(folder).columns) == named


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_text(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text("<html>not found</html>") and None


def cut_off(name: str, n_bytes: int) -> Callable[[Path], None]:
    return lambda folder: (
        (folder / name).write_bytes((folder / name).read_bytes()[:-n_bytes]) and None
    )


def with_columns(name: str, columns: dict[str, list[float | None]]) -> Callable[[Path], None]:
    return lambda folder: write_xpt(folder / name, name[:5], columns)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without("PFQ_H.xpt"), "expected 12 files in .*; got none called PFQ_H.XPT$"),
        (with_text("MCQ_G.XPT"), "expected a whole SAS transport file .*MCQ_G.XPT; got something"),
        (cut_off("DEMO_G.XPT", 40), "expected a whole SAS transport file .*DEMO_G.XPT; got some"),
        (cut_off("DEMO_G.XPT", 80), "expected in .*DIQ_G.XPT the people of DEMO_G.XPT; got others"),
        (
            with_columns("MCQ_G.XPT", {"SEQN": [1], "MCQ160E": [1]}),
            "the columns SEQN, MCQ160E, MCQ160F in .*MCQ_G.XPT; got none called MCQ160F",
        ),
        (
            with_columns("PFQ_G.XPT", {"SEQN": [1, 1], "PFQ051": [1, 2]}),
            "expected one row for each person in .*PFQ_G.XPT; got repeated SEQN",
        ),
    ],
)
def test_refuses(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder)
    with pytest.raises(SourceError, match=f"source nhanes_xpt: .*{message}"):
        read(folder)


def test_an_absent_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected 12 files in .*nowhere; got none called DEMO_G"):
        NhanesXptSource(kind="nhanes_xpt", folder="nowhere").read(tmp_path, tmp_path)
