"""What one launch changes: a trial of fewer rows or generators, or another version of the seed.

A trial lies in a warehouse of its own, and nothing of it is released.

A launch says so in its run config, from the terminal or the launchpad alike::

    resources:
      storage:
        config: {trial_rows: 500, trial_generators: [cart]}
"""

from pathlib import Path
from typing import Any, Literal

import dagster as dg

from dagster_project.resources import StorageResource
from dagster_project.sources.file_source import FileSource
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import SourceError, StudyError

TRIAL_LABEL = "trial run: not for release"
TRIAL_TAG = "hybrid/trial"


class TrialStudy(StudyFile):
    """A study cut down for one launch: it has another hash, and all it makes is labelled.

    Parameters
    ----------
    is_trial : bool
        Always true.
    """

    is_trial: Literal[True] = True

    @property
    def label(self) -> str:
        """What everything made by the trial is marked with."""
        return "; ".join(each for each in (TRIAL_LABEL, super().label) if each)


def launched_study(study: StudyFile, storage: StorageResource, asset: str) -> StudyFile:
    """Give the study as this launch makes it: whole, or cut down to a trial.

    Parameters
    ----------
    study : StudyFile
        As its author wrote it.
    storage : StorageResource
        Holds what the launch says of a trial.
    asset : str
        What is to be made, such as ``gan/hybrid_triplets``.

    Raises
    ------
    StudyError
        If the trial names a generator that the study does not have, or the
        asset belongs to one that the trial leaves out.
    """
    if not storage.is_trial:
        return study
    trial = trial_of(study, storage.trial_rows, storage.trial_generators)
    generator = asset.rpartition("/")[0]
    if generator and generator not in trial.generators:
        raise StudyError(
            f"study {study.name!r}, asset {asset!r}: expected a generator of this trial "
            f"({', '.join(trial.generators)}); got {generator}"
        )
    return trial


def at_version(study: StudyFile, version: str, folder: Path) -> StudyFile:
    """Give the study as it reads one version of its seed, the last if none; its hash stays.

    A holdout that has versions too is read at the same one.

    Raises
    ------
    SourceError
        If there is no such version of either.
    """
    if not version:
        return study
    if not isinstance(study.source, FileSource):
        raise SourceError(f"study {study.name!r}: seed version {version!r}: expected a file source")
    switched: dict[str, object] = {"source": study.source.at(version, folder)}
    holdout = study.holdout.source
    if isinstance(holdout, FileSource) and holdout.has_versions:
        people = holdout.at(version, folder)
        switched["holdout"] = study.holdout.model_copy(update={"source": people})
    return study.model_copy(update=switched)


def trial_of(study: StudyFile, n_rows: int | None, generators: list[str]) -> TrialStudy:
    """Cut a study down to some of its generators, and to `n_rows` synthetic rows.

    Parameters
    ----------
    study : StudyFile
        As its author wrote it.
    n_rows : int or None
        At least 100; None keeps the study's number.
    generators : list of str
        Names as in the study; none keeps them all.

    Raises
    ------
    StudyError
        If the study has no such generator.
    """
    unknown = sorted(set(generators) - set(study.generators))
    if unknown:
        raise StudyError(
            f"study {study.name!r}: expected generators of {', '.join(study.generators)}; "
            f"got {', '.join(unknown)}"
        )
    written = study.model_dump(exclude_unset=True)
    kept = {name: one for name, one in written["generators"].items() if name in generators}
    return TrialStudy.model_validate(
        written
        | {"generators": kept or written["generators"]}
        | ({} if n_rows is None else {"n_synthetic": n_rows})
    )


def is_trial_run(run: dg.DagsterRun) -> bool:
    """Whether a run was launched as a trial."""
    config: Any = run.run_config
    storage = config.get("resources", {}).get("storage", {}).get("config", {})
    return any(storage.get(name) for name in ("trial_rows", "trial_generators"))
