"""Finished parts of a long computation, kept until its result has been recorded.

They lie in ``unfinished/<study>/<asset>/<key>/``, one file each, where the key stands for
everything the result depends on: a computation that was killed goes on from its parts, and parts
of other inputs are never taken for its own. Tables are Parquet files; a fit keeps its last state.
"""

import io
import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.errors import InvalidName
from warehouse.names import check_study, table_name
from warehouse.private_files import make_private_folder, replace_file

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
        self._of_asset = Path(home) / "unfinished" / check_study(study) / table_name(asset)
        self._folder = self._of_asset / _checked(key)

    def keep(self, name: str, part: pd.DataFrame) -> None:
        """Store one part, whole or not at all; the index is not kept."""
        buffer = io.BytesIO()
        table = pa.Table.from_pandas(part, preserve_index=False)
        pq.write_table(table, buffer, write_page_checksum=True)
        self._replace(name, _SUFFIX, buffer.getvalue())

    def keep_state(self, name: str, content: bytes) -> None:
        """Put a state in the place of the one before, whole or not at all."""
        self._replace(name, "", content)

    def state(self, name: str) -> bytes | None:
        """Give the last state kept under a name; None if there is none."""
        file = self._folder / _checked(name)
        return file.read_bytes() if file.is_file() else None

    def part(self, name: str) -> pd.DataFrame | None:
        """Give one part; None if it is not there."""
        file = self._folder / f"{_checked(name)}{_SUFFIX}"
        return _table_in(file) if file.is_file() else None

    def read(self) -> pd.DataFrame | None:
        """Give all parts in one table, by the order of their names; None if there are none.

        A part that cannot be read is removed: it will be computed again.
        """
        files = sorted(self._folder.glob(f"[!.]*{_SUFFIX}"))
        found = [part for file in files if (part := _table_in(file)) is not None]
        return pd.concat(found, ignore_index=True) if found else None

    def remove(self) -> None:
        """Forget the parts of the asset, those with other keys too."""
        shutil.rmtree(self._of_asset, ignore_errors=True)

    def _replace(self, name: str, suffix: str, content: bytes) -> None:
        make_private_folder(self._folder)
        # two runs may finish the same part, so each writes a file of its own
        own = self._folder / f".{_checked(name)}.{os.getpid()}"
        replace_file(own, content)
        own.replace(self._folder / f"{name}{suffix}")


def _table_in(file: Path) -> pd.DataFrame | None:
    """Read a part; one that cannot be read is removed."""
    try:
        table: pd.DataFrame = pq.read_table(file, page_checksum_verification=True).to_pandas()
    except PermissionError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        file.unlink(missing_ok=True)
        return None
    return table


def _checked(name: str) -> str:
    if not (name.isascii() and name.isalnum()):
        raise InvalidName(f"{name!r} cannot name a part; use letters and digits")
    return name
