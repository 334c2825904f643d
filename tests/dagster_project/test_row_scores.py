"""A generator that scores rows is attacked by them, and shown block by block."""

import numpy as np
import pytest

from warehouse import Warehouse

BRANCH = ("fitted_generator", "synthetic_covariates", "hybrid_triplets", "full_synthetic")
NUISANCES = ("seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates")


@pytest.mark.parametrize("generator", ["llm", "cart"])
def test_scores_are_recorded_where_the_generator_has_them(
    generator, small_study, materialize, tmp_path
):
    quick = {"steps": 3, "batch_size": 8, "sampling": "masked"}
    study = small_study(generators={generator: quick if generator == "llm" else {}})
    evaluations = ("privacy_evaluation", "fidelity_evaluation")
    assets = [f"{generator}/{asset}" for asset in (*BRANCH, *evaluations)]
    result = materialize(study, *NUISANCES, *assets)
    assert result.success
    stored = Warehouse(tmp_path / "home", study.name)
    risks = stored.read_table(f"{generator}/privacy_evaluation")["measure"]
    attacked = risks.eq("membership by the generator's likelihood: W, AUC")
    losses = stored.read_table(f"{generator}/fidelity_evaluation")
    losses = losses[losses["measure"].fillna("").str.startswith("log_loss")]
    (event,) = result.asset_materializations_for_node(
        f"{study.name}__{generator}__fidelity_evaluation"
    )
    if generator == "cart":
        assert not attacked.any()
        assert losses.empty
        assert "log_loss_by_block" not in event.metadata
        return
    assert attacked.sum() == 1
    blocks = ["covariate", "treatment", "outcome"]
    assert losses["measure"].tolist() == [f"log_loss_{block}" for block in blocks] * 3
    kinds = ["training people", "holdout people", "hybrid"]
    assert losses["table_kind"].tolist() == list(np.repeat(kinds, 3))
    assert losses["n_rows"].tolist() == [240] * 3 + [60] * 3 + [400] * 3
    unseen = losses[losses["table_kind"] == "holdout people"]
    assert losses["holdout_value"].tolist() == unseen["value"].tolist() * 3
    assert (losses["standard_error"] > 0).all()
    assert "log_loss_outcome" in event.metadata["log_loss_by_block"].value
