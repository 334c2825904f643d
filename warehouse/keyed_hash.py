"""Hashes that only the holder of this home's key can recompute.

A plain hash of a confidential table lets anybody confirm a guess of its rows, and that of an
identifier is found by trying them all. Outside the home both are told keyed (HMAC, RFC 2104).
Hosts that share studies need one key: each is given it, and what they share holds its name alone,
a keyed hash by which a host with another key is refused.
"""

import hashlib
import hmac
import os
import re
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from warehouse.databases import shared_files
from warehouse.errors import KeyNotFound, StorageUnavailable, reason
from warehouse.private_files import FILE_MODE, make_private_folder, sync
from warehouse.shared_files import SharedFiles

KEY_FILE = Path("keys") / "audit.key"
KEY_VARIABLE = "HYBRID_AUDIT_KEY"
_SHARED_NAME = "keys/audit.name"
PREFIX = "hmac-sha256:"
_N_KEY_BYTES = 32


class KeyedHash:
    """HMAC-SHA256 under the key of one home: ``home/keys/audit.key`` (mode 600).

    Or ``$HYBRID_AUDIT_KEY``, 64 hexadecimal digits, where hosts are given it so.

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
        self._shared = shared_files(home)
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
        start = hmac.new(self._key, f"{len(purpose)}:{purpose}:".encode(), hashlib.sha256)
        found = []
        for text in texts:
            one = start.copy()
            one.update(text.encode())
            found.append(PREFIX + one.hexdigest())
        return found

    def announce(self, shared: SharedFiles) -> None:
        """Let hosts that will share these files refuse any other key; raises as `of`.

        Does nothing for a home that has no key yet.
        """
        if self._file.exists() or _given_key():
            _require_same(shared, self._key, first=True)

    @cached_property
    def _key(self) -> bytes:
        is_known = self._shared.get(_SHARED_NAME) is not None
        key = _given_key() or self._own_key(may_make=self._may_make and not is_known)
        _require_same(self._shared, key, first=self._may_make)
        return key

    def _own_key(self, *, may_make: bool) -> bytes:
        try:
            if not self._file.exists():
                if not may_make:
                    raise KeyNotFound(
                        f"{self._file}: the key is missing, so that nobody can tell which person "
                        "or table a keyed hash stands for; restore it from a backup, or give it "
                        f"the key of the other hosts (or {KEY_VARIABLE})"
                    )
                self._make_key()
            key = self._file.read_bytes()
        except OSError as error:
            raise StorageUnavailable(
                f"{self._file}: the key cannot be had ({reason(error)})"
            ) from None
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


def _require_same(shared: SharedFiles, key: bytes, *, first: bool) -> None:
    """Compare a key with the name of the hosts' key, which who is first writes."""
    name = hmac.new(key, b"3:key:name", hashlib.sha256).hexdigest().encode()
    if first:
        shared.put_new(_SHARED_NAME, name)
    if shared.get(_SHARED_NAME) not in (None, name):
        raise StorageUnavailable(
            f"{shared.place}: these studies are hashed under the key of another host; give this "
            f"one the same: its {KEY_FILE}, or {KEY_VARIABLE}"
        )


def _given_key() -> bytes | None:
    """Read the key that the environment holds, None if it holds none."""
    given = os.environ.get(KEY_VARIABLE)
    if not given:
        return None
    if not re.fullmatch(f"[0-9a-fA-F]{{{2 * _N_KEY_BYTES}}}", given):
        raise StorageUnavailable(
            f"{KEY_VARIABLE}: expected {2 * _N_KEY_BYTES} hexadecimal digits (openssl rand -hex "
            f"{_N_KEY_BYTES}); got something else"
        )
    return bytes.fromhex(given)
