"""A release folder verified: its checksums, then everything that its files say of each other."""

from pathlib import Path

import pandas as pd

from dagster_project.code_version import science_version
from hybrid_assets.release.verify import BundleCheck, Surroundings, verify_contents
from warehouse import (
    CHECKSUMS,
    CorruptRelease,
    InvalidName,
    altered,
    data_version,
    read_folder,
    storable_table,
)


def verified(folder: Path, trusted_key: bytes | None = None) -> list[BundleCheck]:
    """Recompute a release; needs nothing but the folder.

    Parameters
    ----------
    folder : Path
        Of the release, wherever it was copied to.
    trusted_key : bytes, optional
        Public key (PEM) that must have signed it.

    Returns
    -------
    list of BundleCheck
        The checksums alone where a byte differs: what else is then said means nothing.
    """
    try:
        files = read_folder(folder)
        faults = tuple(altered(files))
    except (CorruptRelease, InvalidName) as error:
        faults = (str(error),)
    checksums = BundleCheck("checksums", faults)
    if faults:
        return [checksums]
    content = {name: each for name, each in files.items() if name != CHECKSUMS}
    around = Surroundings(_version_of, science_version(), trusted_key)
    return [checksums, *verify_contents(content, around)]


def _version_of(table: pd.DataFrame) -> str:
    return data_version(storable_table(table))
