"""A file of a release: its hash and length are known, its content may be too large to hold."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Self

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ReleaseFile:
    """What the documents of a release say of a file, and how to read it.

    Attributes
    ----------
    sha256 : str
    n_bytes : int
    open : callable
        Gives the content from its start.
    """

    sha256: str
    n_bytes: int
    open: Callable[[], IO[bytes]]

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Take what is in memory."""
        return cls(hashlib.sha256(content).hexdigest(), len(content), partial(io.BytesIO, content))

    @classmethod
    def written(cls, file: IO[bytes]) -> Self:
        """Take an open file that is read but not written from now on."""

        def from_start() -> IO[bytes]:
            file.seek(0)
            return file

        digest = hashlib.sha256()
        for chunk in iter(partial(from_start().read, CHUNK_BYTES), b""):
            digest.update(chunk)
        return cls(digest.hexdigest(), file.tell(), from_start)

    def read(self) -> bytes:
        """Give all of it; an open file is closed."""
        with self.open() as file:
            return file.read()
