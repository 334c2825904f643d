"""Storage of studies: tables in DuckDB, models as folders, and a log of where all came from."""

from warehouse.arrow_tables import storable_table
from warehouse.audit_check import AuditCheck, check_audit
from warehouse.audit_trail import AuditTrail, CheckRecord, Severity, SubjectSplit
from warehouse.data_version import data_version
from warehouse.errors import (
    CorruptAuditLog,
    CorruptDocument,
    CorruptModel,
    CorruptTable,
    DocumentNotFound,
    ModelNotFound,
    StorageUnavailable,
    TableNotFound,
    WarehouseBusy,
    WarehouseError,
)
from warehouse.keyed_hash import KeyedHash
from warehouse.log_entries import LogEntry, Trace, latest_entry, trace
from warehouse.models import ModelStore, ModelVersion
from warehouse.provenance import Provenance, TableVersion
from warehouse.tables import Warehouse
from warehouse.unfinished_parts import UnfinishedParts
from warehouse.user_tables import read_duckdb_table

__all__ = [
    "AuditCheck",
    "AuditTrail",
    "CheckRecord",
    "CorruptAuditLog",
    "CorruptDocument",
    "CorruptModel",
    "CorruptTable",
    "DocumentNotFound",
    "KeyedHash",
    "LogEntry",
    "ModelNotFound",
    "ModelStore",
    "ModelVersion",
    "Provenance",
    "Severity",
    "StorageUnavailable",
    "SubjectSplit",
    "TableNotFound",
    "TableVersion",
    "Trace",
    "UnfinishedParts",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseError",
    "check_audit",
    "data_version",
    "latest_entry",
    "read_duckdb_table",
    "storable_table",
    "trace",
]
