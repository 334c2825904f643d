"""What a step costs more on Ray than in processes, by a small study. Needs root and Ray."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

STUDY = """\
type: dagster_project.component.StudyComponent
attributes:
  name: tiny
  title: A small trial
  source: {kind: design, name: paper1_trial, n_rows: 300, random_seed: 5}
  treatment: A
  outcome: Y
  design: {kind: trial, probability: 0.5}
  assignment: randomised
  nuisance: {n_fold_draws: 1, outcome_library: [linear]}
  generators: [cart]
  n_synthetic: 400
  random_seed: 7
"""
DRIVER = """
import sys
from dagster_project.instance import prepare_instance
prepare_instance()
from dagster_project.study_run import run_study
ended = run_study("tiny", "refresh", lambda event: None, assets=sys.argv[1:])
sys.exit(", ".join(ended.failures) or not ended.success)
"""
ASSETS = ["seed_table", "splits", "seed_estimates", "propensity_model", "outcome_model"]
ASSETS += [f"cart/{name}" for name in ("fitted_generator", "synthetic_covariates")]
ASSETS += ["cart/hybrid_triplets"]
N_STEPS = 11  # with three suites of checks
CGROUPS = Path("/sys/fs/cgroup/cpuacct")


def cpu_of_descendants() -> Callable[[], float]:
    """Put this process into a control group; give its CPU seconds, those of all it starts too."""
    group = CGROUPS / f"overhead{os.getpid()}"
    group.mkdir()
    (group / "tasks").write_text(str(os.getpid()))
    return lambda: int((group / "cpuacct.usage").read_text()) / 1e9


def environment(folder: Path, engine: str, port: int) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HYBRID_HOME": str(folder / "home"),
        "HYBRID_STUDIES": str(folder / "studies"),
        "HYBRID_EXECUTOR": engine,
        "RAY_ADDRESS": f"127.0.0.1:{port}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


@contextmanager
def cluster(folder: Path, port: int, own: dict[str, str]) -> Iterator[None]:
    """Run Ray on this host; only what was started here is ended."""
    ray = Path(sys.executable).with_name("ray")
    head = ["--head", "--block", "--port", str(port), "--num-cpus", "2", "--disable-usage-stats"]
    room = ["--temp-dir", str(folder / "r"), "--object-store-memory", "200000000"]
    started = subprocess.Popen(
        [ray, "start", *head, *room], env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while subprocess.run([ray, "status"], env=own, capture_output=True, check=False).returncode:
            time.sleep(1)
        yield
    finally:
        started.terminate()
        started.wait(60)


def measured(engine: str, cpu: Callable[[], float]) -> tuple[float, float]:
    """Run the steps once, in a new home; CPU seconds and seconds, without Ray's own start."""
    folder = Path(tempfile.mkdtemp(prefix="so"))
    (folder / "studies" / "tiny").mkdir(parents=True)
    (folder / "studies" / "tiny" / "defs.yaml").write_text(STUDY)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = environment(folder, engine, port)
    command = [sys.executable, "-W", "ignore", "-c", DRIVER, *ASSETS]
    try:
        with cluster(folder, port, own) if engine == "ray" else nullcontext():
            spent, started = cpu(), time.perf_counter()
            subprocess.run(command, env=own, check=True, capture_output=True)
            return cpu() - spent, time.perf_counter() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Usage: python benchmarks/step_overhead.py [TURNS], on a machine with nothing else to do."""
    n_turns = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    cpu = cpu_of_descendants()
    least = {engine: (float("inf"), float("inf")) for engine in ("processes", "ray")}
    for _ in range(n_turns):
        for engine, before in least.items():
            found = measured(engine, cpu)
            print(
                f"{engine}: {found[0]:.1f} CPU s, {found[1]:.1f} s (load {os.getloadavg()[0]:.1f})"
            )
            sys.stdout.flush()
            least[engine] = min(found[0], before[0]), min(found[1], before[1])
    more = [
        (ray - own) / N_STEPS for own, ray in zip(least["processes"], least["ray"], strict=True)
    ]
    print(f"more a step on Ray: {more[0]:.1f} CPU s, {more[1]:.1f} s")


if __name__ == "__main__":
    main()
