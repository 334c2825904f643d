import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from hybrid_assets.errors import EvaluationError
from hybrid_assets.report.benchmark_figure import learning_curves_plot
from hybrid_assets.report.canvas import BLUE, ORANGE

PERFORMANCE = pd.DataFrame(
    {
        "scenario": ["as fitted"] * 4 + ["no effect"] * 2,
        "n_rows": [250, 1000, 250, 1000, 250, 1000],
        "estimator": ["aipw", "aipw", "tmle", "tmle", "aipw", "aipw"],
        "rmse": [0.06, 0.03, 0.05, 0.025, 0.06, 0.03],
        "rmse_error": [0.002] * 6,
        "coverage": [0.93, 0.95, 0.94, 0.95, 0.95, 0.95],
        "coverage_error": [0.01] * 6,
        "power": [0.5, 0.9, 0.5, 0.9, np.nan, np.nan],
        "power_error": [0.02] * 4 + [np.nan] * 2,
        "type_1_error": [np.nan] * 4 + [0.06, 0.05],
        "type_1_error_error": [np.nan] * 4 + [0.01] * 2,
    }
)


def colours(png):
    image = (imread(io.BytesIO(png))[..., :3] * 255).round().astype(int)
    return {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(image.reshape(-1, 3), axis=0)}


def test_each_estimator_has_its_curve_and_the_bytes_repeat():
    png = learning_curves_plot(PERFORMANCE)
    assert {BLUE, ORANGE} <= colours(png)
    assert png == learning_curves_plot(PERFORMANCE)


def test_a_scenario_can_be_picked_and_shows_its_type_1_error():
    png = learning_curves_plot(PERFORMANCE, scenario="no effect")
    assert ORANGE not in colours(png)
    higher = PERFORMANCE.assign(type_1_error=2 * PERFORMANCE["type_1_error"])
    assert png != learning_curves_plot(higher, scenario="no effect")


def test_nothing_to_draw_is_refused():
    with pytest.raises(EvaluationError, match="needs the rmse of scenario 'other'; got none"):
        learning_curves_plot(PERFORMANCE, scenario="other")
