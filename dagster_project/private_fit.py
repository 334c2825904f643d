"""A private generator is fitted once for each version of its rows and settings: a fit costs ε."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from dagster_project.asset_run import AssetRun, write_files
from dagster_project.code_version import science_version
from dagster_project.fitting import training_rows
from dagster_project.privacy_spending import ledger_metadata, spend, spent_so_far
from hybrid_assets.generators.dp import DpGenerator
from hybrid_assets.generators.private.mechanisms import OpenDpNoise
from hybrid_assets.schema import TableSchema
from warehouse import CorruptModel, ModelNotFound, UnfinishedParts

STAMP: Final = "made_from.json"
LAST_FIT: Final = "model"


def paid_law(run: AssetRun, schema: TableSchema) -> tuple[dict[str, bytes], Mapping[str, object]]:
    """Give the files of the private law and its metadata: the fit that is there, or a new one.

    A fit is kept while the rows, the declared columns and the generator's
    settings are what it was made from, whatever else is run again; newer code
    does not fit it anew. One that was made and could not be recorded is kept too.
    """
    settings = run.study.private_generators[run.generator]
    inputs = {"splits": run.version("splits"), "settings": settings.model_dump(mode="json")}
    unrecorded = _unrecorded(run, inputs)
    for fit in (_recorded_fit(run), unrecorded.state(LAST_FIT)):
        kept = _files_of(run, fit)
        if STAMP in kept and json.loads(kept[STAMP])["inputs"] == inputs and _is_of(kept, schema):
            return kept, {"fit": "kept: no new ε", **ledger_metadata(spent_so_far(run))}
    train, generator, noise = training_rows(run, schema), DpGenerator(settings), OpenDpNoise()
    generator.require_possible(train, schema)
    ledger = spend(run)
    model = generator.fit(train, schema, run.rng, noise)
    stamp = json.dumps({"inputs": inputs, "code_version": science_version()}, indent=1)
    files = {**model.to_files(), STAMP: stamp.encode()}
    saved = run.storage.models().save(lambda folder: write_files(folder, files))
    unrecorded.keep_state(LAST_FIT, saved.sha256.encode())
    return files, {"fit": "new: ε was spent", **ledger_metadata(ledger)}


def _unrecorded(run: AssetRun, inputs: dict[str, Any]) -> UnfinishedParts:
    """Give the place where a fit is known before its entry in the log, which may have to wait."""
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]
    return UnfinishedParts(run.storage.path, run.study.name, run.asset, key)


def _is_of(kept: dict[str, bytes], schema: TableSchema) -> bool:
    """Whether a fit's columns, levels, ranges and digits are these: others cannot be drawn."""
    return TableSchema.model_validate_json(kept["schema.json"]) == schema


def _recorded_fit(run: AssetRun) -> bytes | None:
    """Name the last fit, without taking it for something that this one is made from."""
    try:
        return run.warehouse.model(run.asset).sha256.encode()
    except ModelNotFound:
        return None


def _files_of(run: AssetRun, sha256: bytes | None) -> dict[str, bytes]:
    try:
        folder = run.storage.models().open((sha256 or b"").decode())
    except (ModelNotFound, CorruptModel):
        return {}
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return {name: content for name, content in files.items() if name != "manifest.json"}
