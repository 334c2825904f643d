"""Hosts as Linux namespaces of this machine: own network, processes, name and folders.

A host is lost as a power cut loses it: nothing of it runs any longer, and nobody is told.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

NETWORK = "10.213.7"  # of the bridge between the hosts; this machine is its .1
OUTSIDE = f"{NETWORK}.1"
OWN_NAMESPACES = ["--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--mount-proc"]


def why_no_hosts() -> str:
    """Say what this machine lacks for hosts of its own; empty if nothing."""
    if os.geteuid() != 0:
        return "hosts of its own need root"
    absent = [name for name in ("ip", "unshare", "nsenter", "pgrep") if shutil.which(name) is None]
    if absent:
        return f"hosts of its own need {', '.join(absent)} (Debian: iproute2, procps, util-linux)"
    tried = subprocess.run(["unshare", *OWN_NAMESPACES, "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this machine lets nobody make namespaces"


@dataclass(frozen=True)
class Host:
    """A host that runs.

    Parameters
    ----------
    name, address : str
    process : Popen
        Its first process: what it started ends with it.
    """

    name: str
    address: str
    process: "subprocess.Popen[str]"

    @property
    def init(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def command(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.init), "--all", *words]

    def run(self, *words: str, env: Mapping[str, str], code: int = 0, timeout: float = 600) -> str:
        done = subprocess.run(
            self.command(*words),
            env=dict(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, (
            f"{self.name}: {words}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout

    def has_process(self, pattern: str) -> bool:
        found = subprocess.run(
            self.command("pgrep", "-f", pattern), capture_output=True, check=False
        )
        return found.returncode == 0

    def lose(self) -> None:
        os.kill(self.init, 9)
        self.process.wait(20)


@contextmanager
def network() -> Iterator[str]:
    """Make a bridge; give its name."""
    bridge = f"hx{os.getpid()}"[:12]
    _ip("link", "add", bridge, "type", "bridge")
    try:
        _ip("address", "add", f"{OUTSIDE}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        yield bridge
    finally:
        _ip("link", "delete", bridge)


@contextmanager
def host(bridge: str, number: int, own_folders: Sequence[tuple[Path, Path]]) -> Iterator[Host]:
    """Start a host on the bridge; `own_folders` are (its own, the place where it sees it).

    What is mounted later may hide what lies at its place.
    """
    name, address = f"host{number}", f"{NETWORK}.{number + 1}"
    mounts = [f"mount --bind {own} {place}" for own, place in own_folders]
    first = [f"hostname {name}", *mounts, "mount -t tmpfs none /dev/shm", "ip link set lo up"]
    script = " && ".join([*first, "echo ready", "exec sleep infinity"])
    with ExitStack() as stack:
        process = subprocess.Popen(
            ["unshare", *OWN_NAMESPACES, "--kill-child", "sh", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        stack.callback(process.stdout.close)
        stack.callback(process.wait, 20)
        stack.callback(process.kill)
        assert process.stdout.readline() == "ready\n"
        started = Host(name, address, process)
        outer, inner = f"{bridge}o{number}"[-15:], f"{bridge}i{number}"[-15:]
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _ip("link", "set", outer, "master", bridge, "up")
        _ip("link", "set", inner, "netns", str(started.init), "name", "eth0")
        inside = started.command("ip", "address", "add", f"{address}/24", "dev", "eth0")
        subprocess.run(inside, check=True)
        subprocess.run(started.command("ip", "link", "set", "eth0", "up"), check=True)
        yield started


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {shlex.join(words)}: {done.stderr}"
