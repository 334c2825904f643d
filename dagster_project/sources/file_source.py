"""A table in a file, or in one file for each version of it."""

from glob import escape
from pathlib import Path
from typing import ClassVar, Self

from pydantic import PrivateAttr, field_validator

from dagster_project.sources.base import Source, existing_file
from hybrid_assets.errors import SourceError

VERSION = "{version}"


class FileSource(Source):
    """Rows of one file.

    Parameters
    ----------
    path : str
        Absolute, or relative to the study file. Its name may hold ``{version}``: of the files
        that are there the last by name is read, unless a launch asks for another.
    """

    kind: str
    path: str
    lies_in_files: ClassVar[bool] = True
    _version: str = PrivateAttr("")  # of one launch: no part of the study, nor of its hash

    @field_validator("path")
    @classmethod
    def _one_version_in_the_name(cls, path: str) -> str:
        if VERSION in path and (path.count(VERSION) > 1 or VERSION not in Path(path).name):
            raise ValueError(f"expected {VERSION} once, in the name of the file; got {path}")
        return path

    @property
    def has_versions(self) -> bool:
        """Whether each version lies in a file of its own."""
        return VERSION in self.path

    def versions(self, folder: Path) -> tuple[str, ...]:
        """List what stands for ``{version}`` in the names of the files that are there, in order."""
        if not self.has_versions:
            return ()
        pattern = folder / Path(self.path).expanduser()
        before, after = pattern.name.split(VERSION)
        files = pattern.parent.glob(f"{escape(before)}*{escape(after)}")
        return tuple(sorted(f.name.removeprefix(before).removesuffix(after) for f in files))

    def version_read(self, folder: Path) -> str:
        """Name the version that was asked for, else the last."""
        return self._version or (self.versions(folder) or ("",))[-1]

    def at(self, version: str, folder: Path) -> Self:
        """Give the source as it reads one version.

        Raises
        ------
        SourceError
            If there is no such version.
        """
        known = self.versions(folder)
        if version not in known:
            expected = ", ".join(known) or f"a path with {VERSION}"
            raise SourceError(f"source {self.kind}: version {version!r}: expected {expected}")
        chosen = self.model_copy()
        chosen._version = version
        return chosen

    def file(self, folder: Path) -> Path:
        """Give the file that is read; raises as `files` does."""
        version = self.version_read(folder) or "*"
        return existing_file(folder, self.path.replace(VERSION, version), self.kind)

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Give the one file."""
        return (self.file(folder),)
