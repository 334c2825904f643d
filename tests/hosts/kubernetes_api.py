"""A stand-in of Kubernetes' API server: jobs and pods, as far as dagster-k8s asks for them.

A job's container is a process of this machine, with the arguments and the environment of the job's
spec, and of an image what `image` says; there is one node, without a GPU. Specs are held against
Kubernetes' schema, as a server would. Facts: Kubernetes API, batch/v1 and core/v1, 1.31.
"""

import base64
import json
import os
import re
import signal
import subprocess
import threading
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

VERSION = "1.31"
PATH = re.compile(r"/(?:api|apis/batch)/v1/namespaces/hybrid/(jobs|pods)(?:/([^/?]+))?(/status)?")
GRACE_SECONDS = 30
Answer = tuple[HTTPStatus, Any]


@dataclass
class Job:
    """A job and its one pod; without a process where no node fits, or once it is deleted."""

    body: dict[str, Any]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def run_id(self) -> str:
        return str(self.body["metadata"]["labels"]["dagster/run-id"])

    @property
    def step(self) -> str:
        """Give its step's key; nothing for a run's own job."""
        return str(self._variables.get("DAGSTER_RUN_STEP_KEY", ""))

    @property
    def arguments(self) -> str:
        """Give what Dagster hands its step, which travels compressed."""
        packed = self._variables.get("DAGSTER_COMPRESSED_EXECUTE_STEP_ARGS", "")
        return zlib.decompress(base64.b64decode(packed)).decode() if packed else ""

    @property
    def _variables(self) -> dict[str, Any]:
        (container,) = self.body["spec"]["template"]["spec"]["containers"]
        return {each["name"]: each.get("value") for each in container["env"]}

    def status(self) -> dict[str, int]:
        code = self.process.poll() if self.process else None
        if code is None:
            return {"active": 1}
        return {"succeeded": 1} if code == 0 else {"failed": 1}

    def pod(self) -> dict[str, Any]:
        phase = {"active": "Running", "succeeded": "Succeeded", "failed": "Failed"}
        (word,) = self.status()
        labels = {"job-name": self.name}
        metadata = {"name": f"{self.name}-0", "namespace": "hybrid", "labels": labels}
        status = {"phase": phase[word] if self.process else "Pending"}
        return {"metadata": metadata, "spec": {"containers": []}, "status": status}

    def signal(self, number: signal.Signals) -> None:
        """Signal its first process, as a node does; its kill ends all of the container."""
        if self.process is None or self.process.poll() is not None:
            return
        if number is signal.SIGKILL:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        threading.Timer(GRACE_SECONDS, self.signal, [signal.SIGKILL]).start()

    def end(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@dataclass
class Kubernetes:
    """What the server holds.

    Parameters
    ----------
    folder : Path
        What containers print, and the configuration of a client.
    secrets : dict of str to dict
        The namespace's Secrets.
    image : dict of str to str
        Variables that the image sets.
    mounts : dict of str to str
        Folders of this machine in place of the paths where containers see them.
    """

    folder: Path
    secrets: Mapping[str, Mapping[str, str]]
    image: Mapping[str, str]
    mounts: Mapping[str, str]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    jobs: dict[str, Job] = field(default_factory=dict)
    posted: list[Job] = field(default_factory=list)

    def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Give a container's variables, as Kubernetes does; ConfigMaps are empty here."""
        told = dict(self.image)
        for source in container.get("envFrom", []):
            told |= self.secrets[source["secretRef"]["name"]] if "secretRef" in source else {}
        for each in container["env"]:
            if "valueFrom" in each:
                secret = each["valueFrom"]["secretKeyRef"]
                told[each["name"]] = self.secrets[secret["name"]][secret["key"]]
            else:
                told[each["name"]] = each.get("value") or ""
        for seen, place in self.mounts.items():
            told = {name: value.replace(seen, place) for name, value in told.items()}
        return told

    def create(self, body: dict[str, Any]) -> Answer:
        name = body["metadata"]["name"]
        try:
            kubernetes_validate.validate(body, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            return HTTPStatus.UNPROCESSABLE_ENTITY, str(error)
        if name in self.jobs:
            return HTTPStatus.CONFLICT, f"jobs {name!r} already exists"
        self.jobs[name] = job = Job(body)
        self.posted.append(job)
        pod = body["spec"]["template"]["spec"]
        if not pod.get("nodeSelector"):
            job.process = self.run(pod["containers"][0], f"{name}-0")
        return HTTPStatus.CREATED, {**body, "status": {}}

    def run(self, container: Mapping[str, Any], pod: str) -> "subprocess.Popen[bytes]":
        environment = self.environment(container) | {"HOSTNAME": pod}
        with (self.folder / f"{pod}.log").open("ab") as log:
            return subprocess.Popen(
                container["args"], env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        found = PATH.match(path)
        if found is None:
            return HTTPStatus.NOT_FOUND, path
        kind, name, _ = found.groups()
        if method == "POST":
            return self.create(body)
        if name is None:
            asked = re.search(r"job-name(?:%3D|=)([a-z0-9-]+)", path)
            jobs = [job for job in self.jobs.values() if not asked or job.name == asked[1]]
            items = [job.pod() if kind == "pods" else job.body for job in jobs]
            return HTTPStatus.OK, {"items": items, "metadata": {}}
        pods = {f"{job.name}-0": job for job in self.posted}  # they outlive their job for a moment
        job = (pods if kind == "pods" else self.jobs).get(name)
        if job is None:
            return HTTPStatus.NOT_FOUND, f"{kind} {name!r} not found"
        if method == "DELETE":
            job.stop()
            self.jobs.pop(job.name, None)
        told = job.pod() if kind == "pods" else {**job.body, "status": job.status()}
        return HTTPStatus.OK, told

    def client_settings(self, port: int) -> Path:
        """Write the file that a client outside of the cluster reads."""
        cluster = {"server": f"http://127.0.0.1:{port}"}
        settings = {
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": self.token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        file = self.folder / "kubeconfig"
        file.write_text(yaml.safe_dump(settings))
        return file


@contextmanager
def served(cluster: Kubernetes) -> Iterator[Path]:
    """Answer until the end, which also ends what runs; give the file that a client reads."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status, told = HTTPStatus.UNAUTHORIZED, "Unauthorized"
            if self.headers.get("Authorization") == f"Bearer {cluster.token}":
                status, told = cluster.answer(self.command, self.path, body)
            if isinstance(told, str):
                told = {"kind": "Status", "status": "Failure", "message": told, "code": status}
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield cluster.client_settings(server.server_port)
    finally:
        for job in cluster.posted:
            job.end()
        server.shutdown()
        server.server_close()
