"""What assets need from the world around them."""

import os
from pathlib import Path

import dagster as dg

from warehouse import ModelStore, Warehouse

HOME_VARIABLE = "HYBRID_HOME"
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

    def models(self) -> ModelStore:
        """Give the fitted models of all studies."""
        return ModelStore(self.path)


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


RESOURCES: dict[str, object] = {"storage": StorageResource(), "io_manager": RefusingIOManager()}
