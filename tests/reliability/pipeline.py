"""A small study through its real assets, in a process that may be harmed."""

import multiprocessing as mp
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import dagster as dg

from dagster_project.factory import study_definitions
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from dagster_project.study_run import failure_text
from tests.dagster_project.conftest import SMALL_STUDY
from warehouse import Warehouse, check_audit

FIRST, SECOND = 7, 8  # random seeds: what the home holds, and what a harmed run was to make of it
SHORT = ("seed_table", "splits", "cart/fitted_generator", "cart/full_synthetic")
LONG = (
    *SHORT,
    "propensity_model",
    "outcome_model",
    "seed_estimates",
    "cart/synthetic_covariates",
    "cart/hybrid_triplets",
)
Versions = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Finished:
    """How a run ended: whether it succeeded, and what its failed steps said."""

    success: bool
    said: str


def small_study(random_seed: int) -> StudyFile:
    return StudyFile.model_validate(
        SMALL_STUDY | {"generators": ["cart"], "n_synthetic": 200, "random_seed": random_seed}
    )


def run(home: Path, random_seed: int, assets: tuple[str, ...] = SHORT) -> Finished:
    """Materialize assets of the small study in this process."""
    study = small_study(random_seed)
    definitions = study_definitions(study, home)
    result = dg.materialize(
        [*definitions.assets, *definitions.asset_checks],
        selection=[dg.AssetKey([study.name, *asset.split("/")]) for asset in assets],
        instance=dg.DagsterInstance.ephemeral(),
        resources={
            "storage": StorageResource(home=str(home)),
            "compute": ComputeDevice(device="cpu"),
            "io_manager": RefusingIOManager(),
        },
        raise_on_error=False,
    )
    failed = [event for event in result.all_events if event.is_step_failure]
    return Finished(result.success, "; ".join(map(failure_text, failed)))


def run_harmed(
    home: Path, harm: Callable[..., None], *arguments: object, assets: tuple[str, ...] = SHORT
) -> Finished:
    """Do `SECOND` in a process of its own, after `harm` has been done to that process."""
    receiver, sender = mp.Pipe(duplex=False)
    child = started(_tell, sender, home, assets, harm, arguments)
    sender.close()
    finished: Finished = receiver.recv()
    child.join()
    return finished


def started(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Start a process that has what this module imports."""
    context = mp.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def run_silently(home: Path, random_seed: int, assets: tuple[str, ...]) -> None:
    """Do a run of which nobody hears, as one that will be killed."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - of this process, to its end
    run(home, random_seed, assets)


def _tell(
    sender: "mp.connection.Connection",
    home: Path,
    assets: tuple[str, ...],
    harm: Callable[..., None],
    arguments: tuple[object, ...],
) -> None:
    with tempfile.TemporaryDirectory() as elsewhere:
        run(Path(elsewhere), FIRST, assets)  # so that a harmed process imports nothing more
    harm(*arguments)
    sender.send(run(home, SECOND, assets))


def versions(home: Path) -> Versions:
    """Give the version of every table, model and document that the audit log names last."""
    entries = Warehouse(home, "small").audit_entries()
    last: Versions = entries.groupby(["asset", "kind"])["data_version"].last().to_dict()
    return last


def every_version(home: Path) -> set[tuple[str, str, str]]:
    """Give asset, kind and version of all that the audit log ever named."""
    entries = Warehouse(home, "small").audit_entries()[["asset", "kind", "data_version"]]
    return set(entries.itertuples(index=False, name=None))


def require_sound(home: Path, complete: set[tuple[str, str, str]]) -> None:
    """Check every hash in a home, and that undisturbed runs made all that is in it."""
    assert check_audit(home, "small").faults == ()
    assert every_version(home) <= complete


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), int(sys.argv[2])))
