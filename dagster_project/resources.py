"""What assets need from the world around them."""

import os
import resource
import sys
from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from warehouse import AuditTrail, DecisionStore, ModelStore, PageStore, ReleaseStore, Warehouse

HOME_VARIABLE = "HYBRID_HOME"
DEVICE_VARIABLE, PRECISION_VARIABLE = "HYBRID_DEVICE", "HYBRID_PRECISION"
PROJECT = Path(__file__).parent.parent
IN_CHECKOUT = (PROJECT / "pyproject.toml").is_file()


def hybrid_home() -> Path:
    """Folder of all state: ``$HYBRID_HOME``, or ``.hybrid`` in the checkout.

    Where the project is installed without one: ``.hybrid`` in the working folder.
    """
    parent = PROJECT if IN_CHECKOUT else Path.cwd()
    return Path(os.environ.get(HOME_VARIABLE) or parent / ".hybrid").expanduser().resolve()


class StorageResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Tables, models and reports under one folder; those of a trial under its ``trials/``.

    Parameters
    ----------
    home : str, optional
        Instead of `hybrid_home`.
    trial_rows : int, optional
        Synthetic rows of each table, at least 100: makes the launch a trial.
    trial_generators : list of str
        The only generators to run, by the study's names: makes the launch a trial.
    seed_version : str, optional
        Of a source whose path holds ``{version}``, instead of the last.
    """

    home: str = ""
    trial_rows: int | None = Field(default=None, ge=100, le=100_000_000)
    trial_generators: list[str] = Field(default=[])
    seed_version: str = ""

    @property
    def is_trial(self) -> bool:
        """Whether the launch is a trial, of which nothing can be released."""
        return self.trial_rows is not None or bool(self.trial_generators)

    @property
    def path(self) -> Path:
        """The folder in use."""
        home = Path(self.home) if self.home else hybrid_home()
        return home / "trials" if self.is_trial else home

    def warehouse(self, study: str) -> Warehouse:
        """Give the study's tables."""
        return Warehouse(self.path, study)

    def audit_trail(self, study: str) -> AuditTrail:
        """Give what the study's audit log answers."""
        return AuditTrail(self.path, study)

    def report(self, study: str) -> Path:
        """Name the page that the study's report is written to, whether it exists yet or not."""
        return self.pages(study).file("study_report")

    def pages(self, study: str) -> PageStore:
        """Give the study's pages."""
        return PageStore(self.path, study)

    def releases(self, study: str) -> ReleaseStore:
        """Give the study's releases."""
        return ReleaseStore(self.path, study)

    def decisions(self, study: str) -> DecisionStore:
        """Give what people decided about the study's releases."""
        return DecisionStore(self.path, study)

    def models(self) -> ModelStore:
        """Give the fitted models of all studies."""
        return ModelStore(self.path)


class ComputeDevice(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where pretrained language models are fitted.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if PyTorch finds one.
    precision : str
        Of products on a GPU, ``"float32"`` or ``"bfloat16"``; weights stay in float32.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"

    @property
    def chosen(self) -> str:
        """The device in use: ``"cpu"`` or ``"cuda"``.

        Raises
        ------
        dagster.Failure
            If ``"cuda"`` was asked for and is not there.
        """
        import torch

        has_gpu = torch.cuda.is_available()
        if self.device == "cuda" and not has_gpu:
            raise dg.Failure(
                "compute device: expected a CUDA device; PyTorch finds none", allow_retries=False
            )
        return "cuda" if has_gpu and self.device != "cpu" else "cpu"

    def peak_bytes(self) -> int:
        """Most memory this process has taken, on the GPU where one is in use."""
        import torch

        if self.chosen == "cuda":
            return int(torch.cuda.max_memory_allocated())
        return process_peak_bytes()


def process_peak_bytes() -> int:
    """Most memory this process has taken."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


class RefusingIOManager(dg.IOManager):
    """Refuses every value: Dagster's own manager would pickle rows to disk."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Accept nothing but nothing."""
        if obj is not None:
            raise dg.DagsterInvariantViolationError(
                f"asset {context.asset_key.to_user_string()} returned a value; tables go "
                "through the warehouse"
            )

    def load_input(self, context: dg.InputContext) -> None:
        """Refuse: assets read from the warehouse."""
        raise dg.DagsterInvariantViolationError("assets read their inputs from the warehouse")


RESOURCES: dict[str, object] = {
    "storage": StorageResource(),
    "compute": ComputeDevice(
        device=os.environ.get(DEVICE_VARIABLE) or "auto",  # type: ignore[arg-type]
        precision=os.environ.get(PRECISION_VARIABLE) or "float32",  # type: ignore[arg-type]
    ),
    "io_manager": RefusingIOManager(),
}
