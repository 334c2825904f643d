"""Studies as Dagster assets over the science of `hybrid_assets` and the storage of `warehouse`."""

import gc
import os

# Before torch is imported: waiting threads that spin took 5.3 s a step on a busy machine, not .7.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Modules and definitions stay: looking for garbage every 700 objects took a tenth of the loading.
gc.set_threshold(10_000)
