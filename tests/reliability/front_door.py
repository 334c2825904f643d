"""What a table or a study file may come to: a run that is complete, or one clear refusal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import ValidationError

from dagster_project.assets.data import people_of, read_seed
from dagster_project.refusals import told
from dagster_project.study_file import StudyFile, read_study_file
from hybrid_assets.errors import HybridAssetsError
from hybrid_assets.estimators import estimate_effects
from hybrid_assets.generators import GENERATORS, draw_valid
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.nuisance import cross_fit_draws, fit_outcome_model, fit_propensity_model
from hybrid_assets.schema import TableSchema
from hybrid_assets.splits import Splits, complete
from warehouse import TableOfColumns, WarehouseError

COMPLETE, SPLIT = "complete", "split"
N_SYNTHETIC = 200
PLAIN = {
    "name": "fuzzed",
    "title": "A study of fuzzed tables",
    "source": {"kind": "csv", "path": "seed.csv"},
    "treatment": "A",
    "outcome": "Y",
    "design": {"kind": "observational"},
    "nuisance": {"n_fold_draws": 1, "outcome_library": ["linear"]},
    "generators": ["bootstrap"],
    "n_synthetic": N_SYNTHETIC,
    "random_seed": 7,
}


@dataclass(frozen=True)
class Outcome:
    """How one input ended.

    Attributes
    ----------
    kind : str
        `COMPLETE`, `SPLIT` (refused by nothing so far), or the name of the error.
    message : str
        Of the refusal; empty otherwise.
    """

    kind: str
    message: str = ""


def plain_study(**changes: Any) -> StudyFile:
    return StudyFile.model_validate(PLAIN | changes)


def outcome_of_table(content: bytes, study: StudyFile, folder: Path, *, whole: bool) -> Outcome:
    """Take a CSV file through the front door; `whole`: on to hybrid triplets with `bootstrap`.

    Anything but an error of the project's own is raised, as the bug that it is.
    """
    (folder / "seed.csv").write_bytes(content)
    try:
        seed = read_seed(study, folder, folder)
        TableOfColumns(seed.rows.stored(), folder)
        people = people_of(study, seed.rows, seed.schema, None)
        parts = complete(people["train"], people["holdout"], seed.schema)
        if not whole:
            return Outcome(SPLIT)
        table = hybrid_of(parts, study)
    except (HybridAssetsError, WarehouseError) as error:
        return Outcome(type(error).__name__, str(error))
    assert len(table) == N_SYNTHETIC
    assert not parts.schema.invalid_counts(table)[1]
    return Outcome(COMPLETE)


def hybrid_of(parts: Splits, study: StudyFile) -> pd.DataFrame:
    """Make hybrid triplets of the training rows, as the assets do."""
    schema: TableSchema = parts.schema
    rows = schema.canonical(parts.train)
    rng = np.random.default_rng(3)
    fits = cross_fit_draws(rows, schema, study.nuisance, rng, study.known_propensity)
    target = next(e for e in estimate_effects(fits, study.questions) if e.estimator == "tmle")
    models = GeneratingModels(
        propensity=fit_propensity_model(rows, schema, study.nuisance, fits),
        outcome=fit_outcome_model(rows, schema, study.nuisance, fits),
        mean_treated=target.mean_treated,
        mean_control=target.mean_control,
    )
    settings = study.generators["bootstrap"]
    generator = GENERATORS["bootstrap"](settings)
    covariates = schema.covariates
    generator.fit(covariates.rounded(rows[covariates.names]), covariates, rng)
    drawn, _ = draw_valid(generator, covariates, N_SYNTHETIC, rng)
    return hybrid_triplets(
        drawn, models, settings=HybridSettings(assignment=study.assignment), rng=rng
    ).table


def outcome_of_study_file(content: bytes, file: Path) -> Outcome:
    """Read a study file as the terminal does; raise what it could not tell in words."""
    file.write_bytes(content)
    try:
        read_study_file(file)
    except (HybridAssetsError, ValidationError, yaml.YAMLError) as error:
        kind, message = type(error).__name__, told(error)
    else:
        return Outcome(COMPLETE)
    assert message is not None, kind
    assert file.name in message, message
    return Outcome(kind, message)
