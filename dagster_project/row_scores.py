"""What a generator that can score rows thinks of people, and of the rows made from it."""

from dataclasses import replace

import numpy as np
import pandas as pd

from dagster_project.asset_run import AssetRun
from hybrid_assets.fidelity import UNSEEN, block_losses
from hybrid_assets.generators import GENERATORS, ScoresRows, scores_rows
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.schema import TableSchema
from hybrid_assets.study import Study

MOST_SCORED = 1_000  # rows of a table, and people of a side: an AUC is then known to .013


def can_score(study: Study, generator: str) -> bool:
    """Whether a study's generator can say how likely it finds rows."""
    return scores_rows(study.generators[generator].kind)


def with_likelihood(run: AssetRun, attacked: Attacked) -> Attacked:
    """Give the attacker the generator that the covariates came from, if it can score rows."""
    if not can_score(run.study, run.generator):
        return attacked
    people, is_member = attacked.covariates.people, attacked.is_member
    rng = run.study.random_generator(f"{run.asset}/likelihood")
    scored = pd.concat([_some(people[side], rng) for side in (is_member, ~is_member)])
    schema = run.schema().covariates
    found = _scorer(run, "fitted_generator", schema).log_prob(scored, rng).sum(axis=1)
    return replace(attacked, log_prob=found.reindex(people.index).to_numpy())


def block_loss_rows(run: AssetRun, hybrid: pd.DataFrame) -> list[pd.DataFrame]:
    """Give the log loss by block of people and of hybrid rows, if the generator can score rows."""
    if not can_score(run.study, run.generator):
        return []
    schema = run.schema()
    rng = run.study.random_generator(f"{run.asset}/log_loss")
    tables = {
        "training people": run.part("train", schema),
        UNSEEN: run.part("holdout", schema),
        "hybrid": hybrid,
    }
    scorer = _scorer(run, "full_synthetic", schema)
    some = {kind: _some(table, rng) for kind, table in tables.items()}
    return [block_losses({kind: scorer.log_prob(rows, rng) for kind, rows in some.items()})]


def _scorer(run: AssetRun, asset: str, schema: TableSchema) -> ScoresRows:
    settings = run.study.generators[run.generator]
    files = run.files(f"{run.generator}/{asset}")
    generator = GENERATORS[settings.kind].from_files(files, settings, schema)
    assert isinstance(generator, ScoresRows)
    return generator


def _some(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return table.iloc[rng.permutation(len(table))[:MOST_SCORED]]
