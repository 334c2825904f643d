"""Shared files as objects of a bucket, through fsspec's s3fs."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from warehouse.bucket_access import SCHEME, bucket_access
from warehouse.checksums import sha256_of
from warehouse.errors import StorageUnavailable
from warehouse.shared_files import is_plain, required_plain

_TIMES = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}


class SharedBucket:
    """Objects below ``s3://bucket/prefix``.

    A store shows an object whole or not at all. That a name is given once needs one that knows
    conditional writes (``If-None-Match``; tried on moto alone); hosts take turns besides.

    Parameters
    ----------
    url : str
    """

    def __init__(self, url: str) -> None:
        self.place = url
        self._root = url.removeprefix(SCHEME)

    def put(self, name: str, content: bytes) -> None:
        """Write an object."""
        with self._objects() as objects:
            objects.pipe_file(self._path(name), content)

    def put_file(self, name: str, file: Path) -> None:
        """Write an object from a file, in parts if it is large."""
        with self._objects() as objects:
            objects.put_file(str(file), self._path(name))

    def put_new(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one."""
        with self._objects() as objects:
            try:
                objects.pipe_file(self._path(name), content, mode="create")
            except FileExistsError:
                # an answer that was lost is asked for again: then it is ours that is there
                return self.get(name) == content
        return True

    def put_new_file(self, name: str, file: Path) -> bool:
        """Write an object from a file, in parts if it is large, unless there is one."""
        with self._objects() as objects:
            try:
                objects.put_file(str(file), self._path(name), mode="create")
            except FileExistsError:  # as in `put_new`
                with objects.open(self._path(name), "rb") as there:
                    found = hashlib.file_digest(there, "sha256").hexdigest()
                return found == sha256_of(file)
        return True

    def get(self, name: str) -> bytes | None:
        """Give an object's content, None if there is none."""
        with self._objects() as objects:
            try:
                content: bytes = objects.cat_file(self._path(name))
            except FileNotFoundError:
                self._require_bucket(objects)
                return None
            return content

    def get_file(self, name: str, file: Path) -> bool:
        """Write an object's content to a file of this host."""
        with self._objects() as objects:
            try:
                objects.get_file(self._path(name), str(file))
            except FileNotFoundError:
                self._require_bucket(objects)
                return False
        return True

    def names(self, folder: str) -> list[str]:
        """Name all objects below a folder."""
        with self._objects() as objects:
            found = objects.find(self._path(folder))
            if not found:
                self._require_bucket(objects)
            names = (path.removeprefix(f"{self._root}/") for path in found)
            return sorted(filter(is_plain, names))

    def remove(self, name: str) -> None:
        """Remove an object, and all objects below its name."""
        with self._objects() as objects:
            found = objects.find(self._path(name))
            if found:
                objects.rm(found)

    def _require_bucket(self, objects: Any) -> None:
        """Refuse if there is no bucket: it would seem an empty one."""
        objects.call_s3("head_bucket", Bucket=self._root.partition("/")[0])

    def _path(self, name: str) -> str:
        return f"{self._root}/{required_plain(name)}" if name else self._root

    @contextmanager
    def _objects(self) -> Iterator[Any]:
        """Give the client; nothing that it says may tell a credential."""
        access = bucket_access()
        s3fs, refusals = _client()
        try:
            yield s3fs.S3FileSystem(
                key=access.key_id,
                secret=access.secret,
                token=access.session_token or None,
                endpoint_url=access.endpoint or None,
                client_kwargs={"region_name": access.region},
                config_kwargs=_TIMES,
                use_listings_cache=False,
            )
        except refusals as error:
            raise StorageUnavailable(
                f"the object store {self.place} refuses ({access.conceal(str(error))}); check "
                "that it can be reached and the credentials in the environment, then run again"
            ) from None


def _client() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        import aiohttp
        import botocore.exceptions
        import s3fs
    except ModuleNotFoundError as error:
        raise StorageUnavailable(
            "an object store needs the package s3fs; pip install 'hybrid-assets[lake]'"
        ) from error
    known = botocore.exceptions
    return s3fs, (OSError, known.BotoCoreError, known.ClientError, aiohttp.ClientError)
