"""One materialization: what is written is recorded, with what was read for it."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import BaseModel

from dagster_project.asset_inputs import PICTURE, AssetInputs
from dagster_project.check_log import check_records, provenance
from dagster_project.code_version import science_version
from dagster_project.display import column_schema, picture
from dagster_project.resources import ComputeDevice
from dagster_project.study_file import StudyFile
from hybrid_assets.report.canvas import labelled_png
from warehouse import (
    AuditTrail,
    CheckRecord,
    ModelVersion,
    Provenance,
    ReleaseSlot,
    TableBlocks,
    UnfinishedParts,
)

AssetResult = dg.MaterializeResult[Any]


def shown(drawn: bytes | None) -> dict[str, dg.MarkdownMetadataValue]:
    """Give the metadata entry of an asset's picture, if it has one."""
    return {} if drawn is None else {"picture": picture(drawn, "picture of the result")}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write named contents below a folder."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def asset_key(study: StudyFile, asset: str) -> dg.AssetKey:
    """Give the Dagster key of a study's asset: ``study/asset`` or ``study/generator/asset``."""
    return dg.AssetKey([study.name, *asset.split("/")])


@dataclass
class AssetRun(AssetInputs):
    """What an asset body works with: its study, its inputs, and where its result goes.

    Parameters
    ----------
    study, folder, asset, storage
        See `AssetInputs`.
    context : AssetExecutionContext
        Of the Dagster step.
    compute : ComputeDevice
        Where pretrained models are fitted.
    """

    context: dg.AssetExecutionContext
    compute: ComputeDevice
    _clock: float = field(default_factory=time.perf_counter)

    @property
    def instance(self) -> dg.DagsterInstance:
        """What remembers how asset checks ended."""
        instance: dg.DagsterInstance = self.context.instance
        return instance

    @property
    def audit_trail(self) -> AuditTrail:
        """What the study's audit log answers."""
        return self.storage.audit_trail(self.study.name)

    @property
    def rng(self) -> np.random.Generator:
        """The asset's own random stream, from its start."""
        return self.study.random_generator(self.asset)

    def unfinished_parts(self) -> UnfinishedParts:
        """Give the place for finished parts of this asset, made from what was read so far."""
        stated = [self.study.content_hash, science_version(), sorted(self.upstream.items())]
        key = hashlib.sha256(repr(stated).encode()).hexdigest()[:32]
        return UnfinishedParts(self.storage.path, self.study.name, self.asset, key)

    def observe(self, metadata: Mapping[str, Any]) -> None:
        """Tell the event log, and so the UI and the terminal, how far the asset is."""
        key = asset_key(self.study, self.asset)
        self.context.log_event(dg.AssetObservation(key, metadata=dict(metadata)))

    def in_blocks(self, blocks: Iterable[pd.DataFrame]) -> TableBlocks:
        """Lay the rows of the asset's table aside, a block at a time, until it is recorded."""
        return self.warehouse.in_blocks(blocks)

    def in_columns(self, columns: Iterable[pd.Series]) -> TableBlocks:
        """Do the same, a column at a time."""
        return self.warehouse.in_columns(columns)

    def record_table(
        self,
        table: pd.DataFrame | TableBlocks,
        *,
        files: Mapping[str, bytes] | None = None,
        drawn: bytes | None = None,
        comments: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        checks: Iterable[dg.AssetCheckResult] = (),
    ) -> AssetResult:
        """Write the asset's table (with the files and the picture beside it) and describe it."""
        # refused before anything is written
        content = table if isinstance(table, TableBlocks) else self.in_blocks([table])
        drawn = self._labelled(drawn)
        model = None
        if files is not None or drawn is not None:
            model = self._saved(files or {}, drawn)
        results = list(checks)
        version = self.warehouse.record_table(
            self.asset,
            content,
            self.origin(),
            column_comments=comments,
            model=model,
            label=self.study.label,
            checks=self._records(content.data_version, results),
        )
        described = {
            "dagster/row_count": version.n_rows,
            "dagster/table_name": f"{self.study.name}.main.{version.table_name}",
            "dagster/column_schema": column_schema(content.schema, comments or {}),
            "waited_seconds": round(version.waited_seconds, 3),
        }
        own = {**shown(drawn), **(metadata or {})}  # shown first, and may withhold what follows
        return self._result(version.data_version, own | (described | own), results)

    def record_model(
        self,
        files: Mapping[str, bytes],
        *,
        drawn: bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
        checks: Iterable[dg.AssetCheckResult] = (),
    ) -> AssetResult:
        """Write the asset's model files and describe them."""
        drawn = self._labelled(drawn)
        model = self._saved(files, drawn)
        results = list(checks)
        records = self._records(model.sha256, results)
        self.warehouse.record_model(self.asset, model, self.origin(), checks=records)
        described = {"model_sha256": model.sha256, "model_bytes": model.n_bytes}
        metadata = {**shown(drawn), **(metadata or {}), **described}
        return self._result(model.sha256, metadata, results)

    def record_document(
        self, content: str, *, metadata: Mapping[str, Any] | None = None
    ) -> AssetResult:
        """Write the asset's page and describe it."""
        page = content.encode()
        path = self.storage.pages(self.study.name).record(self.asset, page, self.origin())
        link = {"page": dg.MetadataValue.path(str(path))}
        version = hashlib.sha256(page).hexdigest()
        return self._result(version, {**link, **(metadata or {})})

    def record_release(self, make: Callable[[ReleaseSlot], Mapping[str, IO[bytes]]]) -> AssetResult:
        """Write the asset's release under the next number and describe it."""
        releases = self.storage.releases(self.study.name)
        release = releases.write(self.asset, make, self.origin())
        described = {
            "release": release.number,
            "folder": dg.MetadataValue.path(str(release.folder)),
            "files": sorted(file.name for file in release.folder.iterdir()),
        }
        return self._result(release.sha256, described)

    def record_decision(self, name: str, decision: BaseModel) -> None:
        """Log a person's decision about the asset, as an entry of its own."""
        document = decision.model_dump_json().encode()
        self.storage.decisions(self.study.name).record(name, document, self.origin())

    def _labelled(self, drawn: bytes | None) -> bytes | None:
        label = self.study.label
        return labelled_png(drawn, label) if drawn is not None and label else drawn

    def _saved(self, files: Mapping[str, bytes], drawn: bytes | None) -> ModelVersion:
        kept = {**files, **({PICTURE: drawn} if drawn is not None else {})}
        return self._models.save(lambda folder: write_files(folder, kept))

    def origin(self) -> Provenance:
        """Say where a result comes from that is made of what was read so far."""
        run_id = self.context.run.run_id
        return provenance(self.study, run_id, self.upstream, seconds=self._seconds)

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._clock

    def _records(self, version: str, checks: list[dg.AssetCheckResult]) -> list[CheckRecord]:
        specs = self.context.assets_def.check_specs if checks else ()
        return check_records(self.asset, version, checks, specs)

    def _result(
        self,
        version: str,
        metadata: Mapping[str, Any],
        checks: Sequence[dg.AssetCheckResult] = (),
    ) -> AssetResult:
        common: dict[str, Any] = {
            "seconds": round(self._seconds, 3),
            "device": "cpu",
            "random_seed": self.study.random_seed,
            "study_hash": self.study.content_hash,
            "upstream_versions": dict(self.upstream),
            **({"recipe": self.study.label} if self.study.label else {}),
        }
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version),
            # shown in this order: a person looks for the result, not for the bookkeeping
            metadata={**metadata, **common, **metadata},
            check_results=checks,
        )
