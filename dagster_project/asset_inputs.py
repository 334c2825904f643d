"""What an asset is made from: what was read is remembered."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dagster_project.canonical_rows import CanonicalRows
from dagster_project.resources import StorageResource
from dagster_project.stored_columns import StoredColumns
from dagster_project.study_file import StudyFile
from hybrid_assets.blocks import SAMPLE_ROWS, drawing_note
from hybrid_assets.schema import TableSchema
from warehouse import TableBlocks, Warehouse

PICTURE = "pictures/picture.png"
FILES_SUFFIX = " (files)"  # of an upstream asset read for its files
SEED_VERSION = "seed version (source)"
SPLIT = "__split"  # column of splits: train or holdout
DRAWN = "drawn.json"  # beside splits, where not all people are in them


def drawn_file(n_people: int) -> dict[str, bytes]:
    """Give the file that keeps of how many people those of ``splits`` were drawn, if they were."""
    return {DRAWN: str(n_people).encode()} if drawing_note(n_people) else {}


@dataclass
class AssetInputs:
    """The upstream tables and files of one materialization.

    Parameters
    ----------
    study : StudyFile
        The study.
    folder : Path
        Of the study file.
    asset : str
        Name within the study, such as ``gan/hybrid_triplets``.
    storage : StorageResource
        Tables and models.

    Attributes
    ----------
    upstream : dict of str to str
        Asset -> version, of what was read so far.
    """

    study: StudyFile
    folder: Path
    asset: str
    storage: StorageResource
    upstream: dict[str, str] = field(init=False, default_factory=dict)
    _stored: dict[str, tuple[TableBlocks, str]] = field(
        init=False, default_factory=dict, repr=False
    )

    def __post_init__(self) -> None:
        self._warehouse = self.storage.warehouse(self.study.name)
        self._models = self.storage.models()

    @property
    def generator(self) -> str:
        """Name of the generator whose branch this asset is on."""
        return self.asset.rpartition("/")[0]

    @property
    def warehouse(self) -> Warehouse:
        """The study's storage, for what is asked of it beside tables and files."""
        return self._warehouse

    def version(self, asset: str) -> str:
        """Give the version of an upstream table, of the rows that were read if any were."""
        if asset not in self._stored:
            self.upstream[asset] = self.warehouse.table_version(asset).data_version
        return self.upstream[asset]

    def stored(self, asset: str) -> TableBlocks:
        """Read an upstream table, a block at a time, and remember its version."""
        if asset not in self._stored:
            self._stored[asset] = self.warehouse.read_blocks(asset)
        table, self.upstream[asset] = self._stored[asset]
        return table

    def table(self, asset: str) -> pd.DataFrame:
        """Read all rows of an upstream table and remember its version."""
        frame: pd.DataFrame = self.stored(asset).whole().to_pandas()
        return frame

    def columns(self, asset: str) -> StoredColumns:
        """Read an upstream table, a column at a time, and remember its version."""
        return StoredColumns(self.stored(asset))

    def rows(self, asset: str, schema: TableSchema) -> CanonicalRows:
        """Read the rows of an upstream table in the dtypes of a schema; remember its version."""
        return CanonicalRows(self.stored(asset), schema)

    def sampled(self, asset: str) -> pd.DataFrame:
        """Read `SAMPLE_ROWS` random rows, the same for every reader; all where there are fewer."""
        rng = self.study.random_generator(f"{asset}/sample")
        frame: pd.DataFrame = self.stored(asset).sample(SAMPLE_ROWS, rng).to_pandas()
        return frame

    def sample(self, asset: str, schema: TableSchema) -> pd.DataFrame:
        """Read the same rows with the canonical dtypes of a schema."""
        return schema.canonical(self.sampled(asset))

    def remember_source(self, what: str, rows: TableBlocks) -> None:
        """Remember the version of rows that came from no asset of the study, such as a donor's."""
        self.upstream[f"{what} (source)"] = rows.data_version

    def remember_seed_version(self) -> dict[str, str]:
        """Remember which version of the seed is read; give it as metadata, if there are several."""
        version = self.study.source.version_read(self.folder)
        if not version:
            return {}
        self.upstream[SEED_VERSION] = version
        return {"seed_version": version}

    def files(self, asset: str) -> dict[str, bytes]:
        """Read the files of an upstream asset, but its picture, and remember their version."""
        folder = self._model_folder(asset)
        return {
            file.name: file.read_bytes()
            for file in sorted(folder.iterdir())
            if file.is_file() and file.name != "manifest.json"
        }

    def picture(self, asset: str) -> bytes | None:
        """Read the picture that an upstream asset keeps, if it keeps one."""
        file = self._model_folder(asset) / PICTURE
        return file.read_bytes() if file.is_file() else None

    def schema(self, asset: str = "splits") -> TableSchema:
        """Read the layout of the study's tables."""
        return TableSchema.model_validate_json(self.files(asset)["schema.json"])

    def _model_folder(self, asset: str) -> Path:
        model = self.warehouse.model(asset)
        self.upstream[f"{asset}{FILES_SUFFIX}"] = model.sha256
        return self._models.open(model)

    def part(self, split: str, schema: TableSchema) -> pd.DataFrame:
        """Read the ``train``, the ``holdout`` or the ``seed`` rows.

        The seed is both, or the training rows where the holdout has a source of its own.
        """
        rows = self.rows("splits", schema)
        if split == "seed" and self.study.holdout.source is None:
            return rows.whole()
        wanted = "train" if split == "seed" else split
        return rows.where(SPLIT, wanted)

    def n_people(self, split: str) -> int:
        """Count the rows that `part` gives."""
        sizes = self.split_sizes()
        if split == "seed":
            return sizes["train"] + (sizes["holdout"] if self.study.holdout.source is None else 0)
        return sizes[split]

    def people_drawn(self) -> str:
        """Say of how many people those of ``splits`` were drawn; empty if they are all."""
        file = self._models.open(self.warehouse.model("splits")) / DRAWN
        return drawing_note(int(file.read_text())) if file.is_file() else ""

    def split_sizes(self) -> Counter[str]:
        """Count the ``train`` and the ``holdout`` rows."""
        found: Counter[str] = Counter()
        for block in self.stored("splits").blocks([SPLIT]):
            found.update(block[SPLIT].to_pylist())
        return found

    def canonical(self, asset: str, schema: TableSchema) -> pd.DataFrame:
        """Read all rows of an upstream table with the canonical dtypes of a schema."""
        return self.rows(asset, schema).whole()
