"""A seed table whose every cell can be recognised, and the search for its cells in files."""

import base64
import re
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

N_PEOPLE = 240
TOKEN = "ptcanary"
NUMBERS = {"income": 735, "weight": 846, "score": 957}  # first digits of six before the point
CELL_NUMBER = re.compile(rb"(?<![\d.])(?:735|846|957)\d{3}\.\d{2,}")
PNG_IN_PAGE = re.compile(rb"data:image/png;base64,([A-Za-z0-9+/=]+)")
PNG_START = b"\x89PNG\r\n\x1a\n"
SQLITE_START = b"SQLite format 3\0"


def canary_table(random_seed: int = 3) -> pd.DataFrame:
    """Give 240 people; no value is shared by ten but arms, smoking and the site elsewhere.

    Numbers keep six decimals, so that two in print tell a cell from a mean.
    """
    rng = np.random.default_rng(random_seed)
    people = np.arange(N_PEOPLE)
    arm = rng.permutation(people % 2)
    table = {
        "patient": [f"{TOKEN}{i:04d}" for i in people],
        "arm": arm,
        "smoker": rng.integers(0, 2, N_PEOPLE),
        # nine people each, and the others elsewhere: a study refuses more levels than that
        "site": [f"{TOKEN}site{i // 9:02d}" if i < 207 else "elsewhere" for i in people],
    }
    for i, (name, digits) in enumerate(NUMBERS.items()):
        spread = 500 + 120 * rng.normal(size=N_PEOPLE) + 60 * i * arm
        table[name] = np.round(1000 * digits + np.clip(spread, 1, 998), 6)
    return pd.DataFrame(table)


def found_cells(content: bytes, table: pd.DataFrame) -> set[str]:
    """Give the cells of `table` that stand in `content`: as text, rounded, or as float64."""
    numbers = table[list(NUMBERS)].to_numpy().ravel()
    found = {TOKEN} if TOKEN.encode() in content else set()
    rounded: dict[int, set[str]] = {}
    for match in CELL_NUMBER.finditer(content):
        text = match.group().decode()
        decimals = min(len(text.partition(".")[2]), 6)
        if decimals not in rounded:
            rounded[decimals] = {f"{x:.{decimals}f}" for x in numbers}
        if f"{float(text):.{decimals}f}" in rounded[decimals]:
            found.add(text)
    return found | {f"float64 {x}" for x in numbers if struct.pack("<d", x) in content}


def searchable(content: bytes) -> Iterator[bytes]:
    """Give a file's bytes, and what is packed inside: database rows, pictures, their texts."""
    yield content
    if content.startswith(SQLITE_START):  # its pages cut long values
        for value in sqlite_values(content):
            yield from searchable(value)
    elif content.startswith(PNG_START):
        yield from png_texts(content)
    else:
        for packed in PNG_IN_PAGE.findall(content):
            yield from png_texts(base64.b64decode(packed))


def sqlite_values(content: bytes) -> Iterator[bytes]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(content[:18] + b"\1\1" + content[20:])  # no write-ahead log beside it
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in database.execute(f'SELECT * FROM "{name}"'):
                yield "\n".join(map(str, row)).encode()


def png_texts(content: bytes) -> Iterator[bytes]:
    """Give the text chunks of a PNG, unpacked."""
    at = len(PNG_START)
    while at + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        if kind in (b"tEXt", b"iTXt"):
            yield content[at + 8 : at + 8 + length]
        elif kind == b"zTXt":
            keyword, _, rest = content[at + 8 : at + 8 + length].partition(b"\0")
            yield keyword + zlib.decompress(rest[1:])
        at += 12 + length


def leaks(folder: Path, table: pd.DataFrame, *, left_out: Iterable[str]) -> dict[str, set[str]]:
    """Map each file below `folder` to the cells found in it; `left_out` are path patterns."""
    patterns = tuple(left_out)
    found = {}
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if not file.is_file() or any(path.match(pattern) for pattern in patterns):
            continue
        cells = set().union(*(found_cells(part, table) for part in searchable(file.read_bytes())))
        if cells:
            found[path.as_posix()] = cells
    return found
