"""What has moved since a release or a version of a seed: measures beside their earlier selves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.privacy.verdict import holm_adjusted
from hybrid_assets.schema import TableSchema
from hybrid_assets.small_cells import is_small_cell

Z_95 = 1.959963984540054
DRIFT_COMMENTS = {
    "metric": "covariate mean, covariate spread, covariate share, overlap, effect or privacy",
    "of": "column, column=level, or generator; empty for the study",
    "value": "of this version of the seed",
    "standard_error": "of the value",
    "compared_with": "what was measured before; empty where nothing was",
    "previous": "its value there; missing where there is none",
    "previous_standard_error": "of the previous value",
    "difference": "value minus previous",
    "ci_low": "95 % interval of the difference, as if no person were in both versions",
    "ci_high": "95 % interval of the difference, as if no person were in both versions",
    "p_adjusted": "Holm's, over all rows; of no difference",
}


@dataclass(frozen=True)
class Monitored:
    """One measure of one version of a study.

    Attributes
    ----------
    metric, of : str
        What is measured, and of what.
    value, standard_error : float
    """

    metric: str
    of: str
    value: float
    standard_error: float


@dataclass(frozen=True)
class Baseline:
    """What is compared with.

    Attributes
    ----------
    words : str
        How a reader calls it; empty where there is nothing.
    measures : tuple of Monitored
    """

    words: str
    measures: tuple[Monitored, ...]


def covariate_law(table: pd.DataFrame, schema: TableSchema) -> list[Monitored]:
    """Measure each covariate's mean and spread, or the share of each of its levels.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        Canonical; complete.
    schema : TableSchema
        Its covariates are measured. Levels of 1 to 9 people are left out.

    Notes
    -----
    The standard error of a standard deviation s is s √((m₄/m₂² − 1)/(4n)), by
    the delta method from Var(m₂) ≈ (m₄ − m₂²)/n.
    """
    return [one for column in schema.covariates.columns for one in _law(table[column.name])]


def _law(values: pd.Series) -> Iterator[Monitored]:
    name, n = str(values.name), len(values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        for level, count in values.value_counts(sort=False).items():
            if not is_small_cell(int(count), n):
                yield share_of("covariate share", f"{name}={level}", int(count), n)
        return
    numbers = values.to_numpy(dtype=float)
    if set(np.unique(numbers)) <= {0.0, 1.0}:
        if not is_small_cell(int(numbers.sum()), n):
            yield share_of("covariate share", name, int(numbers.sum()), n)
        return
    centred = numbers - numbers.mean()
    variance, fourth = (centred**2).mean(), (centred**4).mean()
    spread = math.sqrt(variance)
    yield Monitored("covariate mean", name, float(numbers.mean()), spread / math.sqrt(n))
    kurtosis = fourth / variance**2 if variance else 1.0
    yield Monitored(
        "covariate spread", name, spread, spread * math.sqrt(max(kurtosis - 1.0, 0.0) / (4 * n))
    )


def share_of(metric: str, of: str, count: int, n_people: int) -> Monitored:
    """Measure a share; its standard error is Agresti and Coull's, which is never zero.

    References
    ----------
    Agresti & Coull 1998, doi:10.1080/00031305.1998.10480550.
    """
    centre, n = (count + 2) / (n_people + 4), n_people + 4
    return Monitored(metric, of, count / n_people, math.sqrt(centre * (1 - centre) / n))


def drift_rows(
    now: Iterable[Monitored], study: Baseline, generators: Mapping[str, Baseline]
) -> pd.DataFrame:
    """Set each measure beside its earlier value, with the interval of what has changed.

    Parameters
    ----------
    now : iterable of Monitored
        Of this version.
    study : Baseline
        What the seed's own measures are compared with.
    generators : mapping of str to Baseline
        What each generator's privacy is compared with.

    Returns
    -------
    DataFrame of shape (n, 11)
        Columns as in `DRIFT_COMMENTS`. Where people are in both versions the
        intervals are too wide: a flagged difference is real, an unflagged one
        may be.
    """
    rows = pd.DataFrame(
        [_row(one, generators[one.of] if one.metric == "privacy" else study) for one in now]
    )
    p_values = [None if math.isnan(p) else p for p in rows["p_adjusted"]]
    adjusted = [math.nan if p is None else p for p in holm_adjusted(p_values)]
    return rows.assign(p_adjusted=adjusted)[list(DRIFT_COMMENTS)]


def _row(now: Monitored, baseline: Baseline) -> dict[str, object]:
    same = (one for one in baseline.measures if (one.metric, one.of) == (now.metric, now.of))
    before = next(same, None)
    previous, error_then = (before.value, before.standard_error) if before else (math.nan,) * 2
    difference, error = now.value - previous, math.hypot(now.standard_error, error_then)
    if difference == 0.0:
        p_value = 1.0
    else:
        p_value = math.erfc(abs(difference) / error / math.sqrt(2.0)) if error else 0.0
    return {
        "metric": now.metric,
        "of": now.of,
        "value": now.value,
        "standard_error": now.standard_error,
        "compared_with": baseline.words if before else "",
        "previous": previous,
        "previous_standard_error": error_then,
        "difference": difference,
        "ci_low": difference - Z_95 * error,
        "ci_high": difference + Z_95 * error,
        "p_adjusted": p_value,
    }
