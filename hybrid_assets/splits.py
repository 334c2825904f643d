"""Training and holdout rows, completed with what the training rows alone teach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hybrid_assets.columnwise import ChosenRows, Columns
from hybrid_assets.errors import SeedTableError
from hybrid_assets.missing_values import flag_name
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema
from hybrid_assets.seed import MIN_ARM_ROWS
from hybrid_assets.small_cells import told_few


@dataclass(frozen=True, eq=False)
class CompleteRows:
    """Rows in canonical form without missing values, read a column at a time.

    Parameters
    ----------
    rows : Columns
        Canonical; missing values only in columns that `fills` names.
    schema : TableSchema
        Of the complete rows: the flags of imputed cells among them.
    fills : mapping of str to value
        What stands for a missing cell.
    """

    rows: Columns
    schema: TableSchema
    fills: Mapping[str, Any]

    @property
    def columns(self) -> pd.Index:
        """Names in order."""
        return pd.Index(self.schema.names)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def __getitem__(self, name: str) -> pd.Series:
        """Give a column."""
        for imputed, fill in self.fills.items():
            if name == flag_name(imputed):
                return self.rows[imputed].isna().astype("int64").rename(name)
            if name == imputed:
                return self.schema[name].cast(self.rows[name].fillna(fill))
        return self.schema[name].cast(self.rows[name])


@dataclass(frozen=True, eq=False)
class Splits:
    """Complete tables in canonical form.

    Attributes
    ----------
    train, holdout : CompleteRows
        Members, and people the generators never see.
    schema : TableSchema
        The seed's, plus one 0/1 column for each imputed covariate.
    """

    train: CompleteRows
    holdout: CompleteRows
    schema: TableSchema


def draw_holdout(
    rows: Columns,
    schema: TableSchema,
    *,
    share: float,
    rng: np.random.Generator,
    within_arms: bool = True,
) -> np.ndarray:
    """Choose a share of the rows, at random within each arm.

    A binary outcome is stratified too, within the arm's number of holdout
    rows: its rarer value gives its rounded share (none if there are too few,
    so they all train), the other value the rest.

    Parameters
    ----------
    rows : Columns
        Of a `SeedTable`; its treatment and its outcome are read.
    schema : TableSchema
        Its schema.
    share : float
        In (0, 1).
    rng : Generator
        Draws the holdout.
    within_arms : bool
        If false, rows are chosen whatever they hold, so that one person's
        treatment moves nobody else: what differential privacy rests on.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the holdout.

    Raises
    ------
    SeedTableError
        If an arm keeps fewer than `MIN_ARM_ROWS` training rows, or the
        holdout gets none of an arm.
    """
    treatment = rows[schema.treatment].to_numpy()
    holdout = np.zeros(len(rows), dtype=bool)
    if not within_arms:
        holdout[rng.choice(len(rows), size=max(round(share * len(rows)), 1), replace=False)] = True
        _require_both_arms(treatment, holdout, schema)
        return holdout
    is_event = _events(rows, schema)
    for arm in (0, 1):
        members = np.flatnonzero(treatment == arm)
        n_holdout = round(share * len(members))
        if n_holdout < 1 or len(members) - n_holdout < MIN_ARM_ROWS:
            raise SeedTableError(
                schema.study,
                schema.treatment,
                expected=f"a holdout row and {MIN_ARM_ROWS} training rows in each arm",
                got=f"{told_few(len(members))} rows with {schema.treatment} = {arm} at holdout "
                f"share {share}",
            )
        for chosen in _of_an_arm(members, is_event, n_holdout, share, rng):
            holdout[chosen] = True
    return holdout


def _events(rows: Columns, schema: TableSchema) -> np.ndarray:
    """Flag the events of a binary outcome; nobody, for another."""
    if schema[schema.outcome].kind is not ColumnKind.BINARY:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(rows[schema.outcome].to_numpy() == 1)


def _of_an_arm(
    members: np.ndarray, is_event: np.ndarray, n_drawn: int, share: float, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw members of an arm: of the rarer outcome its rounded share, of the other the rest."""
    has_event = is_event[members]
    rare, others = sorted((members[has_event], members[~has_event]), key=len)
    n_rare = round(share * len(rare))
    for stratum, size in ((rare, n_rare), (others, n_drawn - n_rare)):
        yield rng.choice(stratum, size=size, replace=False)


