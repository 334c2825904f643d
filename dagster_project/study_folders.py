"""Where study files lie: in the package, and in folders of the user's own."""

import os
from pathlib import Path

import yaml

from dagster_project.study_file import StudyFile, read_study_file
from hybrid_assets.errors import StudyError

STUDIES_VARIABLE = "HYBRID_STUDIES"
DEFAULT_FOLDER = Path("studies")
PACKAGED = Path(__file__).parent / "defs"


def user_folders() -> list[Path]:
    """List the folders that ``$HYBRID_STUDIES`` names; without it, ``studies/`` where it is.

    Raises
    ------
    StudyError
        If one of them is not there.
    """
    named = os.environ.get(STUDIES_VARIABLE)
    if not named:
        return [DEFAULT_FOLDER.resolve()] if DEFAULT_FOLDER.is_dir() else []
    folders = [Path(p) for p in named.split(os.pathsep) if p]
    for folder in folders:
        if not folder.is_dir():
            raise StudyError(f"{STUDIES_VARIABLE}: expected a folder at {folder}; got none")
    return folders


def packaged_study_files() -> list[Path]:
    """List the study files that come with the package, sorted."""
    return sorted(PACKAGED.glob("*/defs.yaml"))


def user_study_files() -> list[Path]:
    """List ``<folder>/<study>/defs.yaml`` of the user's folders, in their order."""
    return [file for folder in user_folders() for file in sorted(folder.glob("*/defs.yaml"))]


def study_files() -> dict[str, Path]:
    """Map the name of every study to its file; files are read no further than for their name.

    A file that cannot be read goes by the name of its folder.
    """
    files = [*packaged_study_files(), *user_study_files()]
    return {_name(file): file for file in files}


def find_study(name: str) -> tuple[StudyFile, Path]:
    """Read one study's file, and tell the folder that its relative paths start from.

    Raises
    ------
    StudyError
        If there is no such study; names those that there are.
    pydantic.ValidationError
        If its file is not a study; names the file and the line.
    """
    files = study_files()
    if name not in files:
        raise StudyError(f"unknown study {name}; known: {', '.join(sorted(files))}")
    return read_study_file(files[name]), files[name].parent


def _name(file: Path) -> str:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return str(content["attributes"]["name"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, RecursionError):
        return file.parent.name
