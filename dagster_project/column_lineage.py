"""Which upstream columns each column of the chain comes from, for Dagster and for OpenLineage."""

from collections.abc import Callable, Mapping

import dagster as dg

from dagster_project.asset_inputs import SPLIT
from dagster_project.asset_run import AssetRun, asset_key
from dagster_project.display import columns_from
from dagster_project.private_branch import is_private, made_with
from dagster_project.study_file import StudyFile
from dagster_project.truth_columns import (
    CATE,
    OUTCOME_CONTROL,
    OUTCOME_TREATED,
    PROPENSITY,
    RELEASED_TRUTH,
)
from hybrid_assets.missing_values import flag_name
from hybrid_assets.schema import ColumnKind, TableSchema

Origins = Mapping[str, Mapping[str, list[str]]]  # column -> upstream asset -> its columns
ARM_MEANS = ["mean_treated", "mean_control"]
Rule = Callable[[StudyFile, TableSchema, str], dict[str, dict[str, list[str]]]]


def column_origins(
    asset: str, study: StudyFile, schema: TableSchema, seed_schema: TableSchema | None = None
) -> Origins:
    """Give the origins of every column of an asset; nothing for assets outside the chain.

    A generator learns its columns jointly: an arrow says whose law a column keeps. A model asset
    has one column for what it predicts, so that the way to the people's rows is not cut there.

    Parameters
    ----------
    asset : str
        Name within the study, such as ``cart/hybrid_triplets``.
    study : StudyFile
    schema : TableSchema
        Of ``splits``; of ``seed_table`` for that asset.
    seed_schema : TableSchema, optional
        Of ``seed_table``: tells the flags of imputed cells in ``splits``.
    """
    generator, _, name = asset.rpartition("/")
    if name == "splits":
        return _of_splits(study, schema, seed_schema or schema)
    rule = RULES.get(name)
    return {} if rule is None else rule(study, schema, f"{generator}/")


def lineage(
    run: AssetRun, schema: TableSchema, seed_schema: TableSchema | None = None
) -> dict[str, dg.TableColumnLineage]:
    """Give the metadata entry that the UI draws column lineage from."""
    origins = column_origins(run.asset, run.study, schema, seed_schema)
    by_key = {
        column: {asset_key(run.study, asset): names for asset, names in found.items()}
        for column, found in origins.items()
    }
    return {"dagster/column_lineage": columns_from(by_key)}


def _of_seed(study: StudyFile, schema: TableSchema, _: str) -> dict[str, dict[str, list[str]]]:
    return {name: {} for name in (*study.identifiers, *schema.names)}


def _of_splits(study: StudyFile, schema: TableSchema, seed: TableSchema) -> Origins:
    flags = {flag_name(name): name for name in seed.names}
    found = {
        name: {"seed_table": [name if name in seed.names else flags[name]]} for name in schema.names
    }
    drawn_by = [schema.treatment]  # the holdout is drawn within arms, and within a 0/1 outcome
    if schema[schema.outcome].kind is ColumnKind.BINARY:
        drawn_by.append(schema.outcome)
    by_arms = study.holdout.source is None and not study.promises_privacy
    return {**found, SPLIT: {"seed_table": drawn_by} if by_arms else {}}


def _learnt_from(study: StudyFile, branch: str) -> str:
    """Name what models are fitted to: people's rows, or those of a private branch's law."""
    return f"{branch}fitted_generator" if is_private(study, branch[:-1]) else "splits"


def _of_propensity(
    study: StudyFile, schema: TableSchema, branch: str
) -> dict[str, dict[str, list[str]]]:
    by_design = study.known_propensity is not None
    learnt = {_learnt_from(study, branch): [schema.treatment, *schema.covariate_names]}
    return {schema.treatment: {} if by_design else learnt}


def _of_outcome(
    study: StudyFile, schema: TableSchema, branch: str
) -> dict[str, dict[str, list[str]]]:
    return {schema.outcome: {_learnt_from(study, branch): schema.names}}


def _of_estimates(
    study: StudyFile, schema: TableSchema, branch: str
) -> dict[str, dict[str, list[str]]]:
    measured = ("estimate", "standard_error", "ci_low", "ci_high", *ARM_MEANS)
    return {name: {_learnt_from(study, branch): schema.names} for name in measured}


def _of_generator(
    study: StudyFile, schema: TableSchema, branch: str
) -> dict[str, dict[str, list[str]]]:
    whole = is_private(study, branch[:-1])
    return {
        name: {"splits": [name]} for name in (schema.names if whole else schema.covariate_names)
    }


def _of_covariates(
    _: StudyFile, schema: TableSchema, branch: str
) -> dict[str, dict[str, list[str]]]:
    return {name: {f"{branch}fitted_generator": [name]} for name in schema.covariate_names}


def _of_hybrid(
    study: StudyFile, schema: TableSchema, branch: str
) -> dict[str, dict[str, list[str]]]:
    behind = made_with(study, branch[:-1])
    covariates = {f"{branch}synthetic_covariates": schema.covariate_names}
    propensity: dict[str, list[str]] = {behind.propensity: [schema.treatment], **covariates}
    if study.assignment == "randomised":
        propensity.pop(f"{branch}synthetic_covariates")
        if study.design_probability is not None:
            propensity = {}
    means = {behind.outcome: [schema.outcome], **covariates}
    if study.recipe == "targeted":
        means[behind.target] = ARM_MEANS
    own = {n: {f"{branch}synthetic_covariates": [n]} for n in schema.covariate_names}
    return {
        **own,
        schema.treatment: propensity,
        schema.outcome: {**means, **propensity, **covariates},
        PROPENSITY: propensity,
        **dict.fromkeys((OUTCOME_CONTROL, OUTCOME_TREATED, CATE), means),
    }


def _of_full(study: StudyFile, schema: TableSchema, branch: str) -> dict[str, dict[str, list[str]]]:
    made_by = f"{branch}fitted_generator" if is_private(study, branch[:-1]) else "splits"
    return {name: {made_by: [name]} for name in schema.names}


def _of_candidate(
    study: StudyFile, schema: TableSchema, branch: str
) -> dict[str, dict[str, list[str]]]:
    left = {name: name for name in schema.names}
    if study.release.include_counterfactuals:
        left |= RELEASED_TRUTH
    return {name: {f"{branch}hybrid_triplets": [column]} for name, column in left.items()}


RULES: dict[str, Rule] = {
    "seed_table": _of_seed,
    "propensity_model": _of_propensity,
    "outcome_model": _of_outcome,
    "seed_estimates": _of_estimates,
    "private_estimates": _of_estimates,
    "fitted_generator": _of_generator,
    "synthetic_covariates": _of_covariates,
    "hybrid_triplets": _of_hybrid,
    "full_synthetic": _of_full,
    "release_candidate": _of_candidate,
}
