"""The user's own download of the US health survey NHANES, 2011 to 2014."""

import warnings
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from dagster_project.sources.base import Source
from dagster_project.sources.nhanes_tables import XPT_COLUMNS, coded_nhanes_table
from hybrid_assets.errors import SourceError

CYCLES = ("G", "H")  # 2011-2012 and 2013-2014


class NhanesXptSource(Source):
    """Adults of both survey cycles, from SAS transport files of the CDC.

    Twelve files are expected in one folder: ``DEMO``, ``BMX``, ``DIQ``,
    ``MCQ``, ``PFQ`` and ``SMQ``, each with ``_G.XPT`` (2011-2012) and
    ``_H.XPT`` (2013-2014), in capitals or not. They lie at
    ``https://wwwn.cdc.gov/Nchs/Nhanes/``. Columns are those of
    `dagster_project.sources.nhanes_tables`; the treatment is ``cvd``, the
    outcome ``pfq051``.

    Parameters
    ----------
    folder : str
        Absolute, or relative to the study file.
    """

    kind: Literal["nhanes_xpt"]
    folder: str

    lies_in_files: ClassVar[bool] = True

    def files(self, folder: Path) -> tuple[Path, ...]:
        """List the twelve files."""
        found = self._files((folder / Path(self.folder).expanduser()).resolve())
        return tuple(found.values())

    def read(self, folder: Path, aside: Path) -> pd.DataFrame:
        """Read the files, put each person's answers into one row and recode them."""
        files = self._files((folder / Path(self.folder).expanduser()).resolve())
        cycles = [_people({p: files[p, cycle] for p in XPT_COLUMNS}) for cycle in CYCLES]
        return coded_nhanes_table(pd.concat(cycles, ignore_index=True))

    def _files(self, folder: Path) -> dict[tuple[str, str], Path]:
        here = sorted(folder.iterdir()) if folder.is_dir() else []
        by_name = {file.name.upper(): file for file in here}
        wanted = {(p, cycle): f"{p}_{cycle}.XPT" for cycle in CYCLES for p in XPT_COLUMNS}
        absent = [name for name in wanted.values() if name not in by_name]
        if absent:
            raise SourceError(
                f"source nhanes_xpt: expected {len(wanted)} files in {folder}; "
                f"got none called {', '.join(absent)}"
            )
        return {key: by_name[name] for key, name in wanted.items()}


def _people(files: dict[str, Path]) -> pd.DataFrame:
    """Merge one cycle's files on the people of its ``DEMO``."""
    people = _read_part(files["DEMO"], "DEMO")
    for word in list(XPT_COLUMNS)[1:]:
        part = _read_part(files[word], word)
        if not part["SEQN"].isin(people["SEQN"]).all():
            raise SourceError(
                f"source nhanes_xpt: expected in {files[word]} the people of "
                f"{files['DEMO'].name}; got others (a file cut off, or another year)"
            )
        people = people.merge(part, how="left", on="SEQN")
    return people


def _read_part(file: Path, part: str) -> pd.DataFrame:
    wanted = list(XPT_COLUMNS[part])
    try:
        with warnings.catch_warnings():
            # pandas only warns where the last row is cut off
            warnings.filterwarnings("error", "xport file may be corrupted", UserWarning)
            table = pd.read_sas(file, format="xport")
    except (ValueError, UserWarning):
        raise SourceError(
            f"source nhanes_xpt: expected a whole SAS transport file (version 5) at {file}; "
            "got something else"
        ) from None
    table.columns = table.columns.str.upper()
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        raise SourceError(
            f"source nhanes_xpt: expected the columns {', '.join(wanted)} in {file}; "
            f"got none called {', '.join(absent)}"
        )
    if not table["SEQN"].is_unique:
        raise SourceError(
            f"source nhanes_xpt: expected one row for each person in {file}; got repeated SEQN"
        )
    return table[wanted]
