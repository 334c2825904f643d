"""A private generator is fitted once for each version of its rows and settings: a fit costs ε."""

import json
from collections.abc import Mapping
from typing import Final

from dagster_project.asset_run import AssetRun
from dagster_project.code_version import science_version
from dagster_project.fitting import fitted
from dagster_project.privacy_spending import ledger_metadata, spend, spent_so_far
from hybrid_assets.generators import GENERATORS
from hybrid_assets.schema import TableSchema
from warehouse import ModelNotFound

STAMP: Final = "made_from.json"


def paid_law(run: AssetRun, schema: TableSchema) -> tuple[dict[str, bytes], Mapping[str, object]]:
    """Give the files of the private law and its metadata: the fit that is there, or a new one.

    A fit is kept while the rows, the declared columns and the generator's
    settings are what it was made from, whatever else is run again; newer code
    does not fit it anew.
    """
    settings = run.study.generators[run.generator]
    inputs = {"splits": run.version("splits"), "settings": settings.model_dump(mode="json")}
    kept = _kept_fit(run)
    if STAMP in kept and json.loads(kept[STAMP])["inputs"] == inputs and _is_of(kept, schema):
        return kept, {"fit": "kept: no new ε", **ledger_metadata(spent_so_far(run))}
    ledger = spend(run)
    model = fitted(run, GENERATORS[settings.kind](settings), schema)
    stamp = json.dumps({"inputs": inputs, "code_version": science_version()}, indent=1)
    files = {**model.to_files(), STAMP: stamp.encode()}
    return files, {"fit": "new: ε was spent", **ledger_metadata(ledger)}


def _is_of(kept: dict[str, bytes], schema: TableSchema) -> bool:
    """Whether a fit's columns, levels, ranges and digits are these: others cannot be drawn."""
    return TableSchema.model_validate_json(kept["schema.json"]) == schema


def _kept_fit(run: AssetRun) -> dict[str, bytes]:
    """Read the last fit, without taking it for something that this one is made from."""
    try:
        model = run.warehouse.model(run.asset)
        folder = run.storage.models().open(model)
    except ModelNotFound:
        return {}
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return {name: content for name, content in files.items() if name != "manifest.json"}
