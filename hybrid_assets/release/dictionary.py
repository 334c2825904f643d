"""The data dictionary: what each released column is and what it holds."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from hybrid_assets.schema import ColumnKind, ColumnSchema, Level, Role, TableSchema, level_words

COUNTERFACTUAL_MEANS = {
    "outcome_control_mean": "mean outcome of the row under control, by the calibrated model",
    "outcome_treated_mean": "mean outcome of the row under treatment, by the calibrated model",
}
RoleWord = Literal["covariate", "treatment", "outcome", "counterfactual mean"]


class DictionaryColumn(BaseModel):
    """One released column.

    Levels, range and missing values are those of the released rows: what the
    seed held beside them is not told.

    Attributes
    ----------
    name, description : str
    role : str
        ``covariate``, ``treatment``, ``outcome`` or ``counterfactual mean``.
    kind : ColumnKind
        Measurement scale.
    levels : tuple or None
        Of a categorical or ordinal column, in order.
    minimum, maximum : float or None
        Of a numeric column.
    decimals : int or None
        Digits after the point; None where they are not limited.
    n_missing : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: RoleWord
    kind: ColumnKind
    levels: tuple[Level, ...] | None
    minimum: float | None
    maximum: float | None
    decimals: int | None
    n_missing: int
    description: str

    @property
    def values_in_words(self) -> str:
        """Levels or range, for people."""
        if self.levels is not None:
            return ", ".join(map(str, self.levels))
        if self.minimum is None or self.maximum is None:
            return ""
        digits = 0 if self.kind is not ColumnKind.CONTINUOUS else self.decimals
        low, high = (
            f"{end:.6g}" if digits is None else f"{end:.{digits}f}"
            for end in (self.minimum, self.maximum)
        )
        return f"{low} to {high}"


def data_dictionary(
    blocks: Iterable[pd.DataFrame], schema: TableSchema, descriptions: Mapping[str, str]
) -> tuple[DictionaryColumn, ...]:
    """Describe the columns of a released table, in its order.

    Parameters
    ----------
    blocks : iterable of DataFrame, shape (n_k, p)
        The rows, at least one block of them, as `TableSchema.stored` gives them; counterfactual
        means after its columns.
    schema : TableSchema
        Of the study's columns; its ranges and levels are replaced by the table's.
    descriptions : mapping of str to str
        By column; columns may be left out.
    """
    known = {column.name: column for column in schema.columns}
    found: dict[str, _Held] = {}
    for block in blocks:
        for name in map(str, block.columns):
            found.setdefault(name, _Held(known.get(name))).add(block[name])
    return tuple(held.described(name, descriptions.get(name, "")) for name, held in found.items())


@dataclass
class _Held:
    """What a column held in the blocks that were added so far."""

    column: ColumnSchema | None
    words: set[str] = field(default_factory=set)
    ends: tuple[float, float] | None = None
    n_missing: int = 0
    digits: set[int] = field(default_factory=lambda: set(range(13)))

    def add(self, values: pd.Series) -> None:
        present = values.dropna()
        self.n_missing += len(values) - len(present)
        if self.column is None:
            self.digits = {d for d in self.digits if values.equals(values.round(d))}
        if self.column is not None and self.column.levels is not None:
            self.words.update(level_words(pd.Series(present.unique())))
        elif len(present):
            low, high = self.ends or (math.inf, -math.inf)
            self.ends = min(low, float(present.min())), max(high, float(present.max()))

    def described(self, name: str, description: str) -> DictionaryColumn:
        column = self.column
        levels = column.levels if column is not None else None
        return DictionaryColumn(
            name=name,
            role="counterfactual mean" if column is None else column.role.value,
            kind=ColumnKind.CONTINUOUS if column is None else column.kind,
            levels=levels and tuple(level for level in levels if str(level) in self.words),
            minimum=self.ends and self.ends[0],
            maximum=self.ends and self.ends[1],
            # of counterfactual means the fewest digits that hold every value, twelve at most
            decimals=min(self.digits, default=None) if column is None else column.decimals,
            n_missing=self.n_missing,
            description=description or COUNTERFACTUAL_MEANS.get(name, ""),
        )


def recomputed(
    blocks: Iterable[pd.DataFrame], columns: tuple[DictionaryColumn, ...], study: str
) -> tuple[DictionaryColumn, ...]:
    """Describe the table again, given the roles, kinds, order of levels and words it came with."""
    words = {column.name: column.description for column in columns}
    return data_dictionary(blocks, released_schema(columns, study), words)


def released_schema(columns: tuple[DictionaryColumn, ...], study: str) -> TableSchema:
    """Give the layout that an analyst reads from the dictionary, counterfactual means left out."""
    return TableSchema(
        study=study,
        columns=tuple(
            ColumnSchema(
                name=column.name,
                role=Role(column.role),
                kind=column.kind,
                levels=column.levels,
                minimum=column.minimum,
                maximum=column.maximum,
                decimals=column.decimals,
            )
            for column in columns
            if column.role != "counterfactual mean"
        ),
    )


def decimals_of(columns: tuple[DictionaryColumn, ...]) -> dict[str, int]:
    """Give the declared decimals by column."""
    return {each.name: each.decimals for each in columns if each.decimals is not None}


def dictionary_json(columns: tuple[DictionaryColumn, ...], study: str) -> bytes:
    """Write the dictionary for programs."""
    listed = [column.model_dump(mode="json") for column in columns]
    document = {"schema_version": "1", "study": study, "columns": listed}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def dictionary_csv(columns: tuple[DictionaryColumn, ...]) -> bytes:
    """Write the dictionary for spreadsheets, levels joined by semicolons."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(DictionaryColumn.model_fields)
    writer.writerow(names)
    for column in columns:
        shown = column.model_dump(mode="json")
        shown["levels"] = "; ".join(map(str, column.levels or ()))
        writer.writerow(["" if shown[name] is None else shown[name] for name in names])
    return text.getvalue().encode()
