"""Training and holdout rows, completed with what the training rows alone teach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hybrid_assets.columns import is_zero_one, within_range
from hybrid_assets.errors import SeedTableError
from hybrid_assets.missing_values import apply_policies, flag_name
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema, level_words
from hybrid_assets.seed import MIN_ARM_ROWS
from hybrid_assets.small_cells import told_few
from hybrid_assets.study import CovariateSettings, Study

MAX_SHARED_ROWS = 0.05


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


def split_seed(rows: pd.DataFrame, schema: TableSchema, is_holdout: np.ndarray) -> Splits:
    """Complete training and holdout rows; `is_holdout` is of shape (n,), from `draw_holdout`."""
    wanted = rows[schema.names]
    return complete(wanted.loc[~is_holdout], wanted.loc[is_holdout], schema)


def draw_holdout(
    rows: pd.DataFrame,
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
    rows : DataFrame
        Of a `SeedTable`.
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
    holdout = np.zeros(len(rows), dtype=bool)
    if not within_arms:
        holdout[rng.choice(len(rows), size=max(round(share * len(rows)), 1), replace=False)] = True
        _require_both_arms(rows[schema.treatment].to_numpy(), holdout, schema)
        return holdout
    is_binary = schema[schema.outcome].kind is ColumnKind.BINARY
    strata = rows[schema.outcome].to_numpy() if is_binary else np.zeros(len(rows))
    for arm in (0, 1):
        members = np.flatnonzero(rows[schema.treatment].to_numpy() == arm)
        n_holdout = round(share * len(members))
        if n_holdout < 1 or len(members) - n_holdout < MIN_ARM_ROWS:
            raise SeedTableError(
                schema.study,
                schema.treatment,
                expected=f"a holdout row and {MIN_ARM_ROWS} training rows in each arm",
                got=f"{told_few(len(members))} rows with {schema.treatment} = {arm} at holdout "
                f"share {share}",
            )
        is_event = strata[members] == 1
        rare, others = sorted((members[is_event], members[~is_event]), key=len)
        n_rare = round(share * len(rare))
        for stratum, size in ((rare, n_rare), (others, n_holdout - n_rare)):
            holdout[rng.choice(stratum, size=size, replace=False)] = True
    return holdout


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


def complete(train: pd.DataFrame, holdout: pd.DataFrame, schema: TableSchema) -> Splits:
    """Impute by the training rows' median or most frequent level and flag where.

    Parameters
    ----------
    train, holdout : DataFrame
        Canonical columns; missing values only where the policy is ``impute``.

    Raises
    ------
    SeedTableError
        If all training values of a column are missing.
    """
    train, holdout = train.reset_index(drop=True), holdout.reset_index(drop=True)
    completed: dict[str, tuple[pd.Series, pd.Series]] = {}
    columns: list[ColumnSchema] = []
    for column in schema.columns:
        name = column.name
        fill = None
        if _any_missing(train, holdout, name):
            _require_a_value(train[name], schema.study)
            fill = _central(train[name], column)
        completed[name] = tuple(
            column.cast(part[name] if fill is None else part[name].fillna(fill))
            for part in (train, holdout)
        )  # type: ignore[assignment]
        columns.append(column)
        if fill is not None:
            flag = ColumnSchema(
                name=flag_name(name),
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


def conform_holdout(
    rows: pd.DataFrame, schema: TableSchema, study: Study, *, table: str = "holdout"
) -> pd.DataFrame:
    """Give rows from another source the seed's columns, policies and dtypes.

    Ranges may differ from the seed's; levels may not. Identifiers that `rows` has stay beside.

    Parameters
    ----------
    rows : DataFrame
        As read.
    schema : TableSchema
        The seed table's.
    study : Study
        Whose missing-value policies hold here too.
    table : {"holdout", "donor"}
        What the rows are, for messages.

    Raises
    ------
    SeedTableError
        If a column is absent, incomplete, or holds a level the seed lacks.
    """
    for name in schema.names:
        if name not in rows.columns:
            raise SeedTableError(
                schema.study,
                name,
                expected=f"a column of the {table} table",
                got=f"{rows.shape[1]} other columns",
            )
    settings = study.covariates or {}
    covariates = {n: settings.get(n, CovariateSettings()) for n in schema.covariate_names}
    kept = apply_policies(rows, covariates, study)
    identifiers = {name: kept[name] for name in study.identifiers if name in kept.columns}
    stated = {**covariates, schema.outcome: study.outcome_settings}
    conformed = {
        c.name: _conformed(
            within_range(kept[c.name], stated.get(c.name, CovariateSettings())), c, schema, table
        )
        for c in schema.columns
    }
    return pd.DataFrame({**identifiers, **conformed})


def _conformed(
    values: pd.Series, column: ColumnSchema, schema: TableSchema, table: str
) -> pd.Series:
    present = values.dropna() if column.role is Role.COVARIATE else values
    unbounded = column.model_copy(update={"minimum": None, "maximum": None})
    n_bad = int(unbounded.invalid(present).sum())
    if column.kind is ColumnKind.BINARY and not is_zero_one(present.astype(float, errors="ignore")):
        n_bad = max(n_bad, 1)
    if n_bad:
        raise SeedTableError(
            schema.study,
            column.name,
            expected=f"{table} values like the seed's ({column.kind.value})",
            got=f"{told_few(n_bad)} missing or of another kind",
        )
    return column.cast_present(values)


def require_new_identifiers(seed: pd.DataFrame, holdout: pd.DataFrame, study: Study) -> None:
    """Refuse a holdout table that carries an identifier of the seed table.

    Raises
    ------
    SeedTableError
    """
    for name in study.identifiers:
        if name in holdout.columns:
            n_shared = int(holdout[name].astype(str).isin(seed[name].astype(str)).sum())
            if n_shared:
                raise SeedTableError(
                    study.name,
                    name,
                    expected="holdout people who are not in the seed",
                    got=f"{told_few(n_shared)} holdout rows with an identifier of the seed",
                )


def require_new_rows(seed: pd.DataFrame, holdout: pd.DataFrame, schema: TableSchema) -> None:
    """Refuse a holdout that equals the seed more often than the seed repeats itself.

    Parameters
    ----------
    seed, holdout : DataFrame
        With the columns of `schema`; values may be missing.
    schema : TableSchema

    Raises
    ------
    SeedTableError
    """
    seed_keys, keys = (_row_keys(table, schema) for table in (seed, holdout))
    repeated = float(seed_keys.duplicated(keep=False).mean())
    shared = float(keys.isin(seed_keys).mean())
    if shared > 2.0 * repeated + MAX_SHARED_ROWS:
        raise SeedTableError(
            schema.study,
            "(holdout)",
            expected="people who are not in the seed",
            got=f"{shared:.0%} of the holdout rows equal to a seed row",
        )


def _row_keys(table: pd.DataFrame, schema: TableSchema) -> pd.Series:
    plain = {
        c.name: level_words(table[c.name]) if c.levels else table[c.name].astype("float64")
        for c in schema.columns
    }
    return pd.util.hash_pandas_object(pd.DataFrame(plain), index=False)
