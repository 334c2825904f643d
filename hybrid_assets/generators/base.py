"""What every covariate generator can do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from hybrid_assets.errors import GeneratorError, InvalidModelFiles
from hybrid_assets.schema import TableSchema


class GeneratorSettings(BaseModel):
    """Base of the settings a study may give a generator; `kind` selects the class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str


class CovariateGenerator(Protocol):
    """A model of the law of a table, fitted once and sampled at will.

    Fitted state ends in an underscore. The same table, settings and random
    generator give the same files and the same rows. From `rows_handed_out` rows
    on it pays to draw blocks in several processes (None: never), `blocks_together`
    of them at a time: about a second's work, which costs a bucket a few requests.
    """

    settings_class: ClassVar[type[GeneratorSettings]]
    rows_handed_out: ClassVar[int | None]
    blocks_together: ClassVar[int]
    settings: Any
    learning_curve_: pd.DataFrame | None

    def __init__(self, settings: Any) -> None: ...

    def fit(self, table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> Self:
        """Fit to a canonical, complete, rounded table with the columns of `schema`."""
        ...

    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw about `n_rows` rows; some may violate the schema, none is repaired."""
        ...

    def to_files(self) -> dict[str, bytes]:
        """Give the fitted model as named files (safetensors or JSON; never pickle)."""
        ...

    @classmethod
    def from_files(cls, files: dict[str, bytes], settings: Any, schema: TableSchema) -> Self:
        """Restore what `to_files` gave."""
        ...


@runtime_checkable
class ScoresRows(Protocol):
    """A generator that can say how likely it finds rows."""

    def log_prob(self, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """Give log p(W), log p(A | W) and log p(Y | A, W) of rows.

        Parameters
        ----------
        table : DataFrame of shape (n, p)
            Canonical.
        rng : Generator
            Of the column orders that logs are averaged over.

        Returns
        -------
        DataFrame of shape (n, n_blocks)
            In nats: columns ``covariate``, ``treatment``, ``outcome``, those
            that the generator knows. The index is that of `table`.
        """
        ...


@contextmanager
def reading_files(word: str, schema: TableSchema, *unreadable: type[Exception]) -> Iterator[None]:
    """Say in one sentence that a generator's files are absent or damaged.

    Parameters
    ----------
    word : str
        What a study calls the generator.
    schema : TableSchema
        Of the table it is to sample.
    unreadable : exception types
        What reading damaged files raises, beside a missing file's KeyError.

    Raises
    ------
    InvalidModelFiles
    """
    expected: tuple[type[Exception], ...] = (KeyError, *unreadable)
    try:
        yield
    except expected as error:
        raise InvalidModelFiles(
            f"study {schema.study!r}: the files of the {word} generator cannot be read "
            f"({type(error).__name__})"
        ) from error


def require_same_columns(word: str, names: list[str], schema: TableSchema) -> None:
    """Refuse files that were made for other columns.

    Raises
    ------
    InvalidModelFiles
    """
    if names != schema.names:
        raise InvalidModelFiles(
            f"study {schema.study!r}: the {word} generator was fitted to the columns {names}, "
            f"expected {schema.names}"
        )


def require_complete(
    table: pd.DataFrame, schema: TableSchema, but_for: Collection[str] = ()
) -> None:
    """Refuse a table that a generator cannot learn from.

    Parameters
    ----------
    table : DataFrame
        Training rows.
    schema : TableSchema
        Columns that they need.
    but_for : collection of str
        Columns that the generator lets be missing.

    Raises
    ------
    GeneratorError
        If it is empty, lacks a column of the schema or holds missing values.
    """
    absent = [name for name in schema.names if name not in table.columns]
    if absent or table.empty:
        raise GeneratorError(
            f"study {schema.study!r}: a generator needs rows and the columns {schema.names}; "
            f"got {len(table)} rows, absent columns {absent}"
        )
    incomplete = [n for n in schema.names if n not in but_for and table[n].isna().any()]
    if incomplete:
        raise GeneratorError(
            f"study {schema.study!r}: a generator needs complete columns; {incomplete} hold "
            "missing values (set a missing-value policy for them in the study file)"
        )
