"""What a column is, when the study does not say: kind, levels, range, decimals."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from hybrid_assets.declared_columns import MISSING_LEVEL
from hybrid_assets.errors import SeedTableError
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role
from hybrid_assets.study import CovariateSettings, Study

MAX_LEVELS = 500
MAX_INFERRED_LEVELS = 20  # or a tenth of the rows: beyond, text names people rather than groups
MIN_INDEX_ROWS = 100
BARE_RETURN = re.compile(r"\r(?!\n)")


def is_zero_one(values: pd.Series) -> bool:
    """Whether a complete column is boolean or numeric with no value but 0 and 1."""
    if not pd.api.types.is_numeric_dtype(values):
        return False
    return bool(values.dropna().isin([0, 1]).all())


def holds_lists(values: pd.Series) -> bool:
    """Whether cells hold lists, arrays or mappings, as nested Parquet columns do."""
    return values.dtype == object and bool(values.map(pd.api.types.is_list_like).any())


def infer_column(
    values: pd.Series, name: str, settings: CovariateSettings, study: Study
) -> ColumnSchema:
    """Infer what a column is, unless the study says so.

    Text is categorical; numbers are binary if all are 0 or 1, integer if all
    are whole, else continuous. A continuous column shows as many decimals as
    its values have, at most those that make about a hundredth of its standard
    deviation.

    Raises
    ------
    SeedTableError
        If the values contradict the declared kind, are dates, do not differ at
        the decimals shown, or have more than `MAX_LEVELS` levels.
    """
    role = {study.treatment: Role.TREATMENT, study.outcome: Role.OUTCOME}.get(name, Role.COVARIATE)
    present = values.dropna()
    kind = settings.kind or _inferred_kind(present, name, study)
    if kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
        levels = _levels(present, name, settings, study)
        _require_csv_levels(levels, name, study)
        return ColumnSchema(name=name, role=role, kind=kind, levels=levels)
    _require_numbers(present, name, kind, study)
    numbers = present.astype(float)
    decimals = None
    if kind is ColumnKind.CONTINUOUS:
        decimals = settings.decimals if settings.decimals is not None else shown_decimals(numbers)
        numbers = numbers.round(decimals)
        _require_spread(numbers, name, decimals, study)
    lowest, highest = settings.range or (float(numbers.min()), float(numbers.max()))
    return ColumnSchema(
        name=name, role=role, kind=kind, minimum=lowest, maximum=highest, decimals=decimals
    )


def within_range(values: pd.Series, settings: CovariateSettings) -> pd.Series:
    """Set values beyond the declared range to its nearer end; other columns pass."""
    if settings.range is None or not pd.api.types.is_numeric_dtype(values):
        return values
    return values.clip(*settings.range)


def _require_spread(shown: pd.Series, name: str, decimals: int, study: Study) -> None:
    if shown.nunique() < 2:
        raise SeedTableError(
            study.name,
            name,
            expected=f"values that differ at {decimals} decimals (rescale the column)",
            got="a single value",
        )


def _inferred_kind(values: pd.Series, name: str, study: Study) -> ColumnKind:
    if pd.api.types.infer_dtype(values) in NO_KIND:
        raise SeedTableError(
            study.name,
            name,
            expected="numbers or text (turn dates into days since a reference)",
            got=f"type {values.dtype}",
        )
    if not pd.api.types.is_numeric_dtype(values):
        return ColumnKind.CATEGORICAL
    if is_zero_one(values):
        return ColumnKind.BINARY
    whole = bool((values.astype(float) % 1 == 0).all())
    if whole and _counts_rows(values):
        raise SeedTableError(
            study.name,
            name,
            expected="values that are not the row number (an identifier? name it under "
            "identifiers; or declare its kind)",
            got=f"{len(values)} consecutive whole numbers",
        )
    return ColumnKind.INTEGER if whole else ColumnKind.CONTINUOUS


NO_KIND = ("datetime64", "datetime", "date", "time", "timedelta64", "timedelta", "period")


def _counts_rows(values: pd.Series) -> bool:
    """Whether a column holds each of so many consecutive numbers once, as row numbers do."""
    spread = float(values.max()) - float(values.min())
    return len(values) >= MIN_INDEX_ROWS and spread == len(values) - 1 and bool(values.is_unique)


def _require_numbers(values: pd.Series, name: str, kind: ColumnKind, study: Study) -> None:
    fits = pd.api.types.is_numeric_dtype(values)
    if fits and kind is ColumnKind.BINARY:
        fits = is_zero_one(values)
    elif fits and kind is ColumnKind.INTEGER:
        fits = bool((values.astype(float) % 1 == 0).all())
    if not fits:
        wanted = {"binary": "0 and 1 only", "integer": "whole numbers", "continuous": "numbers"}
        raise SeedTableError(
            study.name,
            name,
            expected=f"{wanted[kind.value]} (declared {kind.value})",
            got=f"{values.nunique()} distinct values of type {values.dtype}",
        )


def _levels(
    values: pd.Series, name: str, settings: CovariateSettings, study: Study
) -> tuple[str | int, ...]:
    n_levels, limit = values.nunique(), MAX_LEVELS
    if settings.kind is None:
        limit = min(MAX_LEVELS, max(MAX_INFERRED_LEVELS, len(values) // 10))
    if n_levels > limit:
        raise SeedTableError(
            study.name,
            name,
            expected=f"at most {limit} levels (an identifier? name it under identifiers; or group "
            "the rare levels first)",
            got=f"{n_levels} levels in {len(values)} rows",
        )
    if pd.api.types.is_numeric_dtype(values):
        _require_numbers(values, name, ColumnKind.INTEGER, study)
        seen: list[str | int] = sorted(int(v) for v in values.unique())
    else:
        seen = sorted(str(v) for v in values.unique())
    if settings.levels is not None:
        return _declared_levels({str(level) for level in seen}, name, settings, study)
    if settings.kind is ColumnKind.ORDINAL and isinstance(seen[0], str):
        raise SeedTableError(
            study.name,
            name,
            expected="levels: in order, lowest first, for text (declared ordinal)",
            got=f"{n_levels} levels in no known order",
        )
    return tuple(seen)


def _require_csv_levels(levels: tuple[str | int, ...], name: str, study: Study) -> None:
    """Refuse what the CSV file of a release would not give back: it is no end of a line there."""
    n_bad = sum(BARE_RETURN.search(str(level)) is not None for level in levels)
    if n_bad:
        raise SeedTableError(
            study.name,
            name,
            expected="levels without a carriage return that no newline follows",
            got=f"{n_bad} levels with one",
        )


def _declared_levels(
    seen: set[str], name: str, settings: CovariateSettings, study: Study
) -> tuple[str | int, ...]:
    """Give the declared levels, of one type: what is seen is compared as words, and decides none.

    The level for missing values alone may come undeclared, where the policy
    asks for it; a private study declares that too (`require_declared`).
    """
    levels = list(settings.levels or ())
    words = {str(level) for level in levels}
    if (settings.missing or study.missing) == "category" and MISSING_LEVEL in seen - words:
        levels.append(MISSING_LEVEL)
    n_strange = len(seen - {str(level) for level in levels})
    if n_strange:
        raise SeedTableError(
            study.name,
            name,
            expected=f"the {len(words)} declared levels",
            got=f"{n_strange} other levels",
        )
    if all(isinstance(level, int) for level in levels):
        return tuple(levels)
    return tuple(str(level) for level in levels)


def shown_decimals(values: pd.Series) -> int:
    """Digits after the point: those the values have, or enough for sd/100, whichever is less."""
    spread = (float(values.std()) if len(values) > 1 else 0.0) or 1.0
    enough = int(np.clip(2 - np.round(np.log10(spread)), 0, 12))
    for digits in range(enough):
        if np.allclose(values, values.round(digits), rtol=0.0, atol=1e-12):
            return digits
    return enough
