"""Where the database of a study is: a file in the home, or a lake that the home names."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import duckdb
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from warehouse.connection import BoundedWait, read_connection, write_transaction
from warehouse.errors import StorageUnavailable
from warehouse.home_marker import require_home, shared_place
from warehouse.lake import LakeDatabase, studies_in
from warehouse.names import check_study
from warehouse.private_files import make_private_folder, replace_file
from warehouse.shared_files import SharedFiles, SharedFolder, Unshared

SETTINGS = "storage.json"


class StudyDatabase(Protocol):
    """What the warehouse needs of the place where a study's database is."""

    def writing(
        self, wait: BoundedWait, run_id: str
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Run the body in one transaction, alone."""

    def reading(self, wait: BoundedWait) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Give the last committed content, read-only; a study never written is empty."""

    def snapshot(self) -> int | None:
        """Return the number of the last snapshot, None where there are none."""


@dataclass(frozen=True)
class FileDatabase:
    """The database of one study as a DuckDB file, for the processes of one host.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    """

    path: Path

    @contextmanager
    def writing(self, wait: BoundedWait, run_id: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run the body in one transaction, alone; a file keeps no snapshots to name."""
        with write_transaction(self.path, wait) as connection:
            yield connection

    @contextmanager
    def reading(self, wait: BoundedWait) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the committed content, beside other readers."""
        with read_connection(self.path, wait) as connection:
            yield connection

    def snapshot(self) -> int | None:
        """Return None: a file has one content."""


@dataclass(frozen=True)
class HomeDatabase:
    """The database of one study where its home keeps it: not used once the home was moved.

    Parameters
    ----------
    home : pathlib.Path
    lake : LakeSettings or None
        Where the home kept its studies when this was made.
    database : StudyDatabase
    """

    home: Path
    lake: "LakeSettings | None"
    database: StudyDatabase

    @contextmanager
    def writing(self, wait: BoundedWait, run_id: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run the body in one transaction, alone, unless the home was moved while we waited."""
        with self.database.writing(wait, run_id) as connection:
            self._require_in_use()
            _lake_in_use(self.home)
            yield connection
            _lake_in_use(self.home)  # files that went away meanwhile: nothing is committed

    @contextmanager
    def reading(self, wait: BoundedWait) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the last committed content, unless the home was moved while we waited."""
        with self.database.reading(wait) as connection:
            self._require_in_use()
            yield connection

    def snapshot(self) -> int | None:
        """Return the number of the last snapshot, None where there are none."""
        return self.database.snapshot()

    def _require_in_use(self) -> None:
        if lake_settings(self.home) != self.lake:
            raise StorageUnavailable(
                f"{self.home} keeps its studies elsewhere since a moment ago; run again"
            )


_PAIR = (
    r"\s*(host|hostaddr|port|dbname|user|passfile|sslmode|sslrootcert|sslcert|sslkey|"
    r"connect_timeout)\s*=\s*[\w./:,@~-]+\s*"
)


def _without_password(catalog: str) -> str:
    if not re.fullmatch(f"({_PAIR})+", catalog):
        raise ValueError(
            "expected host=… port=… dbname=… user=… (or passfile, connect_timeout and ssl files), "
            "with no password and no URI; libpq reads PGPASSWORD or the file PGPASSFILE"
        )
    return catalog


_BUCKET = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w-][\w.-]*)*"


def _place_of_files(data_path: str) -> str:
    if not (data_path.startswith("/") or re.fullmatch(_BUCKET, data_path)):
        raise ValueError("expected a folder from the root on, or s3://bucket/prefix and no more")
    return data_path


class LakeSettings(BaseModel):
    """The lake that a home keeps its studies in: its ``storage.json``.

    Attributes
    ----------
    catalog : str
        libpq connection string of the PostgreSQL database, without a password.
    data_path : str
        Of the files, the same for all hosts: a folder that they mount, or ``s3://bucket/prefix``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    catalog: Annotated[str, Field(min_length=1), AfterValidator(_without_password)]
    data_path: Annotated[str, AfterValidator(_place_of_files)]


def study_database(home: Path, study: str) -> StudyDatabase:
    """Return the database of a study, in the lake if the home names one.

    Raises
    ------
    InvalidName
        If `study` cannot name a database.
    StorageUnavailable
        If the home's ``storage.json`` cannot be read, or names files that are not its lake's.
    """
    lake = _lake_in_use(home)
    return HomeDatabase(Path(home), lake, database_in(home, study, lake))


def database_in(home: Path, study: str, lake: LakeSettings | None) -> StudyDatabase:
    """Return the database of a study in a lake, or its file if there is none."""
    if lake is None:
        return FileDatabase(Path(home) / "warehouse" / f"{check_study(study)}.duckdb")
    return LakeDatabase(check_study(study), lake.catalog, lake.data_path)


def shared_files(home: Path) -> SharedFiles:
    """Return where hosts that share a home's studies find files; raises as `study_database`."""
    lake = _lake_in_use(home)
    return Unshared() if lake is None else files_in(home, lake)


def kept_files(home: Path) -> SharedFiles:
    """Return where a home's files that are read in place are; raises as `study_database`."""
    return files_in(home, _lake_in_use(home))


def files_in(home: Path, lake: LakeSettings | None) -> SharedFiles:
    """Return the files beside the tables of a lake, or those in a home if there is none."""
    return SharedFolder(home) if lake is None else shared_place(lake.data_path)


def _lake_in_use(home: Path) -> LakeSettings | None:
    lake = lake_settings(home)
    if lake is not None:
        require_home(lake.catalog, lake.data_path)
    return lake


def stored_studies(home: Path) -> list[str]:
    """Name the studies that were ever written in a home, sorted."""
    lake = lake_settings(home)
    if lake is not None:
        return studies_in(lake.catalog)
    return sorted(file.stem for file in (Path(home) / "warehouse").glob("*.duckdb"))


def lake_settings(home: Path) -> LakeSettings | None:
    """Return the lake that a home names, None if it keeps files.

    Raises
    ------
    StorageUnavailable
        If its ``storage.json`` cannot be read.
    """
    path = Path(home) / SETTINGS
    if not path.is_file():
        return None
    try:
        return LakeSettings.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StorageUnavailable(f"{path} cannot be read; mend or remove it ({error})") from error


def use_storage(home: Path, lake: LakeSettings | None) -> None:
    """Let a home keep its studies in `lake` from now on; None for files."""
    settings = Path(home) / SETTINGS
    if lake is None:
        settings.unlink(missing_ok=True)
    else:
        make_private_folder(settings.parent)
        replace_file(settings, lake.model_dump_json(indent=2).encode())
