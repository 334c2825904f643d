"""How an object store is reached: from the environment alone, and never written down."""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import duckdb

from warehouse.errors import StorageUnavailable

SCHEME = "s3://"
_KEY_ID, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_CONCEALED = "(concealed)"


@dataclass(frozen=True)
class BucketAccess:
    """What the environment says of an S3-compatible object store.

    Attributes
    ----------
    key_id, secret, session_token : str
        Credentials; a token only with temporary ones.
    region : str
    endpoint : str
        URL of the server; empty for Amazon's.
    """

    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(repr=False)
    region: str
    endpoint: str

    def give_to(self, instance: duckdb.DuckDBPyConnection, scope: str) -> None:
        """Let DuckDB use the credentials below one place, in its memory only."""
        server = urlsplit(self.endpoint)
        given: dict[str, object] = {
            "key_id": self.key_id,
            "secret": self.secret,
            "region": self.region,
            "scope": scope,
        }
        if self.session_token:
            given["session_token"] = self.session_token
        if self.endpoint:
            given["endpoint"] = server.netloc + server.path.rstrip("/")
            given["use_ssl"] = server.scheme != "http"
            given["url_style"] = "path"
        # as parameters: an error would quote the statement
        stated = ", ".join(f"{name} ?" for name in given)
        instance.execute(f"CREATE SECRET bucket (TYPE s3, {stated})", list(given.values()))

    def conceal(self, text: str) -> str:
        """Take the credentials out of a message, should a server have sent them back."""
        for secret in filter(None, (self.secret, self.session_token)):
            text = text.replace(secret, _CONCEALED)
        return text


def bucket_access() -> BucketAccess:
    """Read the environment, by the names that all tools of S3 use.

    Raises
    ------
    StorageUnavailable
        If it holds no credentials, or an address that is none.
    """
    known = os.environ
    endpoint = known.get("AWS_ENDPOINT_URL_S3") or known.get("AWS_ENDPOINT_URL") or ""
    if endpoint and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", endpoint):
        raise StorageUnavailable(
            "AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL): expected https://host or http://host:port"
        )
    missing = [name for name in (_KEY_ID, _SECRET) if not known.get(name)]
    if missing:
        raise StorageUnavailable(
            f"the object store needs {' and '.join(missing)} in the environment of every process "
            "(credentials are read from nowhere else)"
        )
    return BucketAccess(
        key_id=known[_KEY_ID],
        secret=known[_SECRET],
        session_token=known.get(_TOKEN, ""),
        region=known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION") or "us-east-1",
        endpoint=endpoint,
    )
