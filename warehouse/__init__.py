"""Storage of studies: tables in DuckDB, models as folders, and a log of where all came from."""

from warehouse.arrow_tables import storable_table
from warehouse.audit_check import AuditCheck, check_audit
from warehouse.audit_trail import AuditTrail, CheckRecord, Severity, SubjectSplit
from warehouse.checksums import CHECKSUMS, altered, checksums, folder_digests
from warehouse.connection import BoundedWait
from warehouse.data_version import data_version, data_version_of
from warehouse.databases import LakeSettings, lake_settings, stored_studies, use_storage
from warehouse.decisions import Decision, DecisionStore
from warehouse.errors import (
    CorruptAuditLog,
    CorruptDocument,
    CorruptModel,
    CorruptRelease,
    CorruptTable,
    InvalidName,
    KeyNotFound,
    ModelNotFound,
    ReleaseNotFound,
    StorageUnavailable,
    TableNotFound,
    WarehouseBusy,
    WarehouseError,
)
from warehouse.home_marker import mark_home, require_home
from warehouse.keyed_hash import KEY_FILE, KEY_VARIABLE, KeyedHash
from warehouse.lake import LakeDatabase
from warehouse.log_entries import LogEntry, Trace, latest_entry, trace
from warehouse.migration import Migration, migrate
from warehouse.model_folder import ModelVersion
from warehouse.models import ModelStore
from warehouse.pages import PageStore
from warehouse.provenance import Provenance, TableVersion
from warehouse.raw_columns import RawColumns
from warehouse.release import Release, ReleaseSlot, ReleaseStore
from warehouse.table_blocks import BLOCK_ROWS, TableBlocks, TableOfColumns
from warehouse.tables import Warehouse
from warehouse.unfinished_parts import UnfinishedParts
from warehouse.user_tables import duckdb_table_version, read_duckdb_table

__all__ = [
    "BLOCK_ROWS",
    "CHECKSUMS",
    "KEY_FILE",
    "KEY_VARIABLE",
    "AuditCheck",
    "AuditTrail",
    "BoundedWait",
    "CheckRecord",
    "CorruptAuditLog",
    "CorruptDocument",
    "CorruptModel",
    "CorruptRelease",
    "CorruptTable",
    "Decision",
    "DecisionStore",
    "InvalidName",
    "KeyNotFound",
    "KeyedHash",
    "LakeDatabase",
    "LakeSettings",
    "LogEntry",
    "Migration",
    "ModelNotFound",
    "ModelStore",
    "ModelVersion",
    "PageStore",
    "Provenance",
    "RawColumns",
    "Release",
    "ReleaseNotFound",
    "ReleaseSlot",
    "ReleaseStore",
    "Severity",
    "StorageUnavailable",
    "SubjectSplit",
    "TableBlocks",
    "TableNotFound",
    "TableOfColumns",
    "TableVersion",
    "Trace",
    "UnfinishedParts",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseError",
    "altered",
    "check_audit",
    "checksums",
    "data_version",
    "data_version_of",
    "duckdb_table_version",
    "folder_digests",
    "lake_settings",
    "latest_entry",
    "mark_home",
    "migrate",
    "read_duckdb_table",
    "require_home",
    "storable_table",
    "stored_studies",
    "trace",
    "use_storage",
]
