"""What makes a generator's hybrid table: settings of the study, models and arm means behind it."""

from dagster_project.asset_run import AssetRun
from dagster_project.private_branch import made_with
from dagster_project.study_file import StudyFile
from hybrid_assets.effects import seed_tmle
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.nuisance import OutcomeModel, PropensityModel
from hybrid_assets.schema import TableSchema


def hybrid_settings(study: StudyFile) -> HybridSettings:
    """Say how the study's recipe makes A and Y."""
    is_randomised = study.assignment == "randomised"
    return HybridSettings(
        assignment=study.assignment,
        calibrate=study.recipe == "targeted",
        treated_probability=study.design_probability if is_randomised else None,
    )


def generating_models(run: AssetRun, schema: TableSchema) -> GeneratingModels:
    """Read what makes A and Y, and the arm means that it is to keep."""
    behind = made_with(run.study, run.generator)
    target = seed_tmle(run.table(behind.target))
    return GeneratingModels(
        propensity=PropensityModel.from_files(run.files(behind.propensity), schema),
        outcome=OutcomeModel.from_files(run.files(behind.outcome), schema),
        mean_treated=float(target["mean_treated"]),
        mean_control=float(target["mean_control"]),
    )
