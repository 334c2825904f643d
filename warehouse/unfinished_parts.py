"""Finished parts of a long computation, kept until its result has been recorded.

They lie in ``unfinished/<study>/<asset>/<key>/``, one file each, where the key stands for
everything the result depends on: a computation that was killed goes on from its parts, and parts
of other inputs are never taken for its own. Tables are Parquet files; a fit keeps its last state.
Hosts that share studies share these too: a step that is tried again on another host goes on.
"""

import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.databases import kept_files
from warehouse.errors import InvalidName
from warehouse.names import check_study, table_name

_SUFFIX = ".parquet"


class UnfinishedParts:
    """The parts of one computation.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state.
    study : str
        Name of the study.
    asset : str
        Such as ``"gan/estimator_benchmark"``.
    key : str
        Letters and digits: a hash of all that the result depends on.

    Raises
    ------
    InvalidName
        If a name or the key cannot name a folder; from `keep`, if `name` cannot name a file.
    """

    def __init__(self, home: Path, study: str, asset: str, key: str) -> None:
        self._files = kept_files(home)
        self._of_asset = f"unfinished/{check_study(study)}/{table_name(asset)}"
        self._folder = f"{self._of_asset}/{_checked(key)}"

    def keep(self, name: str, part: pd.DataFrame) -> None:
        """Store one part, whole or not at all; the index is not kept."""
        buffer = io.BytesIO()
        table = pa.Table.from_pandas(part, preserve_index=False)
        pq.write_table(table, buffer, write_page_checksum=True)
        self._files.put(self._named(f"{_checked(name)}{_SUFFIX}"), buffer.getvalue())

    def keep_state(self, name: str, content: bytes) -> None:
        """Put a state in the place of the one before, whole or not at all."""
        self._files.put(self._named(_checked(name)), content)

    def state(self, name: str) -> bytes | None:
        """Give the last state kept under a name; None if there is none."""
        return self._files.get(self._named(_checked(name)))

    def part(self, name: str) -> pd.DataFrame | None:
        """Give one part; None if it is not there."""
        return self._table_in(self._named(f"{_checked(name)}{_SUFFIX}"))

    def read(self) -> pd.DataFrame | None:
        """Give all parts in one table, by the order of their names; None if there are none.

        A part that cannot be read is removed: it will be computed again.
        """
        names = (name for name in self._files.names(self._folder) if name.endswith(_SUFFIX))
        found = [part for name in names if (part := self._table_in(name)) is not None]
        return pd.concat(found, ignore_index=True) if found else None

    def remove(self) -> None:
        """Forget the parts of the asset, those with other keys too."""
        self._files.remove(self._of_asset)

    def _named(self, file: str) -> str:
        return f"{self._folder}/{file}"

    def _table_in(self, name: str) -> pd.DataFrame | None:
        """Read a part; one that cannot be read is removed."""
        content = self._files.get(name)
        if content is None:
            return None
        try:
            table = pq.read_table(io.BytesIO(content), page_checksum_verification=True)
            part: pd.DataFrame = table.to_pandas()
        except (pa.ArrowException, OSError, UnicodeDecodeError):
            self._files.remove(name)
            return None
        return part


def _checked(name: str) -> str:
    if not (name.isascii() and name.isalnum()):
        raise InvalidName(f"{name!r} cannot name a part; use letters and digits")
    return name
