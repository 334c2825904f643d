"""Pages about a study, named by their content: ``pages/<study>/<asset>/<sha256>.html``.

The page that counts is the one that the log names, so that one whose writer was killed before he
logged it takes nobody's place. Each home has a copy to look at, ``reports/<study>/<asset>.html``.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from warehouse import audit_log, catalog
from warehouse.audit_log import Materialization
from warehouse.connection import BoundedWait
from warehouse.databases import kept_files, study_database
from warehouse.errors import CorruptDocument
from warehouse.log_entries import LogEntry
from warehouse.names import check_study, table_name
from warehouse.provenance import Provenance
from warehouse.shared_files import SharedFolder


class PageStore:
    """The pages of one study.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state.
    study : str
        Name of the study.
    wait_seconds : float
        How long a call waits for other processes before it raises `WarehouseBusy`.
    """

    def __init__(self, home: Path, study: str, *, wait_seconds: float = 120.0) -> None:
        self.study = check_study(study)
        self._home = Path(home)
        self._files = kept_files(home)
        self._database = study_database(home, study)
        self._wait_seconds = wait_seconds

    def record(self, asset: str, content: bytes, provenance: Provenance) -> Path:
        """Keep a page and log where it came from; return the copy in this home.

        The page before it stays for who is reading it; what is neither is removed.
        """
        version = _sha256(content)
        name = self._name(asset, version)
        made = Materialization(asset, "document", version, None, provenance)
        with self._database.writing(self._wait(), provenance.run_id) as connection:
            before = catalog.logged_version(connection, asset, "document")
            self._files.put(name, content)
            self._sweep(asset, but={version, before})
            audit_log.append_entry(connection, made)
        return self._shown(asset, content)

    def file(self, asset: str) -> Path:
        """Return the copy in this home of the page that was logged last; no file if there is none.

        Raises
        ------
        CorruptDocument
            If the page is not what was logged.
        """
        version, copy = self._logged(asset), self._copy(asset)
        if version is None or (copy.is_file() and _sha256(copy.read_bytes()) == version):
            return copy
        name = self._name(asset, version)
        content = self._files.get(name)
        if content is not None and _sha256(content) == version:
            return self._shown(asset, content)
        if self._logged(asset) != version:  # replaced since we looked
            return self.file(asset)
        raise CorruptDocument(
            f"{self._files.place}/{name} is not what was logged as {asset}; make it again, or "
            "restore it from a backup"
        )

    def faults(self, entries: Iterable[LogEntry]) -> Iterator[str]:
        """Name each page that is not there as it was logged, by all entries of pages in the log."""
        logged: dict[str, list[LogEntry]] = {}
        for entry in entries:
            logged.setdefault(entry.asset, []).append(entry)
        for asset, versions in logged.items():
            last = versions[-1]
            content = self._files.get(self._name(asset, last.data_version))
            document = f"audit log entry {last.sequence}: the document {asset}"
            if content is None:
                yield f"{document} is missing"
            elif _sha256(content) != last.data_version:
                yield f"{document} was altered"
            copy = self._copy(asset)
            known = {entry.data_version for entry in versions}
            if copy.is_file() and _sha256(copy.read_bytes()) not in known:
                yield f"{document} was altered in its copy {copy}; hybrid report mends it"

    def _logged(self, asset: str) -> str | None:
        with self._database.reading(self._wait()) as connection:
            return catalog.logged_version(connection, asset, "document")

    def _sweep(self, asset: str, *, but: set[str | None]) -> None:
        for name in self._files.names(f"pages/{self.study}/{table_name(asset)}"):
            if Path(name).stem not in but:
                self._files.remove(name)

    def _shown(self, asset: str, content: bytes) -> Path:
        copy = self._copy(asset)
        SharedFolder(self._home).put(copy.relative_to(self._home).as_posix(), content)
        return copy

    def _copy(self, asset: str) -> Path:
        return self._home / "reports" / self.study / f"{table_name(asset)}.html"

    def _name(self, asset: str, version: str) -> str:
        return f"pages/{self.study}/{table_name(asset)}/{version}.html"

    def _wait(self) -> BoundedWait:
        return BoundedWait(f"the warehouse of study {self.study!r}", self._wait_seconds)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
