"""Balance of the covariates before and after weighting."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.report.canvas import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    blank_figure,
    legend_above,
    png_bytes,
    wrapped,
)

NOTABLE = 0.1  # a customary limit of a standardised difference


def love_plot(balance: pd.DataFrame) -> bytes:
    """Absolute standardised mean differences, one line for each covariate or level.

    Parameters
    ----------
    balance : DataFrame
        Of `OverlapDiagnostics`. Contrasts without spread are left out.

    Returns
    -------
    bytes
        A PNG picture.

    Raises
    ------
    EvaluationError
        If no covariate varies.

    References
    ----------
    Austin 2009, doi:10.1002/sim.3697 (differences over .1 are notable).
    """
    shown = balance.dropna(subset=["smd_unweighted"])
    if shown.empty:
        raise EvaluationError("a picture of balance needs at least one covariate that varies")
    order = shown["smd_unweighted"].abs().to_numpy().argsort(kind="stable")[::-1]
    shown = shown.iloc[order]
    before, after = (shown[name].abs().to_numpy() for name in ("smd_unweighted", "smd_weighted"))
    at = np.arange(len(shown))
    figure, axes = blank_figure(1.3 + 0.27 * len(shown))
    axes.hlines(
        at,
        np.minimum(before, after),
        np.maximum(before, after),
        color=GREY,
        linewidth=1.2,
    )
    axes.scatter(
        before,
        at,
        s=42,
        facecolor="white",
        edgecolor=ORANGE,
        linewidth=1.6,
        zorder=3,
        label="as observed",
    )
    axes.scatter(after, at, s=42, color=BLUE, zorder=3, label="weighted by 1/propensity")
    axes.axvline(NOTABLE, color=BLACK, linestyle="--", linewidth=1, label=f"{NOTABLE:g}")
    levels = shown["level"].map(lambda level: f" = {level}" if isinstance(level, str) else "")
    names = shown["covariate"].astype(str) + levels
    axes.set_yticks(at, wrapped(names, width=32))
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 1.06 * max(float(before.max()), float(after.max()), NOTABLE))
    axes.set_xlabel("difference of the arms' means (pooled standard deviations)")
    legend_above(figure, axes, n_columns=3)
    return png_bytes(figure)
