"""What the report of a study says, gathered from its results."""

from collections.abc import Iterator, Sequence
from typing import Literal

import dagster as dg

from dagster_project.asset_run import AssetRun
from dagster_project.check_history import CheckHistory
from dagster_project.privacy_results import evaluation_before_release
from dagster_project.privacy_spending import branch_loss
from dagster_project.suites import SUITE
from hybrid_assets.generators.great import AS_PUBLISHED
from hybrid_assets.report.summary import (
    CheckResult,
    ComparisonRow,
    MadeFrom,
    Picture,
    ReportSummary,
)
from warehouse import KeyedHash, LogEntry, latest_entry, trace

CAPTIONS = {
    "ate_estimates": (
        "Effect estimates",
        "Thick: 95 % interval as if every row were a person; thin: adjusted for the people behind "
        "a synthetic table. Diamonds are the exact effects of hybrid tables. Lines: the seed's "
        "TMLE and, where the study is simulated, the truth.",
    ),
    "generator_comparison": (
        "Distance to the closest record",
        "Boxes are quartiles, whiskers end at 5 and 95 %. The grey box is what people whom the "
        "generator never saw give: synthetic rows well below it are too close to training rows.",
    ),
    "propensity_model": (
        "Overlap",
        "How likely treatment was for the treated (above) and the controls (below). Where only one "
        "side has people, the effect rests on extrapolation. Groups of under 10 are merged.",
    ),
}


def report_summary(
    run: AssetRun, rows: tuple[ComparisonRow, ...], guards: Sequence[dg.AssetCheckSpec]
) -> ReportSummary:
    """Gather everything the page shows; every number was stored by an asset before."""
    study = run.study
    known = study.known_effect
    evaluations = {g: evaluation_before_release(run, g) for g in study.generators}
    return ReportSummary(
        study=study.name,
        title=study.title,
        description=study.description,
        design=study.design.kind,
        assignment=study.assignment,
        n_rows=run.n_people("seed"),
        n_holdout=run.n_people("holdout"),
        n_synthetic=study.n_synthetic,
        study_hash=study.content_hash,
        random_seed=study.random_seed,
        rows=rows,
        true_effect=known.effect if known else None,
        true_effect_se=known.standard_error if known else None,
        pictures=tuple(_pictures(run)),
        notes=_notes(run),
        checks=tuple(_checks(run, guards)),
        risks={generator: evaluation for generator, (evaluation, _) in evaluations.items()},
        label_audits={} if study.label else {g: told for g, (_, told) in evaluations.items()},
        made_from=_made_from(run),
        label=study.label,
    )


def _made_from(run: AssetRun) -> tuple[MadeFrom, ...]:
    """Tell every upstream version; files only where their table was not read."""
    entries = run.audit_trail.entries()
    found = trace(entries, latest_entry(entries, "generator_comparison")).entries
    read = {entry.asset for entry in found if entry.kind == "table"}
    told = [entry for entry in found if entry.kind == "table" or entry.asset not in read]
    tables = {entry.asset for entry in entries if entry.kind == "table"}
    keyed = KeyedHash(run.storage.path).of_all("data version", [e.data_version for e in told])
    sources = [
        MadeFrom(
            asset=entry.asset,
            kind=_kind(entry, tables),
            n_rows=entry.n_rows,
            version=version,
            code_version=entry.code_version,
            user=entry.user_name,
            made_at=f"{entry.recorded_at:%Y-%m-%d %H:%M}",
        )
        for entry, version in zip(told, keyed, strict=True)
    ]
    return tuple(sorted(sources, key=_place))


def _place(source: MadeFrom) -> tuple[bool, bool, str]:
    """Put the seed first and branches last; when each was made is not the same in any two runs."""
    return source.asset != "seed_table", "/" in source.asset, source.asset


def _kind(entry: LogEntry, tables: set[str]) -> Literal["table", "files", "model"]:
    if entry.kind == "table":
        return "table"
    return "files" if entry.asset in tables else "model"


