"""Hashes that only the holder of this home's key can recompute.

A plain hash of a confidential table lets anybody confirm a guess of its rows, and that of an
identifier is found by trying them all. Outside the home both are told keyed (HMAC, RFC 2104).
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from warehouse.errors import KeyNotFound, StorageUnavailable
from warehouse.private_files import FILE_MODE, make_private_folder, sync

KEY_FILE = Path("keys") / "audit.key"
PREFIX = "hmac-sha256:"
_N_KEY_BYTES = 32


class KeyedHash:
    """HMAC-SHA256 under the key of one home, ``home/keys/audit.key`` (mode 600).

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state.
    make : bool
        Whether a home without a key is given one: by who writes the first hashes, never by who
        reads. Without its key, nobody can tell which table or person a keyed hash stood for.
    """

    def __init__(self, home: Path, *, make: bool = False) -> None:
        self._file = Path(home) / KEY_FILE
        self._may_make = make

    @property
    def key_name(self) -> str:
        """Tells whether two hashes are under the same key, and nothing else; raises as `of`."""
        return self.of("key", "name")

    def of(self, purpose: str, text: str) -> str:
        """Return ``"hmac-sha256:"`` and 64 hexadecimal digits.

        Parameters
        ----------
        purpose : str
            Such as ``"data version"``: the same text hashes differently for another purpose.
        text : str
            What is hashed.

        Raises
        ------
        KeyNotFound
            If the home has no key and none may be made.
        StorageUnavailable
            If the key cannot be made or is damaged.
        """
        return self.of_all(purpose, [text])[0]

    def of_all(self, purpose: str, texts: list[str]) -> list[str]:
        """Return `of` for each text."""
        # a part's length in front keeps ("a", "bc") and ("ab", "c") apart
        start = hmac.new(self._key(), f"{len(purpose)}:{purpose}:".encode(), hashlib.sha256)
        found = []
        for text in texts:
            one = start.copy()
            one.update(text.encode())
            found.append(PREFIX + one.hexdigest())
        return found

    def _key(self) -> bytes:
        try:
            if not self._file.exists():
                if not self._may_make:
                    raise KeyNotFound(
                        f"{self._file}: the key is missing, so that nobody can tell which person "
                        "or table a keyed hash stands for; restore it from a backup"
                    )
                self._make_key()
            key = self._file.read_bytes()
        except OSError as error:
            raise StorageUnavailable(f"{self._file}: the key cannot be had ({error})") from error
        if len(key) != _N_KEY_BYTES:
            raise StorageUnavailable(
                f"{self._file}: expected a key of {_N_KEY_BYTES} bytes, got {len(key)}; restore it "
                "from a backup"
            )
        return key

    def _make_key(self) -> None:
        """Write a new key whole, unless another process was first."""
        make_private_folder(self._file.parent)
        own = self._file.with_name(f".{self._file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_N_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(own, self._file)
        own.unlink()
        sync(self._file.parent)
