"""Storage of studies: tables in DuckDB, models as folders, and a log of where all came from."""

from warehouse.arrow_tables import storable_table
from warehouse.checkpoints import CheckpointFile
from warehouse.data_version import data_version as table_data_version
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
from warehouse.models import ModelStore, ModelVersion
from warehouse.provenance import Provenance, TableVersion
from warehouse.tables import Warehouse
from warehouse.unfinished_parts import UnfinishedParts
from warehouse.user_tables import read_duckdb_table

__all__ = [
    "CheckpointFile",
    "CorruptAuditLog",
    "CorruptDocument",
    "CorruptModel",
    "CorruptTable",
    "DocumentNotFound",
    "KeyedHash",
    "ModelNotFound",
    "ModelStore",
    "ModelVersion",
    "Provenance",
    "StorageUnavailable",
    "TableNotFound",
    "TableVersion",
    "UnfinishedParts",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseError",
    "read_duckdb_table",
    "storable_table",
    "table_data_version",
]
