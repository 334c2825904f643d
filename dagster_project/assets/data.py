"""From the source to complete training and holdout rows."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_inputs import SPLIT, drawn_file
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.column_lineage import lineage
from dagster_project.display import comments_of, small_table
from dagster_project.study_file import StudyFile
from dagster_project.subjects import identified_by, split_of
from hybrid_assets.blocks import PEOPLE_ROWS, drawing_note
from hybrid_assets.columnwise import ChosenRows, Columns
from hybrid_assets.own_holdout import conform_holdout, require_new_identifiers, require_new_rows
from hybrid_assets.schema import TableSchema
from hybrid_assets.seed import ConstantCovariate, SeedTable, validate_seed
from hybrid_assets.seed_rows import SeedRows
from hybrid_assets.small_cells import told_count
from hybrid_assets.splits import Splits, complete, draw_holdout, draw_people
from warehouse import KeyedHash


def data_assets(make: AssetFactory) -> list[dg.AssetsDefinition]:
    """Declare ``seed_table`` and ``splits``."""
    varied = make.check(
        "seed_table",
        "covariates_vary",
        "Every covariate holds at least two values; the others were left out.",
        blocking=False,
    )

    @make.asset(
        "seed_table", deps=[], kinds={"duckdb", "table"}, privacy="confidential", checks=[varied]
    )
    def seed_table(run: AssetRun) -> AssetResult:
        """The study's rows as they came, checked against the study file: the confidential seed."""
        named = run.remember_seed_version()
        seed = read_seed(run.study, run.folder, run.storage.path)
        n_rows, n_dropped = len(seed.rows), seed.n_rows_dropped
        return run.record_table(
            run.in_columns(seed.rows.stored()),
            files={"schema.json": seed.schema.model_dump_json().encode()},
            comments=comments_of(seed.schema),
            metadata={
                **named,
                "columns": describe(seed.schema),
                "rows_dropped": told_count(n_dropped, n_rows + n_dropped),
                **lineage(run, seed.schema),
            },
            checks=[_constant_covariates(seed)],
        )

    @make.asset("splits", deps=["seed_table"], kinds={"duckdb", "table"}, privacy="confidential")
    def splits(run: AssetRun) -> AssetResult:
        """Training rows (members) and holdout rows (people the generators never see)."""
        schema = run.schema("seed_table")
        rows = run.columns("seed_table")
        unseen = own_holdout(run.study, run.folder, rows, schema, aside=run.storage.path)
        if unseen is not None:
            run.remember_source("holdout", run.in_columns(unseen.without_identifiers().stored()))
        people = people_of(run.study, rows, schema, unseen)
        parts = complete(people["train"], people["holdout"], schema)
        table = run.in_columns(_labelled(parts))
        n_all = n_people(rows, unseen)
        _keep_digests(run, people, schema, table.data_version, n_all=n_all)
        return run.record_table(
            table,
            files={"schema.json": parts.schema.model_dump_json().encode(), **drawn_file(n_all)},
            comments=comments_of(parts.schema),
            metadata={
                "train_rows": len(parts.train),
                "holdout_rows": len(parts.holdout),
                **({"people_drawn": drawing_note(n_all)} if drawing_note(n_all) else {}),
                **lineage(run, parts.schema, schema),
            },
        )

    return [seed_table, splits]


def _constant_covariates(seed: SeedTable) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="covariates_vary",
        passed=not seed.constant_covariates,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"left_out": list(seed.constant_covariates)},
    )


def read_seed(study: StudyFile, folder: Path, aside: Path) -> SeedTable:
    """Read the source and check it against the study file, which lies in `folder`.

    A long table is laid aside in `aside`.

    Raises
    ------
    SourceError, SeedTableError
        If the study cannot stand on it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantCovariate)
        return validate_seed(study.source.read(folder, aside), study)


def own_holdout(
    study: StudyFile, folder: Path, rows: Columns, schema: TableSchema, *, aside: Path
) -> SeedRows | None:
    """Read the holdout's own source, where it has one, with the identifiers that it has.

    Raises as `read_seed` does.
    """
    if study.holdout.source is None:
        return None
    unseen = study.holdout.source.read(folder, aside)
    conformed = conform_holdout(unseen, schema, study)
    require_new_identifiers(rows, unseen, study)
    require_new_rows(rows, conformed, schema)
    return conformed


def n_people(rows: Columns, unseen: Columns | None) -> int:
    """Count the people of a study: the seed's, and those of the holdout's own source."""
    return len(rows) + (0 if unseen is None else len(unseen))


def people_of(
    study: StudyFile, rows: Columns, schema: TableSchema, unseen: Columns | None
) -> dict[str, Columns]:
    """Split the seed's people, with their identifiers, unless the holdout has its own.

    Of more than `PEOPLE_ROWS`, so many are drawn at random, of both sources in proportion.
    """
    within_arms, share = not study.promises_privacy, PEOPLE_ROWS / n_people(rows, unseen)
    n_drawn = round(share * len(rows)) if share < 1 else len(rows)
    draw_rng = study.random_generator("splits/people")
    seed = draw_people(rows, schema, n_drawn, rng=draw_rng, within_arms=within_arms)
    if unseen is not None:
        n_left = PEOPLE_ROWS - n_drawn
        others = draw_people(unseen, schema, n_left, rng=draw_rng, within_arms=within_arms)
        return {"train": seed, "holdout": others}
    is_holdout = draw_holdout(
        seed,
        schema,
        share=study.holdout.chosen_share,
        rng=study.random_generator("splits"),
        within_arms=within_arms,
    )
    return {"train": ChosenRows(seed, ~is_holdout), "holdout": ChosenRows(seed, is_holdout)}


def _labelled(parts: Splits) -> Iterator[pd.Series]:
    """Give the columns of both parts, the training rows first, and which rows are whose."""
    for column in parts.schema.columns:
        both = [column.stored(part[column.name]) for part in (parts.train, parts.holdout)]
        yield pd.concat(both, ignore_index=True)
    labels = np.array(["train", "holdout"], dtype=object)
    yield pd.Series(labels.repeat([len(parts.train), len(parts.holdout)]), name=SPLIT)


def _keep_digests(
    run: AssetRun,
    people: dict[str, Columns],
    schema: TableSchema,
    splits_version: str,
    *,
    n_all: int,
) -> None:
    """Seal who is in which part before the table is there: no split is without its people."""
    columns = identified_by(run.study, schema, people["train"])
    keyed, seed_version = KeyedHash(run.storage.path, make=True), run.upstream["seed_table"]
    split = split_of(
        columns, people, keyed, seed_version=seed_version, splits_version=splits_version
    )
    n_not_drawn = n_all - sum(map(len, people.values()))
    run.audit_trail.record_subjects(replace(split, n_not_drawn=n_not_drawn), run.origin())


def describe(schema: TableSchema) -> dg.MarkdownMetadataValue:
    """Show roles and kinds, as inferred or declared."""
    return small_table(
        pd.DataFrame(
            {
                "column": schema.names,
                "role": [column.role.value for column in schema.columns],
                "kind": [column.kind.value for column in schema.columns],
                "levels": [len(column.levels or ()) or "" for column in schema.columns],
                "decimals": [
                    "" if column.decimals is None else column.decimals for column in schema.columns
                ],
            }
        )
    )
