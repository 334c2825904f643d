"""Draw the language model's pictures in docs/: learning on paper 1's seed, and temperature.

`tiny` is fitted to the covariates, and to all columns: 10 000 rows at each temperature, beside
50 000 of the design. About 60 CPU s.
"""

from pathlib import Path

import numpy as np

from benchmarks.language_quality import (
    DESIGN,
    N_DRAWN,
    N_TRUTH,
    ROWS_SEED,
    TRUTH_SEED,
    difference,
    seed_table,
)
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.report.canvas import (
    BLACK,
    SERIES_COLOURS,
    SERIES_STYLES,
    blank_panels,
    legend_above,
    png_bytes,
)
from hybrid_assets.report.figures import learning_curve_plot

PICTURES = Path(__file__).parent.parent / "docs/pictures"
TEMPERATURES = (0.7, 0.85, 1.0)
FIT_SEED = 1
BINS = np.linspace(-4, 4, 41)


def main() -> None:
    table, schema = seed_table()
    covariates = LlmGenerator(LlmSettings()).fit(
        table[schema.covariates.names], schema.covariates, np.random.default_rng(FIT_SEED)
    )
    curve = learning_curve_plot(covariates.learning_curve_)
    (PICTURES / "language_model_learning.png").write_bytes(curve)
    truth = DESIGN(N_TRUTH, TRUTH_SEED)
    generator = LlmGenerator(LlmSettings()).fit(table, schema, np.random.default_rng(FIT_SEED))
    figure, (above, below) = blank_panels(5.6, 2)
    middles = (BINS[1:] + BINS[:-1]) / 2
    known = np.histogram(truth["W4"], BINS, density=True)[0]
    above.fill_between(middles, known, color="#DDDDDD", label="the design")
    for place, temperature in enumerate(TEMPERATURES):
        generator.settings = generator.settings.model_copy(update={"temperature": temperature})
        drawn = generator.sample(N_DRAWN, np.random.default_rng(ROWS_SEED))
        colour = SERIES_COLOURS[place]
        density = np.histogram(drawn["W4"], BINS, density=True)[0]
        style = SERIES_STYLES[place]
        name = f"temperature {temperature}"
        above.plot(middles, density, style, color=colour, label=name)
        arms = drawn.groupby("A")["Y"]
        error = 1.96 * np.sqrt((arms.var() / arms.size()).sum())
        below.errorbar(difference(drawn), place, xerr=error, fmt="o", color=colour, capsize=4)
        print(f"{name}: sd of W4 {drawn['W4'].std():.3f}, difference {difference(drawn):.3f}")
    below.axvline(difference(table), color=BLACK, linestyle="--")
    below.annotate(
        "the seed's", (difference(table), 2.35), xytext=(4, 0), textcoords="offset points"
    )
    below.set(yticks=range(3), yticklabels=map(str, TEMPERATURES), ylim=(-0.5, 2.7))
    below.set(ylabel="temperature", xlabel="treated minus control mean of Y (95 % CI of the draw)")
    above.set(xlabel="W4", ylabel="density", ylim=(0, None))
    legend_above(figure, above, n_columns=4)
    (PICTURES / "language_model_temperature.png").write_bytes(png_bytes(figure))


if __name__ == "__main__":
    main()
