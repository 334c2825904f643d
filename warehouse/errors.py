"""What can go wrong in storage, and what to do about it.

Messages name studies, assets, columns, files and hashes, never a cell of a table: they end up in
logs and in the event database of the orchestrator.

::

    WarehouseError
    ├── InvalidName          a study, asset, table or file name that storage cannot accept
    ├── InvalidProvenance    a record of origin that cannot be logged
    ├── WarehouseBusy        someone else held the database for longer than we wait
    ├── StorageUnavailable   the disk or the file itself refuses
    ├── UnstorableTable      a table whose columns cannot be kept exactly
    ├── UnstorableModel      a model folder with files that are not allowed
    ├── TableNotFound
    ├── ModelNotFound
    ├── ReleaseNotFound
    ├── KeyNotFound
    ├── CorruptTable         stored rows are not those that the audit log describes
    ├── CorruptDocument      a decision is not the one that was logged
    ├── CorruptModel         model files are not those that were saved
    ├── CorruptRelease       files of a release are not those that were released
    └── CorruptAuditLog      the audit log was altered
"""

import os
from typing import Self


class WarehouseError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidName(WarehouseError):
    """A study, asset, table or file name that storage cannot accept."""


class InvalidProvenance(WarehouseError):
    """A provenance that the audit log cannot hold."""


class WarehouseBusy(WarehouseError):
    """Another process kept the database locked for longer than the bounded wait."""


class StorageUnavailable(WarehouseError):
    """The disk, or the database file itself, refuses to be read or written."""


class UnstorableTable(WarehouseError):
    """A table with columns that could not be read back exactly as they were written."""


class UnstorableModel(WarehouseError):
    """A model folder that is empty or holds links or pickle-carrying files."""


class TableNotFound(WarehouseError):
    """The table was never written, or not in this file."""


class ModelNotFound(WarehouseError):
    """The model was never saved, or not in this home."""


class ReleaseNotFound(WarehouseError):
    """The release was never made, or not in this home."""


class KeyNotFound(WarehouseError):
    """The home has lost the key of its keyed hashes, or never had one."""


class CorruptTable(WarehouseError):
    """Stored rows differ from those that the audit log describes."""

    @classmethod
    def differing(cls, faults: list[str]) -> Self:
        """Name the tables that are not what the audit log says."""
        return cls(
            f"stored tables differ from the audit log: {'; '.join(faults)}. Materialize those "
            "assets again, and drop tables that are not the study's"
        )


class CorruptDocument(WarehouseError):
    """A decision's file differs from the one that was logged."""


class CorruptModel(WarehouseError):
    """Model files differ from those that were saved."""


class CorruptRelease(WarehouseError):
    """Files of a release differ from those that were released."""


class CorruptAuditLog(WarehouseError):
    """The audit log was altered after it was written.

    Attributes
    ----------
    sequence : int
        First entry that is altered, missing or out of place.
    """

    def __init__(self, message: str, sequence: int) -> None:
        super().__init__(message, sequence)
        self.sequence = sequence

    def __str__(self) -> str:
        """Return the message alone."""
        return str(self.args[0])


def reason(error: Exception) -> str:
    """Name what was refused, never in a library's words: they may quote a cell."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else type(error).__name__
