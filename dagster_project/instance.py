"""The Dagster instance of this project: private, silent, in ``$HYBRID_HOME/dagster``."""

import os
import shutil
from pathlib import Path

from dagster_project.resources import hybrid_home

SETTINGS = Path(__file__).with_name("instance.yaml")


def prepare_instance() -> Path:
    """Create the instance folder and point this process, and its children, at it.

    Settings that are there already are left as they are. Errors that come from
    anywhere but this project's own error tree are redacted in the event log,
    since a library may quote a row; `private_errors` keeps them in full.

    Returns
    -------
    Path
        The folder, which ``$DAGSTER_HOME`` now names.
    """
    folder = hybrid_home() / "dagster"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    if not (folder / "dagster.yaml").exists():
        shutil.copyfile(SETTINGS, folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ["DAGSTER_REDACT_USER_CODE_ERRORS"] = "1"
    # Dagster's commands reset every logger below "dagster", and so would print what is masked.
    os.environ["DAGSTER_REDACTED_ERROR_LOGGER_NAME"] = "hybrid.redacted_errors"
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    return folder
