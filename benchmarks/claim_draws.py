"""One draw of the claim: a fresh study, both synthetic tables, the effect in each.

Every draw is a study of 1000 people from a design whose effect is known. Its
generator is fitted anew, hybrid and full-synthetic tables are made by the
functions that the assets call, and an analyst who has only the table estimates
the effect by TMLE with the widened standard error. The generator learns from
all rows, as in the packaged study `paper_trial`; the oracle is AIPW with the
design's own nuisances on the same rows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from dagster_project.code_version import science_version
from hybrid_assets.columnwise import whole_table
from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import (
    EffectEstimate,
    adjusted_for_synthesis,
    aipw,
    estimate_ate,
    estimate_from_cross_fits,
)
from hybrid_assets.generators import GENERATORS, draw_valid
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.nuisance import cross_fit_draws
from hybrid_assets.nuisance.outcome_model import fit_outcome_model
from hybrid_assets.nuisance.propensity_model import fit_propensity_model
from hybrid_assets.schema import TableSchema
from hybrid_assets.seed import validate_seed
from hybrid_assets.study import Study

STUDIES: dict[str, dict[str, Any]] = {
    "paper1_trial": {
        "design": {"kind": "trial", "probability": 0.5},
        "assignment": "randomised",
    },
    "confounded_binary": {"design": {"kind": "observational"}, "assignment": "observed"},
}


@dataclass(frozen=True)
class Task:
    """One draw of one design with one generator."""

    design: str
    generator: str
    draw: int
    n_rows: int = 1000
    n_synthetic: int = 10_000

    def study(self) -> Study:
        """Give the study file that a user would write; its seed is the draw's number."""
        settings = {
            "name": self.design,
            "title": "The claim",
            "treatment": "A",
            "outcome": "Y",
            "generators": [self.generator],
            "n_synthetic": self.n_synthetic,
            "random_seed": self.draw,
        }
        return Study.model_validate(settings | STUDIES[self.design])


@dataclass(frozen=True)
class ClaimDraw:
    """What one draw gave: estimates of the effect with their standard errors.

    `hybrid_exact` is the effect of the hybrid population by construction, the
    seed's TMLE; `hybrid` and `full` are an analyst's TMLE of the tables.
    """

    design: str
    generator: str
    draw: int
    n_rows: int
    n_synthetic: int
    true_ate: float
    oracle: float
    seed_tmle: float
    seed_standard_error: float
    hybrid_exact: float
    hybrid: float
    hybrid_standard_error: float
    full: float
    full_standard_error: float
    cpu_seconds: float
    code_version: str


def run_draw(task: Task) -> ClaimDraw:
    """Simulate a study, make both synthetic tables and estimate the effect in each."""
    started = time.process_time()
    study = task.study()
    design = DESIGNS[task.design]
    seed = validate_seed(design(task.n_rows, 10_000 + task.draw), study)
    schema, rows = seed.schema, whole_table(seed.rows)
    rng = study.random_generator("seed_estimates")
    fits = cross_fit_draws(rows, schema, study.nuisance, rng, study.known_propensity)
    target = estimate_from_cross_fits(fits)["tmle"]
    models = GeneratingModels(
        propensity=fit_propensity_model(rows, schema, study.nuisance, fits),
        outcome=fit_outcome_model(rows, schema, study.nuisance, fits),
        mean_treated=target.mean_treated,
        mean_control=target.mean_control,
    )
    hybrid = hybrid_triplets(
        _generated(task, rows, schema.covariates, "synthetic_covariates"),
        models,
        settings=HybridSettings(assignment=study.assignment),
        rng=study.random_generator(f"{task.generator}/hybrid_triplets"),
    )
    in_hybrid = _analysed(task, hybrid.table, schema, study.known_propensity)
    in_full = _analysed(task, _generated(task, rows, schema, "full_synthetic"), schema, None)
    return ClaimDraw(
        **asdict(task),
        true_ate=design.true_ate,
        oracle=_oracle(task, rows),
        seed_tmle=target.estimate,
        seed_standard_error=target.standard_error,
        hybrid_exact=hybrid.true_ate,
        hybrid=in_hybrid.estimate,
        hybrid_standard_error=in_hybrid.standard_error,
        full=in_full.estimate,
        full_standard_error=in_full.standard_error,
        cpu_seconds=round(time.process_time() - started, 2),
        code_version=science_version(),
    )


def _generated(task: Task, rows: pd.DataFrame, schema: TableSchema, asset: str) -> pd.DataFrame:
    study = task.study()
    settings = study.generators[task.generator]
    generator = GENERATORS[settings.kind](settings)
    rng = study.random_generator(f"{task.generator}/{asset}")
    generator.fit(schema.rounded(rows[schema.names]), schema, rng)
    return draw_valid(generator, schema, task.n_synthetic, rng)[0]


def _analysed(
    task: Task, table: pd.DataFrame, schema: TableSchema, known_propensity: float | None
) -> EffectEstimate:
    """Estimate as the asset ``effect_estimates`` does: one fold draw, widened error."""
    study = task.study()
    settings = study.nuisance.model_copy(update={"n_fold_draws": 1})
    rng = study.random_generator(f"{task.generator}/effect_estimates")
    found = estimate_ate(table, schema, settings, rng, known_propensity)["tmle"]
    return adjusted_for_synthesis(found, task.n_rows)


def _oracle(task: Task, rows: pd.DataFrame) -> float:
    design = DESIGNS[task.design]
    treatment, outcome = (rows[name].to_numpy(dtype=float) for name in ("A", "Y"))
    q0, q1 = (design.outcome_mean(rows, arm) for arm in (0, 1))
    return aipw(treatment, outcome, design.propensity(rows), q0, q1).estimate


def read_draws(file: Path) -> list[ClaimDraw]:
    """Read finished draws; a line that was cut off by a kill is left out."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    whole = [line for line in lines if line.endswith("}")]
    return [ClaimDraw(**json.loads(line)) for line in whole]


def unfinished(tasks: Iterable[Task], draws: list[ClaimDraw]) -> list[Task]:
    """Leave out what has been measured with the same numbers of rows."""
    names = [field.name for field in fields(Task)]
    done = {Task(**{name: getattr(draw, name) for name in names}) for draw in draws}
    return [task for task in tasks if task not in done]
