"""Holdout people from a source of their own: shaped as the seed's, and not among them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.columns import is_zero_one
from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SeedTableError
from hybrid_assets.missing_values import apply_policies
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema, level_words
from hybrid_assets.seed_rows import AnalysedRows, SeedRows
from hybrid_assets.small_cells import told_few
from hybrid_assets.study import CovariateSettings, Study

MAX_SHARED_ROWS = 0.05
KEY_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd: no bit of the columns before is lost


def conform_holdout(
    rows: Columns, schema: TableSchema, study: Study, *, table: str = "holdout"
) -> SeedRows:
    """Give rows from another source the seed's columns, policies and dtypes.

    Ranges may differ from the seed's; levels may not. Identifiers that `rows` has stay beside.

    Parameters
    ----------
    rows : Columns
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
    names = list(map(str, rows.columns))
    for name in (*schema.names, *study.identifiers):
        if name in schema.names and name not in names:
            raise SeedTableError(
                schema.study,
                name,
                expected=f"a column of the {table} table",
                got=f"{len(names)} other columns",
            )
        if names.count(name) > 1:
            raise SeedTableError(
                schema.study, name, expected=f"one column of the {table} table", got="it repeated"
            )
    settings = study.covariates or {}
    covariates = {n: settings.get(n, CovariateSettings()) for n in schema.covariate_names}
    kept = apply_policies(rows, covariates, study)
    stated = {schema.treatment: CovariateSettings(), schema.outcome: study.outcome_settings}
    analysed = AnalysedRows(kept, {**covariates, **stated})
    for column in schema.columns:
        _require_like_the_seed(analysed[column.name], column, schema, table)
    identifiers = tuple(name for name in study.identifiers if name in rows.columns)
    return SeedRows(analysed, identifiers, schema)


def _require_like_the_seed(
    values: pd.Series, column: ColumnSchema, schema: TableSchema, table: str
) -> None:
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


def require_new_identifiers(seed: Columns, holdout: Columns, study: Study) -> None:
    """Refuse a holdout table that carries an identifier of the seed table.

    Identifiers are compared by 64-bit hashes of their text: among ten million and ten million the
    chance that two people are taken for one is 1 in 180,000.

    Raises
    ------
    SeedTableError
    """
    for name in study.identifiers:
        if name in holdout.columns:
            keys, seed_keys = (_text_keys(table[name].astype(str)) for table in (holdout, seed))
            n_shared = int(np.isin(keys, seed_keys).sum())
            if n_shared:
                raise SeedTableError(
                    study.name,
                    name,
                    expected="holdout people who are not in the seed",
                    got=f"{told_few(n_shared)} holdout rows with an identifier of the seed",
                )


def _text_keys(words: pd.Series) -> np.ndarray:
    return pd.util.hash_array(words.to_numpy(dtype=object), categorize=False)


def require_new_rows(seed: Columns, holdout: Columns, schema: TableSchema) -> None:
    """Refuse a holdout that equals the seed more often than the seed repeats itself.

    Parameters
    ----------
    seed, holdout : Columns
        With the columns of `schema`; values may be missing.
    schema : TableSchema

    Raises
    ------
    SeedTableError
    """
    seed_keys, keys = (pd.Series(_row_keys(table, schema)) for table in (seed, holdout))
    repeated = float(seed_keys.duplicated(keep=False).mean())
    shared = float(keys.isin(seed_keys).mean())
    if shared > 2.0 * repeated + MAX_SHARED_ROWS:
        raise SeedTableError(
            schema.study,
            "(holdout)",
            expected="people who are not in the seed",
            got=f"{shared:.0%} of the holdout rows equal to a seed row",
        )


def _row_keys(table: Columns, schema: TableSchema) -> np.ndarray:
    """Hash each row to 64 bits, a column at a time."""
    keys = np.zeros(len(table), dtype=np.uint64)
    for column in schema.columns:
        values = table[column.name]
        plain = level_words(values) if column.levels else values.astype("float64")
        keys = keys * KEY_FACTOR + pd.util.hash_array(plain.to_numpy())
    return keys
