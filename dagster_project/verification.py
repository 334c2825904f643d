"""A release folder verified: its checksums, then everything that its files say of each other."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import pyarrow as pa

from dagster_project.code_version import science_version
from hybrid_assets.release.release_file import ReleaseFile
from hybrid_assets.release.verify import BundleCheck, Surroundings, verify_contents
from warehouse import (
    CHECKSUMS,
    CorruptRelease,
    InvalidName,
    altered,
    data_version_of,
    folder_digests,
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
        digests = folder_digests(folder)
        faults = tuple(altered(folder, digests))
    except (CorruptRelease, InvalidName) as error:
        faults = (str(error),)
    checksums = BundleCheck("checksums", faults)
    if faults:
        return [checksums]
    digests.pop(CHECKSUMS)
    files = {name: _stored(folder / name, digest) for name, digest in digests.items()}
    around = Surroundings(_version_of, science_version(), trusted_key)
    return [checksums, *verify_contents(files, around)]


def _stored(path: Path, digest: str) -> ReleaseFile:
    def opened() -> IO[bytes]:
        return path.open("rb")

    return ReleaseFile(digest, path.stat().st_size, opened)


def _version_of(blocks: Iterable[pa.Table]) -> str:
    return data_version_of(map(storable_table, blocks))
