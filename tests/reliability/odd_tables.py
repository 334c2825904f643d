"""Seed tables as people hand them in: a plain CSV file that was spoiled a few times over."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dagster_project.study_file import StudyFile
from tests.reliability.front_door import plain_study

Cells = list[list[str]]  # the header first
Spoiler = Callable[[Cells, np.random.Generator], None]
SECRET = "CELL"  # in every text cell, and never in a message

ODD_CELLS = (
    "", " ", "NA", "nan", "NaN", "null", "None", "inf", "-inf", "Infinity", "1e400", "-1e309",
    "1e308", "1e-320", "-0", "0.0", "+1", "1.", ".5", " 1", "1 ", "1,5", "1_000", "0x1A", "1e5",
    "true", "False", "2020-01-01", "12:30", "9" * 30, "9" * 400, "9223372036854775808", "-1",
    "0.1" * 3, "é", "\u0661", "\u202e", "\ufeff", "=1+1", "<script>", '"', "a\nb", "\t", "2", "3.7",
    "missing", "1" + "0" * 25, "1.7976931348623157e308", "5e-324", "0.1000000000000000055511151231",
)  # fmt: skip
ODD_NAMES = (
    "", " ", "__split", "__", "A", "a", "Y", "y", "W1_missing", "w1", "W1",
    '"; DROP TABLE audit.log; --',
    "x" * 5000, "\n", "a\nb", "é", "É", "ß", "SS", "\u202ename", "0", "1.5", "None", "nan", "index",
    "Unnamed: 0", "propensity", "__truth", "weight.1", "W1.1", "\ufeffW1", "'", "[W1]", "{{W1}}",
)  # fmt: skip


def plain_cells(rng: np.random.Generator, n_rows: int) -> Cells:
    """Give an observational study of two arms, with a covariate of every kind."""
    w1 = rng.integers(0, 2, n_rows)
    w2 = np.round(rng.normal(50.0, 10.0, n_rows), 2)
    w3 = rng.integers(0, 90, n_rows)
    w4 = rng.choice([f"{SECRET}north", f"{SECRET}south", f"{SECRET}west"], n_rows)
    treated = (rng.random(n_rows) < 0.3 + 0.4 * w1).astype(int)
    y = np.round(treated + 0.1 * w2 + rng.normal(size=n_rows), 3)
    columns = {"W1": w1, "W2": w2, "W3": w3, "W4": w4, "A": treated, "Y": y}
    rows = [[str(values[i]) for values in columns.values()] for i in range(n_rows)]
    return [list(columns), *rows]


def _column(cells: Cells, rng: np.random.Generator) -> int:
    return int(rng.integers(max(1, min(map(len, cells), default=1))))


def _fill(cells: Cells, column: int, values: list[str]) -> None:
    for row, value in zip(cells[1:], values, strict=False):
        if column < len(row):
            row[column] = value


def odd_cell(cells: Cells, rng: np.random.Generator) -> None:
    row = cells[int(rng.integers(len(cells)))]
    if row:
        row[int(rng.integers(len(row)))] = str(rng.choice(ODD_CELLS))


def odd_column(cells: Cells, rng: np.random.Generator) -> None:
    """Fill a column with one or two odd values."""
    picked = rng.choice(ODD_CELLS, int(rng.integers(1, 3)))
    _fill(cells, _column(cells, rng), [str(rng.choice(picked)) for _ in cells[1:]])


def odd_name(cells: Cells, rng: np.random.Generator) -> None:
    if cells and cells[0]:
        cells[0][int(rng.integers(len(cells[0])))] = str(rng.choice(ODD_NAMES))


def new_column(cells: Cells, rng: np.random.Generator) -> None:
    source, name = _column(cells, rng), str(rng.choice(ODD_NAMES))
    for i, row in enumerate(cells):
        row.append(name if i == 0 else (row[source] if source < len(row) else ""))


def no_column(cells: Cells, rng: np.random.Generator) -> None:
    column = _column(cells, rng)
    for row in cells:
        del row[column : column + 1]


def scaled_column(cells: Cells, rng: np.random.Generator) -> None:
    scale = 10.0 ** float(rng.integers(-320, 309))
    _fill(cells, _column(cells, rng), [repr(float(v) * scale) for v in rng.normal(size=len(cells))])


def nearly_constant(cells: Cells, rng: np.random.Generator) -> None:
    values = ["5"] * len(cells)
    for i in rng.integers(0, len(cells), int(rng.integers(0, 3))):
        values[i] = str(rng.choice(["6", "5.0000000001", "", "-5"]))
    _fill(cells, _column(cells, rng), values)


def many_levels(cells: Cells, rng: np.random.Generator) -> None:
    n_levels = int(rng.choice([2, 19, 21, 60]))
    values = [f"{SECRET}{rng.integers(n_levels)}" for _ in cells]
    _fill(cells, _column(cells, rng), values)


def numbered(cells: Cells, rng: np.random.Generator) -> None:
    start = int(rng.choice([0, 1, 2**31, 2**53, 2**62, 2**63, 2**64, -(2**63)]))
    _fill(cells, _column(cells, rng), [str(start + i) for i in range(len(cells))])


def copied_column(cells: Cells, rng: np.random.Generator) -> None:
    """Make one column another: treatment the outcome, a covariate the treatment, ..."""
    source = _column(cells, rng)
    values = [row[source] if source < len(row) else "" for row in cells[1:]]
    _fill(cells, _column(cells, rng), values)


def missing_cells(cells: Cells, rng: np.random.Generator) -> None:
    column, share = _column(cells, rng), float(rng.choice([0.02, 0.5, 0.98]))
    for row in cells[1:]:
        if column < len(row) and rng.random() < share:
            row[column] = ""


def ragged(cells: Cells, rng: np.random.Generator) -> None:
    row = cells[int(rng.integers(len(cells)))]
    row.extend(["7"] * int(rng.integers(1, 4))) if rng.random() < 0.5 else row.clear()


def repeated_rows(cells: Cells, rng: np.random.Generator) -> None:
    cells.extend([list(cells[-1]) for _ in range(int(rng.integers(1, 30)))])


def no_header(cells: Cells, rng: np.random.Generator) -> None:
    del cells[0]
    if not cells:
        cells.append([])


SPOILERS: tuple[Spoiler, ...] = (
    odd_cell,
    odd_cell,
    odd_column,
    odd_name,
    new_column,
    no_column,
    scaled_column,
    nearly_constant,
    many_levels,
    numbered,
    copied_column,
    missing_cells,
    ragged,
    repeated_rows,
    no_header,
)


def written(cells: Cells, separator: str = ",") -> bytes:
    """Write cells as they are: quoted where a CSV writer would, but for the odd ones."""
    return "\n".join(separator.join(map(_quoted, row)) for row in cells).encode(
        "utf-8", "surrogatepass"
    )


def _quoted(cell: str) -> str:
    return f'"{cell}"' if "\n" in cell or "," in cell else cell


def spoiled_bytes(content: bytes, way: str, rng: np.random.Generator) -> bytes:
    if way == "truncated":
        return content[: int(rng.integers(len(content) + 1))]
    if way == "flipped" and content:
        changed = bytearray(content)
        for at in rng.integers(0, len(changed), 3):
            changed[at] = int(rng.integers(256))
        return bytes(changed)
    text = content.decode("utf-8", "replace")
    if way == "utf-16":
        return text.encode("utf-16")
    if way == "bom":
        return b"\xef\xbb\xbf" + content
    if way in ("\r\n", "\r"):
        return text.replace("\n", way).encode()
    return content


WAYS = ("as is",) * 12 + ("truncated", "flipped", "utf-16", "bom", "\r\n", "\r")


def csv_file(seed: int, n_rows: int, spoilers: list[Spoiler], way: str) -> bytes:
    """Write a table of `n_rows` people, spoiled in turn; the same arguments give the same bytes."""
    rng = np.random.default_rng(seed)
    cells = plain_cells(rng, n_rows)
    for spoil in spoilers:
        spoil(cells, rng)
    return spoiled_bytes(written(cells), way, rng)


SIZES = (0, 1, 19, 24, 40, 40, 60, 60, 130)
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"missing": "drop_rows"},
    {"missing": "impute"},
    {"missing": "category"},
    {"covariates": ["W1", "W2"]},
    {"covariates": {"W1": {"kind": "categorical"}, "W2": {"decimals": 12}, "W4": None}},
    {
        "covariates": {
            "W1": {"kind": "ordinal", "levels": [0, 1]},
            "W2": {"decimals": 0},
            "W3": {"kind": "categorical", "missing": "impute"},
        }
    },
    {"identifiers": ["W3"]},
    {"design": {"kind": "trial", "probability": 0.5}},
    {"subgroups": ["W1"], "estimands": ["ate", "risk_ratio"]},
    {"outcome_decimals": 12},
)
STUDIES = tuple(plain_study(**settings) for settings in SETTINGS)

csv_files = st.builds(
    csv_file,
    st.integers(0, 2**32 - 1),
    st.sampled_from(SIZES),
    st.lists(st.sampled_from(SPOILERS), max_size=4),
    st.sampled_from(WAYS),
)


def seeded_table(rng: np.random.Generator) -> bytes:
    """Draw one of the tables that `csv_files` gives."""
    spoilers = [SPOILERS[i] for i in rng.integers(len(SPOILERS), size=int(rng.integers(5)))]
    n_rows, way = int(rng.choice(SIZES)), WAYS[int(rng.integers(len(WAYS)))]
    return csv_file(int(rng.integers(2**32)), n_rows, spoilers, way)


def seeded_settings(rng: np.random.Generator) -> StudyFile:
    """Draw one of `STUDIES`."""
    return STUDIES[int(rng.integers(len(STUDIES)))]
