import numpy as np
import pandas as pd
import pytest

from hybrid_assets.fidelity import UNSEEN, block_losses


def test_means_errors_and_the_holdout_beside_them_by_hand():
    people = pd.DataFrame({"covariate": [-3.0, -5.0, -4.0], "outcome": [-1.0, -1.0, -4.0]})
    unseen = pd.DataFrame({"covariate": [-6.0, -8.0], "outcome": [-2.0, -2.0]})
    found = block_losses({"training people": people, UNSEEN: unseen})
    assert found["table_kind"].tolist() == ["training people"] * 2 + [UNSEEN] * 2
    assert found["measure"].tolist() == ["log_loss_covariate", "log_loss_outcome"] * 2
    assert found["value"].tolist() == pytest.approx([4, 2, 7, 2])
    errors = [1 / np.sqrt(3), np.sqrt(3) / np.sqrt(3), np.sqrt(2) / np.sqrt(2), 0]
    assert found["standard_error"].tolist() == pytest.approx(errors)
    assert found["holdout_value"].tolist() == pytest.approx([7, 2, 7, 2])
    assert found["n_rows"].tolist() == [3, 3, 2, 2]
