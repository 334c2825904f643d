"""What every source can do."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SourceError
from hybrid_assets.study import Strict


class KnownEffect(Strict):
    """The true average treatment effect of a simulated table.

    Parameters
    ----------
    effect : float
        E[Y(1) − Y(0)] in the population.
    standard_error : float
        Of the simulation that found it; 0 where it is exact.
    reference : str
        Where the design comes from.
    """

    effect: float
    standard_error: float
    reference: str


class Source(Strict, ABC):
    """A place that holds the rows of one table."""

    @abstractmethod
    def read(self, folder: Path, aside: Path) -> Columns:
        """Read the table: as a frame, or, if it is long, to be given a column at a time.

        Parameters
        ----------
        folder : Path
            Of the study file; relative paths start there.
        aside : Path
            Where the rows of a long table are laid aside, in a file without a name.

        Raises
        ------
        SourceError
            If there is no such table or it cannot be read.
        """

    lies_in_files: ClassVar[bool] = False

    def files(self, folder: Path) -> tuple[Path, ...]:
        """List the files that the rows come from; none if they cannot change.

        Raises
        ------
        SourceError
            If one is not there.
        """
        return ()

    def version(self, folder: Path) -> str:
        """Hash the files, which is cheaper than reading the table; raises as `files` does."""
        digest = hashlib.sha256()
        for file in self.files(folder):
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()

    def versions(self, folder: Path) -> tuple[str, ...]:
        """List the versions that lie in files of their own, in order; none if there is but one."""
        return ()

    def version_read(self, folder: Path) -> str:
        """Name the one of `versions` that is read; empty if there are none."""
        return ""

    @property
    def known_effect(self) -> KnownEffect | None:
        """The true effect, where the rows are simulated."""
        return None


def existing_file(folder: Path, path: str, what: str) -> Path:
    """Resolve a path of a study file and make sure that a file is there."""
    file = (folder / Path(path).expanduser()).resolve()
    if not file.is_file():
        raise SourceError(f"source {what}: expected a file at {file}; got nothing there")
    return file
