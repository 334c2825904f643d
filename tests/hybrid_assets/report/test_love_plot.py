import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import EvaluationError
from hybrid_assets.report.love_plot import love_plot

BALANCE = pd.DataFrame(
    {
        "covariate": ["age", "site", "constant"],
        "level": [None, "north", None],
        "smd_unweighted": [0.6, -0.3, np.nan],
        "smd_weighted": [0.05, 0.02, np.nan],
    }
)


def test_the_same_balance_gives_the_same_bytes_and_another_one_others():
    picture = love_plot(BALANCE)
    assert picture.startswith(b"\x89PNG")
    assert picture == love_plot(BALANCE.copy())
    assert picture == love_plot(BALANCE.assign(smd_unweighted=-BALANCE["smd_unweighted"]))
    assert picture != love_plot(BALANCE.assign(smd_weighted=0.0))


def test_nothing_that_varies_is_refused():
    with pytest.raises(EvaluationError, match="at least one covariate that varies"):
        love_plot(BALANCE.tail(1))
