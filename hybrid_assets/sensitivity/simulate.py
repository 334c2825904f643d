"""Every scenario over replicated seeds: errors of the hybrid's effect with Monte-Carlo errors."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from hybrid_assets.nuisance import NuisanceSettings
from hybrid_assets.randomness import drawn_seed
from hybrid_assets.sensitivity.population import KnownPopulation, bent
from hybrid_assets.sensitivity.scenarios import (
    CRUDE,
    SeedDraw,
    dimensions,
    filtered,
    misspecified,
    seed_sizes,
    without_confounders,
)
from hybrid_assets.sensitivity.settings import SensitivitySettings

SENSITIVITY_COMMENTS = {
    "question": "misspecification, bent truth, seed size, dimension, DCR filter or calibration",
    "scenario": "what was done to the seed, its models or the hybrid rows",
    "is_calibrated": "whether the outcome model's arm means were moved to the seed's TMLE",
    "n_rows": "rows of the seed",
    "n_covariates": "covariates of the seed, noise included",
    "mean_error": "mean over replicates of the hybrid's exact effect less the population's",
    "standard_error": "Monte-Carlo error of mean_error",
    "ci_low": "95 % interval of mean_error over replicates",
    "ci_high": "95 % interval of mean_error over replicates",
    "rmse": "root mean squared error over replicates",
    "rmse_standard_error": "Monte-Carlo error of rmse",
    "change": "mean paired difference to the question's reference on the same seeds",
    "change_ci_low": "95 % interval of change over replicates",
    "change_ci_high": "95 % interval of change over replicates",
    "is_reference": "whether the others of the question are compared with this one",
    "n_replicates": "replicates behind the row",
    "n_failed": "replicates left out: no model could be fitted, or a filter found all rows "
    "equally near",
    "true_effect": "effect of the population the seeds are drawn from, exactly",
}


def simulate_sensitivity(
    population: KnownPopulation,
    nuisance: NuisanceSettings,
    settings: SensitivitySettings,
    *,
    n_rows: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw seeds from a known population and run the study's own steps on each.

    All scenarios of a replicate share its seed, so that changes are paired.

    Parameters
    ----------
    population : KnownPopulation
    nuisance : NuisanceSettings
        The study's library; one fold draw is used.
    settings : SensitivitySettings
    n_rows : int
        The study's own seed size.
    rng : numpy Generator
        One stream is spawned for each replicate.

    Returns
    -------
    DataFrame
        The columns of `SENSITIVITY_COMMENTS`.
    """
    once = nuisance.model_copy(update={"n_fold_draws": 1})
    n_largest = max(n_rows, settings.sample_sizes[-1])
    curved = bent(population)
    found = []
    for replicate, stream in enumerate(rng.spawn(settings.n_replicates)):
        seed = drawn_seed(stream)
        draw = SeedDraw(population, once, population.draw(n_largest, stream), n_rows, seed)
        curve = SeedDraw(curved, once, curved.draw(n_rows, stream), n_rows, seed)
        effects = [
            *misspecified(draw, "misspecification"),
            *without_confounders(draw),
            *misspecified(curve, "bent truth"),
            *seed_sizes(draw, settings.sample_sizes),
            *dimensions(draw, settings.dimensions),
            *filtered(draw),
        ]
        found += [{"replicate": replicate, **asdict(effect)} for effect in effects]
    return summarised(pd.DataFrame(found))


def summarised(effects: pd.DataFrame) -> pd.DataFrame:
    """Turn effects by replicate and scenario into errors with intervals.

    Parameters
    ----------
    effects : DataFrame
        Fields of `ScenarioEffect`, and ``replicate``.

    Returns
    -------
    DataFrame
        The columns of `SENSITIVITY_COMMENTS`; the question ``calibration`` is
        added, which compares the misspecification scenarios with themselves,
        calibrated against not.
    """
    long = effects.melt(
        id_vars=[c for c in effects.columns if c not in ("calibrated", "uncalibrated")],
        value_vars=["calibrated", "uncalibrated"],
        var_name="state",
        value_name="effect",
    )
    long["is_calibrated"] = long["state"] == "calibrated"
    long["error"] = long["effect"] - long["true_effect"]
    rows = []
    for question, of_question in long.groupby("question", sort=False):
        reference = of_question[of_question["is_reference"]]
        for (scenario, is_calibrated), group in of_question.groupby(
            ["scenario", "is_calibrated"], sort=False
        ):
            same = reference[reference["is_calibrated"] == is_calibrated]
            row = {"question": question, "scenario": scenario, "is_calibrated": is_calibrated}
            rows.append(row | _summary(group, same))
    long["is_reference"] = long["is_calibrated"]
    asked = long[(long["question"] == "misspecification") & (long["scenario"] != CRUDE)]
    for scenario, group in asked.groupby("scenario", sort=False):
        with_it, without = (group[group["is_calibrated"] == flag] for flag in (True, False))
        for flag, part in ((True, with_it), (False, without)):
            row = {"question": "calibration", "scenario": scenario, "is_calibrated": flag}
            rows.append(row | _summary(part, with_it))
    return pd.DataFrame(rows)[list(SENSITIVITY_COMMENTS)]


def _summary(group: pd.DataFrame, reference: pd.DataFrame) -> dict[str, object]:
    own = group.set_index("replicate")["error"]
    n_failed = int(own.isna().sum())
    change = (own - reference.set_index("replicate")["error"]).dropna()
    errors = own.dropna()
    mean, low, high, se = _interval(errors.to_numpy())
    moved, moved_low, moved_high, _ = _interval(change.to_numpy())
    rmse = float(np.sqrt((errors**2).mean()))
    spread = float((errors**2).std(ddof=1)) / np.sqrt(max(len(errors), 1))
    return {
        "n_rows": int(group["n_rows"].iloc[0]),
        "n_covariates": int(group["n_covariates"].iloc[0]),
        "mean_error": mean,
        "standard_error": se,
        "ci_low": low,
        "ci_high": high,
        "rmse": rmse,
        "rmse_standard_error": spread / (2.0 * rmse) if rmse > 0 else np.nan,
        "change": moved,
        "change_ci_low": moved_low,
        "change_ci_high": moved_high,
        "is_reference": bool(group["is_reference"].iloc[0]),
        "n_replicates": len(errors),
        "n_failed": n_failed,
        "true_effect": float(group["true_effect"].iloc[0]),
    }


def _interval(values: np.ndarray) -> tuple[float, float, float, float]:
    """Give mean, 95 % t-interval and standard error; not numbers below two values."""
    from scipy.stats import t

    if len(values) < 2:
        return np.nan, np.nan, np.nan, np.nan
    mean, se = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(t.ppf(0.975, len(values) - 1)) * se
    return mean, mean - half, mean + half, se
