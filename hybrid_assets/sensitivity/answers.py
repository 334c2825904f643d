"""One plain sentence for each open question, from the numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from hybrid_assets.sensitivity.scenarios import CRUDE

NO_REPLICATE = "Not answered: in no replicate could the models be fitted."


def sensitivity_answers(rows: pd.DataFrame) -> dict[str, str]:
    """Answer what the papers left open: one sentence by question.

    Parameters
    ----------
    rows : DataFrame
        From `simulate_sensitivity`.

    Returns
    -------
    dict of str to str
        In the order misspecification, bent truth, seed size, dimension, DCR filter, calibration.
    """
    answers: dict[str, Callable[[pd.DataFrame], str]] = {
        "misspecification": _misspecification,
        "bent truth": _bent,
        "seed size": _seed_size,
        "dimension": _dimension,
        "DCR filter": _filter,
        "calibration": _calibration,
    }
    said = {}
    for question, answer in answers.items():
        asked = rows[rows["question"] == question]
        said[question] = NO_REPLICATE if asked["mean_error"].isna().all() else answer(asked)
    return said


def _misspecification(rows: pd.DataFrame) -> str:
    rows = rows[rows["is_calibrated"]]
    reference = rows[rows["is_reference"]].iloc[0]
    changed = rows[~rows["is_reference"] & (rows["scenario"] != CRUDE)]
    clear = [row["scenario"] for _, row in changed.iterrows() if not _holds_zero(row, "change_ci")]
    crude = rows[rows["scenario"] == CRUDE].iloc[0]
    worst = _most_moved(changed)
    said = f"{len(clear)} of {len(changed)} ({', '.join(clear)})" if clear else "none"
    return (
        f"Of the changes to the models, {said} moved the effect by more than Monte-Carlo error; "
        f"the largest move is {_moved(worst)} ({worst['scenario']}). With the study's library the "
        f"error is {_error(reference)}; without any adjustment it is {_error(crude)}."
    )


def _bent(rows: pd.DataFrame) -> str:
    rows = rows[rows["is_calibrated"]]
    changed = rows[~rows["is_reference"] & (rows["scenario"] != CRUDE)]
    said = [f"{_moved(row)} ({row['scenario']})" for _, row in changed.iterrows()]
    return (
        "Where propensity and outcome bend together, so that linear models are wrong, the error "
        f"is {_error(rows[rows['is_reference']].iloc[0])} with the study's library and "
        f"{_error(rows[rows['scenario'] == CRUDE].iloc[0])} without any adjustment; other "
        f"libraries move the effect by {'; '.join(said)}."
    )


def _seed_size(rows: pd.DataFrame) -> str:
    rows = rows[rows["is_calibrated"]]
    first, last = rows.iloc[0], rows.iloc[-1]
    off = [f"{row['scenario']}" for _, row in rows.iterrows() if not _holds_zero(row, "ci")]
    where = f"excludes zero at {', '.join(off)}" if off else "contains zero at every size"
    return (
        f"From {first['n_rows']} to {last['n_rows']} rows the RMSE goes from {_rmse(first)} to "
        f"{_rmse(last)}; the 95 % interval of the mean error {where}."
    )


def _dimension(rows: pd.DataFrame) -> str:
    rows = rows[rows["is_calibrated"]]
    first, last = rows.iloc[0], rows.iloc[-1]
    if len(rows) == 1:
        return (
            "The study has as many covariates as the largest dimension asked for; none was added."
        )
    return (
        f"With {last['n_covariates']} covariates instead of {first['n_covariates']}, the others "
        f"noise, the effect moves by {_moved(last)} and the RMSE from {_rmse(first)} to "
        f"{_rmse(last)}."
    )


def _filter(rows: pd.DataFrame) -> str:
    rows = rows[rows["is_calibrated"]]
    mildest = rows[~rows["is_reference"]].iloc[0]
    if np.isnan(mildest["change"]):
        return (
            "The filter cannot be tested here: every finished row is equally near to a person, so "
            "that none is nearest."
        )
    worst = _most_moved(rows)
    return (
        f"Dropping finished rows moves the effect by {_moved(mildest)} ({mildest['scenario']}) and "
        f"by {_moved(worst)} at most ({worst['scenario']}); calibrated after the filter it cannot "
        "move, by construction."
    )


def _calibration(rows: pd.DataFrame) -> str:
    without = rows[~rows["is_calibrated"]]
    own, own_with = without.iloc[0], rows[rows["is_calibrated"]].iloc[0]
    worst = _most_moved(without)
    return (
        f"Without calibration the effect moves by {_moved(own)} with the study's library (RMSE "
        f"{_rmse(own)} against {_rmse(own_with)} with it), and by {_moved(worst)} at most "
        f"({worst['scenario']})."
    )


def _most_moved(rows: pd.DataFrame) -> pd.Series:
    return rows.iloc[int(np.nanargmax(rows["change"].abs().to_numpy()))]


def _holds_zero(row: pd.Series, interval: str) -> bool:
    return bool(row[f"{interval}_low"] <= 0.0 <= row[f"{interval}_high"])


def _moved(row: pd.Series) -> str:
    return _with_interval(row, "change", "change_ci")


def _error(row: pd.Series) -> str:
    return _with_interval(row, "mean_error", "ci")


def _with_interval(row: pd.Series, value: str, interval: str) -> str:
    verdict = "contains" if _holds_zero(row, interval) else "excludes"
    low, high = row[f"{interval}_low"], row[f"{interval}_high"]
    return f"{row[value]:+.3g} (95 % {low:+.3g} to {high:+.3g}, {verdict} zero)"


def _rmse(row: pd.Series) -> str:
    return f"{row['rmse']:.3g} ± {row['rmse_standard_error']:.1g}"
