"""Errors of libraries, which may quote a row: in a private file, never in the terminal.

Dagster masks them in its event log and tells them in full to a logger, which
by itself would write to stderr. Ray and Kubernetes keep what a step prints, and
Ray quotes it when the step fails.
"""

import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path

from dagster._utils.error import _REDACTED_ERROR_LOGGER_NAME as LOGGER_NAME

from dagster_project.resources import hybrid_home

# Read when Dagster is imported: every process is started with them.
SILENT = {
    "DAGSTER_REDACT_USER_CODE_ERRORS": "1",
    # Dagster's commands reset every logger below "dagster", and so would print what is masked
    "DAGSTER_REDACTED_ERROR_LOGGER_NAME": "hybrid.redacted_errors",
    "DAGSTER_DISABLE_TELEMETRY": "1",
}
STEP_VARIABLE = "DAGSTER_RUN_STEP_KEY"  # set by dagster-ray and dagster-k8s


def private_error_file() -> Path:
    """Name the file that masked errors are written to, whether it exists yet or not."""
    return hybrid_home() / "errors" / "redacted_errors.log"


def private_descriptor(file: Path) -> int:
    """Open a file that only its owner can read, to append to it."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.parent.chmod(0o700)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


class PrivateErrors(logging.FileHandler):
    """Appends to a file that only its owner can read, made with the first error."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def _open(self) -> TextIOWrapper:
        return open(private_descriptor(Path(self.baseFilename)), "a", encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        """Write the error; a disk that refuses it must not reveal it."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say that the error is lost; Python's own words would quote it as their cause."""
        print(f"cannot write to {self.baseFilename}: an error is lost", file=sys.stderr)


def kept_private(error: Exception) -> str:
    """Write an unexpected error to the private file, and say so without quoting it."""
    keep_errors_private()
    logging.getLogger(LOGGER_NAME).error("unexpected error", exc_info=error)
    return (
        f"unexpected {type(error).__name__}, which may quote rows; it is in full in "
        f"{private_error_file()}"
    )


def keep_errors_private() -> None:
    """Send what Dagster masks, in this process and its forks, to `private_error_file`."""
    logger = logging.getLogger(LOGGER_NAME)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(PrivateErrors(private_error_file()))
    logger.propagate = False


def keep_output_private() -> None:
    """Send what this process prints to a private file, if it is a step's own on a cluster."""
    if STEP_VARIABLE not in os.environ:
        return
    descriptor = private_descriptor(private_error_file().with_name("step_output.log"))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
