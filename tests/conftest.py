"""What several suites need: a pretrained language model as a folder, a PostgreSQL server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from warehouse import LakeSettings, mark_home


@pytest.fixture
def generic_gpt2(tmp_path):
    """Make a folder with a byte-level GPT-2 that knows nothing of the table."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from hybrid_assets.language.model_files import quiet_transformers
    from hybrid_assets.randomness import borrowed_random_state

    words = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bpe = Tokenizer(models.BPE({word: token for token, word in enumerate(words)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|endoftext|>")
    config = GPT2Config(
        vocab_size=len(words),
        n_embd=32,
        n_layer=1,
        n_head=2,
        n_positions=64,
        initializer_range=0.15,
        bos_token_id=0,
        eos_token_id=0,
    )
    with quiet_transformers(), borrowed_random_state(1):
        GPT2LMHeadModel(config).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator["PostgresServer"]:
    """Start a PostgreSQL server of our own."""
    with postgres_server() as server:
        yield server


@contextmanager
def postgres_server(network: str = "") -> Iterator["PostgresServer"]:
    """Start a PostgreSQL server for this machine and, with a password, for `network`."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        pytest.skip("no PostgreSQL server here; Debian: apt-get install postgresql")
    pytest.importorskip("duckdb_extension_ducklake", reason="pip install 'hybrid-assets[lake]'")
    # PostgreSQL refuses to run as root, and its own user cannot enter pytest's folders
    user = "postgres" if os.geteuid() == 0 else None
    folder, port = Path(tempfile.mkdtemp(prefix="hybrid-postgres-")), free_port()
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")
    subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "hybrid", "--no-sync"],
        check=True,
        capture_output=True,
        user=user,
    )
    listen = "127.0.0.1"
    if network:
        listen += f",{network}.1"
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network}.0/24 scram-sha-256\n")
    place = ["-p", str(port), "-k", str(folder), "-c", f"listen_addresses={listen}"]
    for setting in ("idle=30", "interval=10", "count=3"):  # as docs/scaling.md says
        place += ["-c", f"tcp_keepalives_{setting}"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *place, "-c", "fsync=off"],
            stdout=log,
            stderr=log,
            user=user,
        )
    try:
        wait_until_ready(port)
        yield PostgresServer(programs, port)
    finally:
        server.send_signal(signal.SIGINT)  # SIGTERM would wait for connections of lost hosts
        server.wait(20)
        shutil.rmtree(folder)


@pytest.fixture
def new_lake(postgres: "PostgresServer", tmp_path: Path) -> Iterator[LakeSettings]:
    """Make an empty lake."""
    with postgres.new_database() as catalog:
        yield marked(LakeSettings(catalog=catalog, data_path=str(tmp_path / "lake")))


@pytest.fixture(scope="session")
def object_store() -> Iterator["ObjectStore"]:
    """Start an S3 server of our own."""
    with started_object_store() as store:
        yield store


@pytest.fixture
def new_bucket_lake(
    postgres: "PostgresServer", object_store: "ObjectStore", monkeypatch: pytest.MonkeyPatch
) -> Iterator[LakeSettings]:
    """Make an empty lake whose files are in a bucket, and let the environment reach it."""
    object_store.enter(monkeypatch)
    with postgres.new_database() as catalog:
        yield marked(LakeSettings(catalog=catalog, data_path=object_store.new_bucket()))


def marked(lake: LakeSettings) -> LakeSettings:
    """Mark an empty lake as what `hybrid warehouse migrate` leaves."""
    mark_home(lake.catalog, lake.data_path)
    return lake


@dataclass(frozen=True)
class PostgresServer:
    programs: Path
    port: int

    @property
    def host(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=hybrid"

    def run(self, statement: str) -> None:
        psql = [self.programs / "psql", "-q", f"{self.host} dbname=postgres", "-c", statement]
        subprocess.run(psql, check=True, capture_output=True)

    @contextmanager
    def new_database(self) -> Iterator[str]:
        name = f"lake_{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        yield f"{self.host} dbname={name}"
        self.run(f"DROP DATABASE {name} WITH (FORCE)")


SECRET = "wJalrXUtnFEMI-test-only"  # greppable: it may turn up nowhere


@dataclass(frozen=True)
class ObjectStore:
    url: str
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """Say where the server is and its credentials, as a user would."""
        return {
            "AWS_ACCESS_KEY_ID": "hybrid-test",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.url,
        }

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put it into the environment of this process."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def new_bucket(self) -> str:
        name = f"hybrid-{uuid.uuid4().hex}"
        urlopen(Request(f"{self.url}/{name}", method="PUT")).close()
        return f"s3://{name}/team/lake"


@contextmanager
def started_object_store(address: str = "127.0.0.1") -> Iterator[ObjectStore]:
    for package in ("s3fs", "duckdb_extension_httpfs", "moto", "flask_cors"):
        pytest.importorskip(package, reason="pip install 'hybrid-assets[lake,buckets]'")
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", address, "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until_ready(port, address)
            yield ObjectStore(f"http://{address}:{port}", server)
        finally:
            server.kill()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_until_ready(port: int, address: str = "127.0.0.1") -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((address, port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no server at port {port}")
