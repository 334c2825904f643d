"""Studies as Dagster assets over the science of `hybrid_assets` and the storage of `warehouse`."""
