"""Training and holdout rows, completed with what the training rows alone teach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hybrid_assets.columns import is_zero_one
from hybrid_assets.errors import SeedTableError
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema
from hybrid_assets.seed import MIN_ARM_ROWS


@dataclass(frozen=True)
class Splits:
    """Complete tables in canonical form.

    Attributes
    ----------
    train, holdout : DataFrame
        Members, and people the generators never see.
    schema : TableSchema
        The seed's, plus one 0/1 column for each imputed covariate.
    """

    train: pd.DataFrame
    holdout: pd.DataFrame
    schema: TableSchema

    @property
    def seed(self) -> pd.DataFrame:
        """Training and holdout rows together."""
        return pd.concat([self.train, self.holdout], ignore_index=True)


def split_seed(
    rows: pd.DataFrame, schema: TableSchema, *, share: float, rng: np.random.Generator
) -> Splits:
    """Set a share of the rows aside, at random within each arm.

    Parameters
    ----------
    rows : DataFrame
        Of a `SeedTable`.
    schema : TableSchema
        Its schema.
    share : float
        In (0, 1).
    rng : Generator
        Draws the holdout.

    Raises
    ------
    SeedTableError
        If an arm keeps fewer than `MIN_ARM_ROWS` training rows, or the
        holdout gets none of an arm.
    """
    holdout = np.zeros(len(rows), dtype=bool)
    for arm in (0, 1):
        members = np.flatnonzero(rows[schema.treatment].to_numpy() == arm)
        n_holdout = round(share * len(members))
        if n_holdout < 1 or len(members) - n_holdout < MIN_ARM_ROWS:
            raise SeedTableError(
                schema.study,
                schema.treatment,
                expected=f"a holdout row and {MIN_ARM_ROWS} training rows in each arm",
                got=f"{len(members)} rows with {schema.treatment} = {arm} at holdout share {share}",
            )
        holdout[rng.choice(members, size=n_holdout, replace=False)] = True
    wanted = rows[schema.names]
    return complete(wanted.loc[~holdout], wanted.loc[holdout], schema)


def complete(train: pd.DataFrame, holdout: pd.DataFrame, schema: TableSchema) -> Splits:
    """Impute by the training rows' median or most frequent level and flag where.

    Parameters
    ----------
    train, holdout : DataFrame
        Canonical columns; missing values only where the policy is ``impute``.
    """
    train, holdout = train.reset_index(drop=True), holdout.reset_index(drop=True)
    completed: dict[str, tuple[pd.Series, pd.Series]] = {}
    columns: list[ColumnSchema] = []
    for column in schema.columns:
        name = column.name
        fill = _central(train[name], column) if _any_missing(train, holdout, name) else None
        completed[name] = tuple(
            column.cast(part[name] if fill is None else part[name].fillna(fill))
            for part in (train, holdout)
        )  # type: ignore[assignment]
        columns.append(column)
        if fill is not None:
            flag = ColumnSchema(
                name=f"{name}_missing",
                role=Role.COVARIATE,
                kind=ColumnKind.BINARY,
                minimum=0.0,
                maximum=1.0,
            )
            completed[flag.name] = tuple(
                part[name].isna().astype("int64") for part in (train, holdout)
            )  # type: ignore[assignment]
            columns.append(flag)
    return Splits(
        train=pd.DataFrame({name: parts[0] for name, parts in completed.items()}),
        holdout=pd.DataFrame({name: parts[1] for name, parts in completed.items()}),
        schema=TableSchema(study=schema.study, columns=tuple(columns)),
    )


def _any_missing(train: pd.DataFrame, holdout: pd.DataFrame, name: str) -> bool:
    return bool(train[name].isna().any() or holdout[name].isna().any())


def _central(values: pd.Series, column: ColumnSchema) -> Any:
    present = values.dropna()
    if column.is_discrete_set:
        return present.mode().iloc[0]
    median = float(present.median())
    return median if column.kind is ColumnKind.CONTINUOUS else round(median)


def conform_holdout(rows: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """Give holdout rows from another source the seed's columns and dtypes.

    Ranges may differ from the seed's; levels may not.

    Raises
    ------
    SeedTableError
        If a column is absent, incomplete, or holds a level the seed lacks.
    """
    for column in schema.columns:
        if column.name not in rows.columns:
            raise SeedTableError(
                schema.study,
                column.name,
                expected="a column of the holdout table",
                got=f"columns {', '.join(map(str, rows.columns))}",
            )
        unbounded = column.model_copy(update={"minimum": None, "maximum": None})
        n_bad = int(unbounded.invalid(rows[column.name]).sum())
        if column.kind is ColumnKind.BINARY and not is_zero_one(rows[column.name]):
            n_bad = max(n_bad, 1)
        if n_bad:
            raise SeedTableError(
                schema.study,
                column.name,
                expected=f"holdout values like the seed's ({column.kind.value})",
                got=f"{n_bad} missing or of another kind",
            )
    return schema.canonical(rows)
