"""The effect with and without a donor, side by side."""

from __future__ import annotations

import pandas as pd

from hybrid_assets.report.canvas import (
    BLACK,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    blank_figure,
    legend_above,
    plain_text,
    png_bytes,
)

COLOURS = {"study_alone": BLACK, "paired_null_donor": ORANGE, "worst_case": GREY}


def pairing_plot(
    effects: pd.DataFrame, *, true_effect: float | None = None, warning: str = ""
) -> bytes:
    """Draw every estimate of a paired study with its 95 % interval.

    Parameters
    ----------
    effects : DataFrame
        From `pairing_effects`; what is a share or missing is not drawn.
    true_effect : float, optional
        Drawn as a line.
    warning : str
        Written over the picture.

    Returns
    -------
    bytes
        A PNG picture.
    """
    effects = effects[effects["estimate_of"].ne("donor_leverage") & effects["ci_low"].notna()]
    figure, axes = blank_figure(1.6 + 0.3 * len(effects))
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=GREY, linewidth=0.8, label="no effect")
    if true_effect is not None:
        axes.axvline(true_effect, color=RED, linewidth=1.4, label="true effect")
    for at, row in enumerate(effects.to_dict("records")):
        colour = COLOURS.get(row["estimate_of"], PURPLE)
        is_range = row["estimate_of"] == "worst_case"
        ends = [row["ci_low"], row["ci_high"]]
        axes.plot(ends, [at, at], color=colour, linewidth=1.2 if is_range else 5)
        if not is_range:
            axes.plot(row["estimate"], at, "o", color="white", markersize=3, zorder=3)
    names = [plain_text(str(name).replace("_", " ")) for name in effects["estimate_of"]]
    axes.set_yticks(range(len(effects)), names)
    axes.set_ylim(len(effects) - 0.4, -0.6)
    axes.set_xlabel("average treatment effect (units of the outcome)")
    if warning:
        axes.set_title(plain_text(warning), color=RED, fontsize=11, fontweight="bold")
    legend_above(figure, axes, n_columns=2)
    return png_bytes(figure)
