"""A signature over a release: an in-toto statement in a DSSE envelope, Ed25519.

The envelope signs the statement's bytes as they stand, so nothing has to be written canonically.
Formats: https://in-toto.io/Statement/v1 and the DSSE protocol 1.0 (secure-systems-lab/dsse).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hybrid_assets.errors import ReleaseError
from hybrid_assets.release.release_file import ReleaseFile

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ENVELOPE, PUBLIC_KEY = "attestation.dsse.json", "signing_key.pub"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:hybrid-assets:release:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def signed(
    files: Mapping[str, ReleaseFile], predicate: Mapping[str, Any], key: bytes
) -> dict[str, bytes]:
    """Sign the files of a release.

    Parameters
    ----------
    files : mapping of str to ReleaseFile
        All but the checksums.
    predicate : mapping
        What is said of them; JSON.
    key : bytes
        Ed25519 private key, PEM (``openssl genpkey -algorithm ed25519``).

    Returns
    -------
    dict of str to bytes
        `ENVELOPE` and `PUBLIC_KEY`.

    Raises
    ------
    ReleaseError
        If the key is not one, or the package cryptography (extra ``signing``) is missing.
    """
    private = _private_key(key)
    payload = _statement(files, predicate)
    public = _pem(private.public_key())
    signature = {
        "keyid": hashlib.sha256(public).hexdigest(),
        "sig": base64.b64encode(private.sign(pre_authentication(payload))).decode(),
    }
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [signature],
    }
    return {ENVELOPE: (json.dumps(envelope, indent=1) + "\n").encode(), PUBLIC_KEY: public}


def signature_faults(
    files: Mapping[str, ReleaseFile], predicate: Mapping[str, Any], trusted: bytes | None
) -> list[str]:
    """Check the signature of a release; empty if it is there and right.

    Parameters
    ----------
    files : mapping of str to ReleaseFile
        All but the checksums.
    predicate : mapping
        What the statement must say of them.
    trusted : bytes, optional
        Public key (PEM) that must have signed. Without it the release's own
        key is used, which tells only that its holder signed these bytes.
    """
    from cryptography.exceptions import InvalidSignature

    if not {ENVELOPE, PUBLIC_KEY} <= files.keys():
        return ["the release is not signed"]
    own = files[PUBLIC_KEY].read()
    public, asked_for = _public_key(own), _public_key(trusted or own)
    if public is None or asked_for is None:
        return ["a public key is not an Ed25519 key in PEM"]
    if _pem(public) != _pem(asked_for):
        return ["signed with another key than the trusted one"]
    try:
        envelope = json.loads(files[ENVELOPE].read())
        payload = base64.b64decode(envelope["payload"], validate=True)
        found = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        public.verify(found, pre_authentication(payload))
    except (InvalidSignature, ValueError, LookupError, TypeError):
        return ["the signature does not fit the statement"]
    content = {n: each for n, each in files.items() if n not in (ENVELOPE, PUBLIC_KEY)}
    return [] if payload == _statement(content, predicate) else ["signed for other files"]


def pre_authentication(payload: bytes) -> bytes:
    """Give the bytes that DSSE signs: its type and the payload, each after its length."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _statement(files: Mapping[str, ReleaseFile], predicate: Mapping[str, Any]) -> bytes:
    subject = [{"name": name, "digest": {"sha256": files[name].sha256}} for name in sorted(files)]
    document = {
        "_type": STATEMENT_TYPE,
        "subject": subject,
        "predicateType": PREDICATE_TYPE,
        "predicate": dict(predicate),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _private_key(pem: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise ReleaseError(
            "signing needs the extra: pip install 'hybrid-assets[signing]'"
        ) from None
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ReleaseError(
            "the signing key: expected an unencrypted Ed25519 private key in PEM (openssl genpkey "
            "-algorithm ed25519 -out key.pem); got something else"
        )
    return key


def _public_key(pem: bytes) -> Ed25519PublicKey | None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _pem(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
