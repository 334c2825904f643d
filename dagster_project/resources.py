"""What assets need from the world around them."""

import os
import resource
import sys
from pathlib import Path
from typing import Literal

import dagster as dg

from warehouse import AuditTrail, ModelStore, Warehouse

HOME_VARIABLE = "HYBRID_HOME"
DEVICE_VARIABLE, PRECISION_VARIABLE = "HYBRID_DEVICE", "HYBRID_PRECISION"
DEFAULT_HOME = Path(__file__).parent.parent / ".hybrid"


def hybrid_home() -> Path:
    """Folder of all state: ``$HYBRID_HOME``, or ``.hybrid`` in the project."""
    return Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).expanduser().resolve()


class StorageResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Tables, models and reports under one folder.

    Parameters
    ----------
    home : str, optional
        Instead of `hybrid_home`.
    """

    home: str = ""

    @property
    def path(self) -> Path:
        """The folder in use."""
        return Path(self.home) if self.home else hybrid_home()

    def warehouse(self, study: str) -> Warehouse:
        """Give the study's tables."""
        return Warehouse(self.path, study)

    def audit_trail(self, study: str) -> AuditTrail:
        """Give what the study's audit log answers."""
        return AuditTrail(self.path, study)

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
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return kilobytes * (1 if sys.platform == "darwin" else 1024)


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
