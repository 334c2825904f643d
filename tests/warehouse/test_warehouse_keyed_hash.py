"""Keyed hashes: RFC 2104 by the standard library's own words, one private key for each home."""

import hashlib
import hmac
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from warehouse import KeyedHash, KeyNotFound, StorageUnavailable


def test_it_is_hmac_sha256_of_purpose_and_text(home: Path) -> None:
    found = KeyedHash(home, make=True).of("subject", "patient-1")
    key = (home / "keys" / "audit.key").read_bytes()
    by_hand = hmac.digest(key, b"7:subject:patient-1", hashlib.sha256).hex()
    assert found == f"hmac-sha256:{by_hand}"


def test_the_key_is_private_and_stays(home: Path) -> None:
    first = KeyedHash(home, make=True).of("subject", "x")
    assert os.stat(home / "keys" / "audit.key").st_mode & 0o777 == 0o600
    assert os.stat(home / "keys").st_mode & 0o777 == 0o700
    assert KeyedHash(home, make=True).of_all("subject", ["y", "x"])[1] == first
    assert os.listdir(home / "keys") == ["audit.key"]


def test_homes_purposes_and_texts_are_kept_apart(home: Path, tmp_path: Path) -> None:
    keyed = KeyedHash(home, make=True)
    told = {keyed.of("subject", "a"), keyed.of("subjec", "ta"), keyed.of("data version", "a")}
    assert len(told | {KeyedHash(tmp_path / "other", make=True).of("subject", "a")}) == 4
    assert all(re.fullmatch(r"hmac-sha256:[0-9a-f]{64}", one) for one in told)


def test_writers_that_meet_agree_on_one_key(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(lambda _: KeyedHash(home, make=True).of("subject", "x"), range(16)))
    assert len(told) == 1


def test_a_damaged_key_is_refused(home: Path) -> None:
    KeyedHash(home, make=True).of("subject", "x")
    (home / "keys" / "audit.key").write_bytes(b"short")
    with pytest.raises(StorageUnavailable, match="expected a key of 32 bytes, got 5"):
        KeyedHash(home, make=True).of("subject", "x")


def test_who_reads_never_makes_a_key(home: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyNotFound, match="audit.key: the key is missing, so that nobody can tell"):
        KeyedHash(home).of("subject", "x")
    assert not (home / "keys").exists()
    made = KeyedHash(home, make=True).key_name
    assert KeyedHash(home).key_name == made
    assert KeyedHash(tmp_path / "other", make=True).key_name != made
