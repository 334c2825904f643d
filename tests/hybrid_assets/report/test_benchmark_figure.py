import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from hybrid_assets.errors import EvaluationError
from hybrid_assets.report.benchmark_figure import benchmark_curves_plot
from hybrid_assets.report.canvas import BLUE, ORANGE

PERFORMANCE = pd.DataFrame(
    {
        "dial": ["as fitted"] * 4 + ["no effect"] * 2,
        "n_rows": [250, 1000, 250, 1000, 250, 1000],
        "estimator": ["aipw", "aipw", "tmle", "tmle", "aipw", "aipw"],
        "rmse": [0.06, 0.03, 0.05, 0.025, 0.06, 0.03],
        "rmse_error": [0.002] * 6,
        "coverage": [0.93, 0.95, 0.94, 0.95, 0.95, 0.95],
        "coverage_error": [0.01] * 6,
        "power": [0.5, 0.9, 0.5, 0.9, np.nan, np.nan],
        "power_error": [0.02] * 4 + [np.nan] * 2,
    }
)


def colours(png):
    image = (imread(io.BytesIO(png))[..., :3] * 255).round().astype(int)
    return {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(image.reshape(-1, 3), axis=0)}


@pytest.mark.parametrize("figure_of_merit", ["rmse", "coverage", "power"])
def test_each_estimator_has_its_curve_and_the_bytes_repeat(figure_of_merit):
    png = benchmark_curves_plot(PERFORMANCE, figure_of_merit=figure_of_merit)
    assert {BLUE, ORANGE} <= colours(png)
    assert png == benchmark_curves_plot(PERFORMANCE, figure_of_merit=figure_of_merit)


def test_a_dial_can_be_picked():
    assert ORANGE not in colours(benchmark_curves_plot(PERFORMANCE, dial="no effect"))


def test_refusals():
    with pytest.raises(
        EvaluationError, match="a picture needs power of dial 'no effect'; got none"
    ):
        benchmark_curves_plot(PERFORMANCE, figure_of_merit="power", dial="no effect")
    with pytest.raises(EvaluationError, match="expected one of rmse.*; got 'p'"):
        benchmark_curves_plot(PERFORMANCE, figure_of_merit="p")
