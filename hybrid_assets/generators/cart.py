"""Sequential classification and regression trees: quick, and good on small tables."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError

from hybrid_assets.errors import InvalidModelFiles
from hybrid_assets.generators.base import GeneratorSettings, reading_files, require_complete
from hybrid_assets.generators.cart_trees import DonorTree, grow_tree, shared_values
from hybrid_assets.generators.fit_support import ALONE
from hybrid_assets.handing_out import ThisProcess
from hybrid_assets.randomness import drawn_seed
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

# seven trees of 200,000 people take 6 CPU s, two processes 5 to start: wall 5.9 and 6.7 s
PEOPLE_HANDED_OUT = 300_000


class CartSettings(GeneratorSettings):
    """How fine the trees are.

    Parameters
    ----------
    min_leaf : int
        Smallest number of people in a leaf. A number that fewer people than
        this share is never given as it is, but smoothed.
    """

    kind: Literal["cart"] = "cart"
    min_leaf: int = Field(default=20, ge=5)


class CartGenerator:
    """Trees in the manner of synthpop (Nowok, Raab & Dibben 2016, doi:10.18637/jss.v074.i11).

    The first column is drawn from its marginal, each later one from the leaf
    that a tree on the columns before it sends the row to. Listed levels are
    drawn from the leaf's donors. Numbers are too where at least `min_leaf`
    people share the value (heaps such as zero income); all others are moved by
    a Gaussian kernel, reflected at the seed's range and rounded, because a
    donor's own number would disclose it. A level of a categorical predictor
    gets its own indicator where enough people hold it for a split.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = CartSettings
    rows_handed_out: ClassVar[int | None] = 1_000_000  # 6 µs each; starts take 1.5 CPU s each
    blocks_together: ClassVar[int] = 10

    def __init__(self, settings: CartSettings) -> None:
        self.settings = settings
        self.support = ALONE
        self.learning_curve_: pd.DataFrame | None = None

    def fit(self, table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> Self:
        """Grow one tree for each column on the columns before it, in processes that are lent.

        Raises
        ------
        GeneratorError
            If the table is empty, lacks columns or holds missing values.
        """
        require_complete(table, schema)
        self.schema_ = schema
        seeds = [drawn_seed(rng) for _ in schema.columns]
        grow = ColumnTrees(schema.canonical(table), schema, self.settings.min_leaf)
        pays = len(table) > PEOPLE_HANDED_OUT and len(seeds) > 1
        workers = (self.support.workers if pays else None) or ThisProcess()
        # late columns have most predictors: whoever is given one last keeps the others waiting
        grown = workers.map(grow, reversed(range(len(seeds))), reversed(seeds))
        self.trees_ = list(grown)[::-1]
        return self

    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw `n_rows` rows; those beyond the seed's range even so are left in."""
        columns: dict[str, pd.Series] = {}
        predictors = np.empty((n_rows, 0), dtype=np.float32)
        for column, tree in zip(self.schema_.columns, self.trees_, strict=True):
            if column.is_discrete_set:
                values = tree.draw(predictors, rng)
            else:
                values = _in_range_and_rounded(column, tree.draw_smoothed(predictors, rng))
            columns[column.name] = _as_column(column, values)
            encoded = _as_predictors(column, values, tree.shared_values)
            predictors = np.hstack([predictors, encoded])
        return pd.DataFrame(columns)

    def to_files(self) -> dict[str, bytes]:
        """Give the trees, and the columns they were grown on."""
        from safetensors.numpy import save

        arrays = {
            f"{position:04d}.{name}": np.ascontiguousarray(array)
            for position, tree in enumerate(self.trees_)
            for name, array in asdict(tree).items()
        }
        return {
            "trees.safetensors": save(arrays),
            "schema.json": self.schema_.model_dump_json(indent=1).encode(),
        }

    @classmethod
    def from_files(
        cls, files: dict[str, bytes], settings: CartSettings, schema: TableSchema
    ) -> Self:
        """Restore what `to_files` gave.

        Raises
        ------
        InvalidModelFiles
            If a file is absent or damaged, or made for other columns.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        generator = cls(settings)
        generator.schema_ = schema
        with reading_files("cart", schema, ValidationError, SafetensorError):
            fitted = TableSchema.model_validate_json(files["schema.json"])
            arrays = load(files["trees.safetensors"])
            generator.trees_ = [
                DonorTree(**{f.name: arrays[f"{position:04d}.{f.name}"] for f in fields(DonorTree)})
                for position in range(len(fitted.columns))
            ]
        if fitted.columns != schema.columns:
            raise InvalidModelFiles(
                f"study {schema.study!r}: the cart generator was fitted to other columns, levels "
                f"or ranges: {fitted.names}, expected {schema.names}"
            )
        return generator


class ColumnTrees:
    """Grows the tree of any one column, from training rows that are encoded once.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        Canonical.
    schema : TableSchema
        Its columns in order.
    min_leaf : int
    """

    def __init__(self, table: pd.DataFrame, schema: TableSchema, min_leaf: int) -> None:
        self._is_label = [column.is_discrete_set for column in schema.columns]
        self._min_leaf = min_leaf
        self._targets = [_as_numbers(table[name]) for name in schema.names]
        encoded = [
            _as_predictors(column, target, shared_values(target, min_leaf))
            for column, target in zip(schema.columns, self._targets, strict=True)
        ]
        self._n_before = np.cumsum([0, *(each.shape[1] for each in encoded)])
        # by column, as a tree looks at them
        self._predictors = np.asfortranarray(np.hstack(encoded))

    def __call__(self, position: int, random_seed: int) -> DonorTree:
        """Grow the tree of the column at `position` on those before it."""
        return grow_tree(
            self._predictors[:, : self._n_before[position]],
            self._targets[position],
            is_label=self._is_label[position],
            min_leaf=self._min_leaf,
            random_seed=random_seed,
        )


def _as_numbers(values: pd.Series) -> np.ndarray:
    """Give a canonical column as float64; categories as the positions of their levels."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(dtype=np.float64)
    return values.to_numpy(dtype=np.float64)


def _as_column(column: ColumnSchema, values: np.ndarray) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical.from_codes(values.astype(np.int64), dtype=column.dtype))
    return pd.Series(values).astype(column.dtype)


def _as_predictors(column: ColumnSchema, values: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Give the predictors, float32 of shape (n, k), that a column is to later trees."""
    if column.kind is ColumnKind.CATEGORICAL:
        indicators: np.ndarray = values[:, None] == shared
        return indicators.astype(np.float32)
    return values[:, None].astype(np.float32)


def _in_range_and_rounded(column: ColumnSchema, values: np.ndarray) -> np.ndarray:
    """Reflect a kernel's tail at the range (Silverman 1986, section 2.10) and round."""
    if column.minimum is not None:
        values = np.where(values < column.minimum, 2 * column.minimum - values, values)
    if column.maximum is not None:
        values = np.where(values > column.maximum, 2 * column.maximum - values, values)
    if column.kind is ColumnKind.INTEGER:
        return np.round(values)
    return values if column.decimals is None else np.round(values, column.decimals) + 0.0
