"""What `hybrid check` says of a study: whether it can run, on what, and what will be held up."""

from dataclasses import asdict, dataclass
from pathlib import Path

from dagster_project.assets.data import n_people, own_holdout, people_of, read_seed
from dagster_project.resources import hybrid_home
from dagster_project.study_file import StudyFile
from hybrid_assets.blocks import drawing_note
from hybrid_assets.columnwise import Columns
from hybrid_assets.generators.private.mechanisms import opendp
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role
from hybrid_assets.small_cells import told_count
from hybrid_assets.splits import Splits, complete

MIN_ARM_OF_ITS_OWN = 100  # smaller arms share one outcome model


@dataclass(frozen=True)
class CheckedColumn:
    """One column of the study, as inferred or declared; no value of it.

    Attributes
    ----------
    name, role, kind : str
    n_levels, decimals : int or None
        Of a categorical or ordinal column; of a continuous one.
    missing : int or str
        Cells without a value, in words where they are of 1 to 9 people.
    policy : str
        What is done about them.
    """

    name: str
    role: str
    kind: str
    n_levels: int | None
    decimals: int | None
    missing: int | str
    policy: str


@dataclass(frozen=True)
class StudyCheck:
    """A study that can run.

    Attributes
    ----------
    study : str
    n_rows, n_train, n_holdout : int
        Of the seed table, and of its parts.
    rows_dropped : int or str
        In words where they are of 1 to 9 people.
    columns : tuple of CheckedColumn
    concerns : tuple of str
        What a check or a gate will say whatever the generators do.
    """

    study: str
    n_rows: int
    n_train: int
    n_holdout: int
    rows_dropped: int | str
    columns: tuple[CheckedColumn, ...]
    concerns: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Give plain values for ``--json``."""
        return {"runnable": True, **asdict(self)}


def check_study(study: StudyFile, folder: Path) -> StudyCheck:
    """Read, validate and split the study's rows as its assets would; keep nothing.

    A long table is laid aside meanwhile, in a file without a name in the home.

    Parameters
    ----------
    study : StudyFile
        As read.
    folder : Path
        Of its file.

    Raises
    ------
    GeneratorError
        If a generator needs an extra that is not installed.
    SourceError, SeedTableError
        As ``seed_table`` and ``splits`` would fail.
    """
    if study.promises_privacy:
        opendp()
    home = hybrid_home()
    seed = read_seed(study, folder, home)
    unseen = own_holdout(study, folder, seed.rows, seed.schema, aside=home)
    people = people_of(study, seed.rows, seed.schema, unseen)
    parts = complete(people["train"], people["holdout"], seed.schema)
    columns = tuple(
        _checked(column, int(seed.rows[column.name].isna().sum()), len(seed.rows), study)
        for column in seed.schema.columns
    )
    return StudyCheck(
        study=study.name,
        n_rows=len(seed.rows),
        n_train=len(parts.train),
        n_holdout=len(parts.holdout),
        rows_dropped=told_count(seed.n_rows_dropped, len(seed.rows) + seed.n_rows_dropped),
        columns=columns,
        concerns=(
            *_left_out(seed.constant_covariates),
            *_repeated(seed.rows, study.identifiers),
            *_expected_gates(study, parts),
            *([f"splits: {drawn}"] if (drawn := drawing_note(n_people(seed.rows, unseen))) else []),
        ),
    )


def _checked(column: ColumnSchema, n_missing: int, n_rows: int, study: StudyFile) -> CheckedColumn:
    own = (study.covariates or {}).get(column.name)
    listed = column.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL)
    return CheckedColumn(
        name=column.name,
        role=column.role.value,
        kind=column.kind.value,
        n_levels=len(column.levels or ()) if listed else None,
        decimals=column.decimals,
        missing=told_count(n_missing, n_rows),
        policy=(own.missing if own else None) or study.missing
        if column.role is Role.COVARIATE
        else "refuse",
    )


def _left_out(constant: tuple[str, ...]) -> list[str]:
    return [f"covariates_vary: {name} holds a single value and is left out" for name in constant]


def _repeated(rows: Columns, identifiers: tuple[str, ...]) -> list[str]:
    """Warn where rows may not be people, as every interval and every attack takes them to be."""
    names = [name for name in identifiers if not rows[name].is_unique]
    return [f"{name}: repeats; each row is taken for one person" for name in names]


def _expected_gates(study: StudyFile, parts: Splits) -> list[str]:
    needed, n_holdout, found = study.privacy.policy.min_holdout, len(parts.holdout), []
    smallest_arm = int(parts.train[study.treatment].value_counts().min())
    if n_holdout < needed:
        found.append(
            f"privacy_verdict: INCONCLUSIVE at best; {n_holdout} people in the holdout, "
            f"{needed} needed for a PASS"
        )
    if smallest_arm < MIN_ARM_OF_ITS_OWN:
        found.append(
            "outcome_model: fitted to both arms together; training rows in the smaller one: "
            f"{told_count(smallest_arm, len(parts.train))} (under {MIN_ARM_OF_ITS_OWN})"
        )
    copying = [name for name, one in study.generators.items() if one.kind == "bootstrap"]
    found += [
        f"{name}: repeats real rows, fails the copy check, is never for release" for name in copying
    ]
    if study.label:
        found.append(study.label)
    return found
