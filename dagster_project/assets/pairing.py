"""Repair of poor overlap with a donor study: only for studies that set `pairing`."""

from typing import Final

import dagster as dg
import numpy as np
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.generation import GPU_KINDS
from dagster_project.assets.positivity import overlap_table, seed_cross_fits
from dagster_project.display import comments_of, small_table
from dagster_project.synthetic_tables import sampled_pool
from dagster_project.truth_columns import OUTCOME_CONTROL, OUTCOME_TREATED
from hybrid_assets.errors import StudyError
from hybrid_assets.generators import GENERATORS, draw_valid
from hybrid_assets.nuisance import OutcomeModel
from hybrid_assets.positivity import combined_propensity, overlap
from hybrid_assets.positivity.donor import DonorStudy, donor_rows
from hybrid_assets.positivity.pairing import Donor, pair
from hybrid_assets.positivity.pairing_effects import (
    MEASURED_COVERAGE,
    PairedStudy,
    heterogeneity_p_value,
    pairing_effects,
)
from hybrid_assets.report.pairing_plot import pairing_plot
from hybrid_assets.schema import TableSchema
from hybrid_assets.small_cells import told_count
from hybrid_assets.study import TrialDesign

SELF_PAIRED: Final = "self-paired: not an estimate of the effect"
DONOR_PAIRED: Final = "paired with a donor study: rests on its effect carrying over"
ADDED: Final = "__added"
DISTANCE: Final = "__match_distance"
PAIRING: Final = "__pairing"
COMMENTS = {
    ADDED: "whether pairing added the row: the nearest synthetic covariates, the other treatment",
    DISTANCE: "from the person the row is paired with, in standard deviations; missing for people",
    PAIRING: "what the table may be used for",
}


def pairing_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare ``<generator>/paired_table`` if the study has a donor."""
    pairing = make.study.pairing
    if pairing is None:
        return []
    asset = f"{generator}/paired_table"
    own = [f"{generator}/hybrid_triplets", "outcome_model"] if pairing.donor == "self" else []
    external = make.check(
        asset,
        "external_donor",
        "Added outcomes come from another study's people; from the study's own synthetic rows "
        "they would be no estimate of the effect.",
        blocking=False,
    )

    @make.asset(
        asset,
        deps=["seed_table", "splits", *own],
        kinds={"duckdb", "scikitlearn"},
        privacy="confidential",
        checks=[external],
        pool="gpu" if make.study.generators[generator].kind in GPU_KINDS else None,
    )
    def paired_table(run: AssetRun) -> AssetResult:
        """The study's rows, and for each extreme one a synthetic row under the other treatment."""
        schema = run.schema()
        study = _paired(run, schema)
        effects = pairing_effects(study, run.study.random_generator(f"{asset}/effects"))
        return run.record_table(
            _stored(study, schema, _label(run)),
            comments={**comments_of(schema), **COMMENTS},
            files={"pairing_effects.json": effects.to_json(orient="records").encode()},
            drawn=_picture(run, effects),
            metadata={
                "pairing": _label(run),
                **_metadata(study, effects),
                **(sampled_pool(run, own[0]) if own else {}),
            },
            checks=[_external_donor(run)],
        )

    return [paired_table]


def _label(run: AssetRun) -> str:
    is_self = run.study.pairing is not None and run.study.pairing.donor == "self"
    return SELF_PAIRED if is_self else DONOR_PAIRED


def _paired(run: AssetRun, schema: TableSchema) -> PairedStudy:
    seed = run.part("seed", schema)
    fits = seed_cross_fits(run, seed)
    donor, donor_study = _donor(run, schema)
    paired = pair(seed, combined_propensity(fits), donor, rng=run.rng)
    return PairedStudy(paired, fits, donor, donor_study, run.study.nuisance)


def _donor(run: AssetRun, schema: TableSchema) -> tuple[Donor, DonorStudy | None]:
    """Fit the branch's generator and the outcome model to the donor, or take the study's own."""
    study = run.study
    if study.pairing is None:
        raise StudyError(f"study {study.name!r}: expected the setting pairing; got none")
    if study.pairing.donor == "self":
        hybrid = run.sampled(f"{run.generator}/hybrid_triplets")
        model = OutcomeModel.from_files(run.files("outcome_model"), schema)
        control, treated = (
            hybrid[name].to_numpy(dtype=float) for name in (OUTCOME_CONTROL, OUTCOME_TREATED)
        )
        return Donor(schema.covariates.canonical(hybrid), control, treated, model), None
    source = study.pairing.donor.read(run.folder, run.storage.path)
    rows, wide = donor_rows(source, schema, run.schema("seed_table"), study)
    run.remember_source("donor", run.in_blocks([wide.stored(rows)]))
    design = study.pairing.donor_design
    donor_study = DonorStudy.fit(
        rows,
        wide,
        study.nuisance,
        known_propensity=design.probability if isinstance(design, TrialDesign) else None,
        rng=study.random_generator("donor_nuisances"),
    )
    rng = study.random_generator(f"{run.asset}/covariates")
    settings, layout = study.generators[run.generator], wide.covariates
    generator = GENERATORS[settings.kind](settings)
    generator.fit(layout.rounded(rows[layout.names]), layout, rng)
    return donor_study.give(draw_valid(generator, layout, study.n_synthetic, rng)[0]), donor_study


def _stored(study: PairedStudy, schema: TableSchema, label: str) -> pd.DataFrame:
    rows, is_added = study.paired.table, study.paired.is_added
    distances = np.full(len(rows), np.nan)
    distances[is_added] = study.paired.pairing.distances
    return schema.stored(rows).assign(**{ADDED: is_added, DISTANCE: distances}, **{PAIRING: label})


def _picture(run: AssetRun, effects: pd.DataFrame) -> bytes:
    known, label = run.study.known_effect, _label(run)
    return pairing_plot(
        effects,
        true_effect=known.effect if known else None,
        warning=label if label == SELF_PAIRED else "",
    )


def _metadata(study: PairedStudy, effects: pd.DataFrame) -> dict[str, object]:
    fits, pairing, schema = study.cross_fits, study.paired.pairing, study.donor.model.schema
    found = overlap(combined_propensity(fits), fits[0].treatment, study.study_rows, schema)
    distances = pd.DataFrame(
        {
            "share": pairing.distance_quantiles.keys(),
            "matches": pairing.distance_quantiles.values(),
            "among donors": pairing.reference_quantiles.values(),
        }
    )
    n_added = told_count(len(pairing.rows), len(study.study_rows))
    shown: dict[str, object] = {
        "estimates": small_table(effects),
        **_leverage(effects),
        "paired_intervals": MEASURED_COVERAGE,
        "rows_added": n_added,
        "match_distances": small_table(distances),
        "overlap": overlap_table(found),
    }
    if study.donor_study is not None:
        shown["heterogeneity_p_value"] = heterogeneity_p_value(effects)
    if study.donor.model.is_binary:
        shown["worst_case_width"] = found.told_extreme
    if isinstance(n_added, str):
        shown["dagster/row_count"] = None  # less the study's rows, it would tell the number added
    return shown


def _leverage(effects: pd.DataFrame) -> dict[str, object]:
    row = effects.set_index("estimate_of").loc["donor_leverage"]
    if pd.isna(row["estimate"]):
        return {"donor_leverage": row["note"]}
    return {
        "donor_leverage": float(row["estimate"]),
        "donor_leverage_standard_error": float(row["standard_error"]),
    }


def _external_donor(run: AssetRun) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="external_donor",
        passed=_label(run) != SELF_PAIRED,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"pairing": _label(run)},
    )
