"""Signatures: made by us, checked by OpenSSL; wrong in every way that matters."""

import base64
import json
import shutil
import subprocess

import pytest

pytest.importorskip("cryptography")

from hybrid_assets.errors import ReleaseError
from hybrid_assets.release import attestation
from hybrid_assets.release.attestation import ENVELOPE, PUBLIC_KEY
from hybrid_assets.release.release_file import ReleaseFile

FILES = {"a.csv": b"x\n1\n", "card.json": b"{}"}
PREDICATE = {"release": "small/cart/0001"}


def as_files(contents):
    return {name: ReleaseFile.of(content) for name, content in contents.items()}


def signed(contents, predicate, key):
    return attestation.signed(as_files(contents), predicate, key)


def signature_faults(contents, predicate, trusted):
    return attestation.signature_faults(as_files(contents), predicate, trusted)


def private_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture(scope="module")
def release():
    return FILES | signed(FILES, PREDICATE, private_key())


def test_a_signed_release_is_right(release):
    assert signature_faults(release, PREDICATE, None) == []
    assert signature_faults(release, PREDICATE, release[PUBLIC_KEY]) == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL")
def test_openssl_agrees(release, tmp_path):
    envelope = json.loads(release[ENVELOPE])
    payload = base64.b64decode(envelope["payload"])
    kind = "application/vnd.in-toto+json"
    (tmp_path / "pae").write_bytes(f"DSSEv1 28 {kind} {len(payload)} ".encode() + payload)
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (tmp_path / "key").write_bytes(release[PUBLIC_KEY])
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "pae"]
    done = subprocess.run([*command, "-sigfile", "sig"], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"Signature Verified Successfully\n")
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert [subject["name"] for subject in statement["subject"]] == ["a.csv", "card.json"]


def test_what_is_wrong_with_a_signature(release):
    other = FILES | signed(FILES, PREDICATE, private_key())
    broken = json.loads(release[ENVELOPE]) | {"signatures": []}
    for changed, trusted, fault in [
        (release | {"a.csv": b"x\n2\n"}, None, "signed for other files"),
        (release | {"b.csv": b""}, None, "signed for other files"),
        (release, other[PUBLIC_KEY], "signed with another key than the trusted one"),
        (release | {PUBLIC_KEY: other[PUBLIC_KEY]}, None, "does not fit the statement"),
        (release | {PUBLIC_KEY: b"no key"}, None, "not an Ed25519 key in PEM"),
        (release | {ENVELOPE: b"{}"}, None, "does not fit the statement"),
        (release | {ENVELOPE: json.dumps(broken).encode()}, None, "does not fit the statement"),
        (FILES, other[PUBLIC_KEY], "the release is not signed"),
    ]:
        (found,) = signature_faults(changed, PREDICATE, trusted)
        assert fault in found
    assert signature_faults(release, {"release": "other"}, None) == ["signed for other files"]


def test_a_key_that_is_none():
    with pytest.raises(ReleaseError, match="expected an unencrypted Ed25519 private key in PEM"):
        signed(FILES, PREDICATE, b"secret")