def draw_people(
    rows: Columns,
    schema: TableSchema,
    n_people: int,
    *,
    rng: np.random.Generator,
    within_arms: bool = True,
) -> Columns:
    """Choose the people who are analysed, at random, each arm in proportion to its rows.

    Parameters
    ----------
    rows : Columns
        Of a `SeedTable`.
    schema : TableSchema
        Its schema.
    n_people : int
        All rows, without a draw, where there are no more.
    rng, within_arms
        As for `draw_holdout`, which stratifies in the same way.

    Raises
    ------
    SeedTableError
        If fewer than `MIN_ARM_ROWS` of an arm are drawn.
    """
    if len(rows) <= n_people:
        return rows
    share, drawn = n_people / len(rows), np.zeros(len(rows), dtype=bool)
    treatment = rows[schema.treatment].to_numpy()
    if within_arms:
        arms = [np.flatnonzero(treatment == arm) for arm in (0, 1)]
        n_treated = round(share * len(arms[1]))
        is_event = _events(rows, schema)
        for members, n_drawn in zip(arms, (n_people - n_treated, n_treated), strict=True):
            for chosen in _of_an_arm(members, is_event, n_drawn, share, rng):
                drawn[chosen] = True
    else:
        drawn[rng.choice(len(rows), size=n_people, replace=False)] = True
    for arm in (0, 1):
        n_arm = int((treatment[drawn] == arm).sum())
        if n_arm < MIN_ARM_ROWS:
            raise SeedTableError(
                schema.study,
                schema.treatment,
                expected=f"at least {MIN_ARM_ROWS} rows in each arm among the {n_people:,} people "
                "drawn for analysis",
                got=f"{told_few(n_arm)} rows with {schema.treatment} = {arm}",
            )
    return ChosenRows(rows, drawn)


def _require_both_arms(treatment: np.ndarray, holdout: np.ndarray, schema: TableSchema) -> None:
    for arm in (0, 1):
        n_train = int((treatment[~holdout] == arm).sum())
        n_holdout = int((treatment[holdout] == arm).sum())
        if n_train < MIN_ARM_ROWS or n_holdout < 1:
            raise SeedTableError(
                schema.study,
                schema.treatment,
                expected=f"a holdout row and {MIN_ARM_ROWS} training rows in each arm",
                got=f"{told_few(n_holdout)} and {told_few(n_train)} where {schema.treatment} = "
                f"{arm} (drawn whatever the arm, for generator dp)",
            )


def complete(train: Columns, holdout: Columns, schema: TableSchema) -> Splits:
    """Impute by the training rows' median or most frequent level and flag where.

    Parameters
    ----------
    train, holdout : Columns
        Canonical; missing values only where the policy is ``impute``. They may have other columns.

    Raises
    ------
    SeedTableError
        If all training values of a column are missing.
    """
    fills: dict[str, Any] = {}
    columns: list[ColumnSchema] = []
    for column in schema.columns:
        columns.append(column)
        values = train[column.name]
        if values.isna().any() or holdout[column.name].isna().any():
            _require_a_value(values, schema.study)
            fills[column.name] = _central(values, column)
            columns.append(_flag(column.name))
    completed = TableSchema(study=schema.study, columns=tuple(columns))
    return Splits(
        train=CompleteRows(train, completed, fills),
        holdout=CompleteRows(holdout, completed, fills),
        schema=completed,
    )


def _flag(name: str) -> ColumnSchema:
    return ColumnSchema(
        name=flag_name(name), role=Role.COVARIATE, kind=ColumnKind.BINARY, minimum=0.0, maximum=1.0
    )


def _require_a_value(values: pd.Series, study: str) -> None:
    if values.isna().all():
        raise SeedTableError(
            study,
            str(values.name),
            expected="a value among the training rows, to impute the missing ones from",
            got="none",
        )


def _central(values: pd.Series, column: ColumnSchema) -> Any:
    present = values.dropna()
    if column.is_discrete_set:
        return present.mode().iloc[0]
    median = float(present.median())
    return median if column.kind is ColumnKind.CONTINUOUS else round(median)