def _pictures(run: AssetRun) -> Iterator[Picture]:
    for asset, (title, caption) in CAPTIONS.items():
        if png := run.picture(asset):
            yield Picture(title, caption, png)
    for generator in run.study.generators:
        if png := run.picture(f"{generator}/fidelity_evaluation"):
            yield Picture(
                f"Column laws: {generator}",
                "Distance of each column's law in the hybrid table to the training rows', beside "
                "what unseen people give by chance (0 is the same law).",
                png,
            )
        if (png := _learning_curve(run, generator)) is not None:
            yield Picture(f"Learning curve: {generator}", "Loss by training step.", png)


def _learning_curve(run: AssetRun, generator: str) -> bytes | None:
    return run.picture(f"{generator}/fitted_generator")


def _notes(run: AssetRun) -> tuple[str, ...]:
    notes = [PUBLISHED_NOTE] if run.study.recipe == "published" else []
    notes += [
        "A full synthetic table comes from the generator alone, treatment and outcome included. "
        "It is shown as the baseline that loses the effect."
    ]
    if drawn := run.people_drawn():
        notes.append(f"Analysed: {drawn}. {COUNTS_THE_DRAWN}")
    kinds = {settings.kind for settings in run.study.generators.values()}
    if "great" in kinds:
        notes.append(f"The generator great is {AS_PUBLISHED}. It is never for release.")
    if "bootstrap" in kinds:
        notes.append(
            "The bootstrap's covariates are real people's: it is the ceiling of fidelity and the "
            "leak that the copy check must find. It is never for release."
        )
    losses = {g: branch_loss(run, g) for g in run.study.generators}
    notes += [
        f"Generator {g} is differentially private: {loss.claim}. It covers {loss.covers}. It does "
        f"not cover {loss.does_not_cover}: this page is for the study's own staff."
        for g, loss in losses.items()
        if loss is not None
    ]
    notes += [
        f"Gate {o.gate} of generator {o.generator} is overridden by {o.person}: {o.reason}"
        for o in run.study.gates.overrides
    ]
    return tuple(notes)


COUNTS_THE_DRAWN = (
    "No model, generator, attack or estimate saw the others. Standard errors and intervals count "
    "the people who were drawn. Kinds, levels, ranges and decimals of columns are all rows'."
)
PUBLISHED_NOTE = (
    "Published recipe: not for release. Default forests predict the very rows they were grown on, "
    "nothing is calibrated, and a continuous outcome is a bare prediction. The hybrid's effect "
    "drifts from the seed's, intervals are too narrow, and synthetic treatments and outcomes tell "
    "those of real people to whoever knows their covariates. It is here to reproduce the papers."
)


def _checks(run: AssetRun, guards: Sequence[dg.AssetCheckSpec]) -> Iterator[CheckResult]:
    """Tell every check of its own, and the data suites in one line unless one failed."""
    history = CheckHistory(run.instance, of_trials=run.storage.is_trial)
    outcomes = [(spec, history.last(spec.key)) for spec in guards if _is_made(run, spec)]
    suites = [found for spec, found in outcomes if spec.name in SUITE]
    n_passed = sum(_has_passed(found) for found in suites)
    yield CheckResult(
        name="data suites",
        passed=n_passed == len(suites),
        severity="blocking",
        explanation=f"{n_passed} of {len(suites)} rules on columns, types, ranges and levels of "
        "the seed and the synthetic tables are met.",
    )
    for spec, found in outcomes:
        if spec.name not in SUITE or not _has_passed(found):
            asset = "/".join(spec.asset_key.path[1:])
            yield CheckResult(
                name=f"{asset}: {spec.name}",
                passed=_has_passed(found),
                severity=_severity(spec, found),
                explanation=(spec.description or "") + (NOT_RUN if found is None else ""),
            )


NOT_RUN = " (Not evaluated yet.)"


def _is_made(run: AssetRun, spec: dg.AssetCheckSpec) -> bool:
    """Whether the check is of this launch: a trial may leave generators out."""
    path = spec.asset_key.path
    return len(path) == 2 or path[1] in run.study.generators


def _has_passed(found: dg.AssetCheckEvaluation | None) -> bool:
    return found is not None and bool(found.passed)


def _severity(
    spec: dg.AssetCheckSpec, found: dg.AssetCheckEvaluation | None
) -> Literal["blocking", "error", "warning"]:
    if spec.blocking:
        return "blocking"
    is_error = found is not None and found.severity is dg.AssetCheckSeverity.ERROR
    return "error" if is_error else "warning"
