"""Distances from synthetic rows to people as table rows and checks."""

from concurrent.futures import Executor
from typing import Final

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_run import AssetRun
from dagster_project.study_file import StudyFile
from dagster_project.synthetic_tables import FULL, HYBRID, synthetic_tables
from hybrid_assets.privacy.copies import count_copies
from hybrid_assets.privacy.dcr import DcrEvaluation, evaluate_dcr

DCR_EVALUATIONS = TypeAdapter(dict[str, DcrEvaluation])
HYBRID_W: Final = "hybrid covariates"


def distances(run: AssetRun, workers: Executor | None = None) -> dict[str, DcrEvaluation]:
    """Compare at the digits that are shown: a rounded copy is a copy."""
    schema, tables = run.schema(), synthetic_tables(run)
    train, holdout = (schema.rounded(run.part(part, schema)) for part in ("train", "holdout"))
    compared = {
        HYBRID_W: (tables[HYBRID], schema.covariates),
        HYBRID: (tables[HYBRID], schema),
        FULL: (tables[FULL], schema),
    }
    return {
        shown: evaluate_dcr(
            run.sample(asset, columns),
            train,
            holdout,
            columns,
            copies=count_copies(run.rows(asset, columns), train, holdout, columns),
            workers=workers,
        )
        for shown, (asset, columns) in compared.items()
    }


def distance_rows(found: dict[str, DcrEvaluation]) -> pd.DataFrame:
    """Give one row for each measure of each table."""
    flat = pd.json_normalize(DCR_EVALUATIONS.dump_python(found), sep=".").T[0]
    parts = [str(name).split(".", 1) for name in flat.index]
    return pd.DataFrame(
        {
            "table_kind": [kind for kind, _ in parts],
            "measure": [measure for _, measure in parts],
            "value": flat.to_numpy(dtype=float),
            **dict.fromkeys(["ci_low", "ci_high", "holdout_value", "p_adjusted"], np.nan),
            **dict.fromkeys(["verdict", "advice"], ""),
        }
    )


def distance_checks(found: DcrEvaluation, study: StudyFile) -> list[dg.AssetCheckResult]:
    """Evaluate ``copies`` and ``dcr_share`` on the hybrid covariates."""
    largest_excess, largest_z = study.gates.max_excess_copies, study.privacy.policy.max_dcr_share_z
    return [
        dg.AssetCheckResult(
            check_name="copies",
            passed=bool(found.excess_copy_share <= largest_excess),
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "copies_share": found.n_copies_in_train / found.n_synthetic,
                "holdout_copies_share": found.n_holdout_copies_in_train / found.n_holdout,
                "largest_excess": largest_excess,
            },
        ),
        dg.AssetCheckResult(
            check_name="dcr_share",
            passed=bool(abs(found.share.z) <= largest_z),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "share": found.share.value,
                "expected": found.share.expected,
                "standard_error": found.share.standard_error,
                "z": found.share.z,
                "largest_z": largest_z,
            },
        ),
    ]
