"""The Dagster instance of this project: private, silent, in ``$HYBRID_HOME/dagster``."""

import os
from pathlib import Path

import dagster as dg
import yaml

from dagster_project.engines import chosen_engine
from dagster_project.private_errors import SILENT
from dagster_project.resources import HOME_VARIABLE, hybrid_home

DATABASE_VARIABLE = "HYBRID_POSTGRES"  # postgresql+psycopg2://..., of Dagster's storage
SETTINGS = Path(__file__).with_name("instance.yaml")
BYTES_FOR_ONE = 1024**3  # measured: docs/operating.md, Limits


def keep_files_private() -> None:
    """Give every file that this process or its children make to its owner alone: 600, 700."""
    os.umask(0o077)


def prepare_instance() -> Path:
    """Create the instance folder and point this process, and its children, at it.

    Settings that are there already are left as they are, the pools' limits too (``dagster instance
    concurrency set gpu 4`` changes one). Errors that come from
    anywhere but this project's own error tree are redacted in the event log,
    since a library may quote a row; `private_errors` keeps them in full.

    Returns
    -------
    Path
        The folder, which ``$DAGSTER_HOME`` now names.
    """
    keep_files_private()
    home = hybrid_home()
    os.environ[HOME_VARIABLE] = str(home)  # the same to children that work in another folder
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    is_new = not (folder / "dagster.yaml").exists()
    if is_new:
        (folder / "dagster.yaml").write_text(_settings(), encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ.update(SILENT)
    if is_new:
        _limit_pools()
    return folder


def pool_limits() -> dict[str, int]:
    """Say how many steps of each pool this machine bears at once.

    Returns
    -------
    dict of str to int
        ``gpu``: steps that train a network, one for each GPU, or two that share the cores;
        ``memory``: steps that compare all rows with all people, one for each GiB.
    """
    n_gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"gpu": n_gpus or 2, "memory": max(1, n_bytes // BYTES_FOR_ONE)}


def _settings() -> str:
    """Give the settings; a deployment's own sections in place of ours."""
    parts = []
    if os.environ.get(DATABASE_VARIABLE):
        parts.append(SETTINGS.with_name("instance_postgres.yaml"))
    if chosen_engine() == "ray":
        parts.append(SETTINGS.with_name("instance_ray.yaml"))
    settings = SETTINGS.read_text(encoding="utf-8")
    if not parts:
        return settings
    sections = yaml.safe_load(settings)
    for part in parts:
        sections |= yaml.safe_load(part.read_text(encoding="utf-8"))
    return yaml.safe_dump(sections, sort_keys=False)


def _limit_pools() -> None:
    """Set limits that nobody has set: hosts that share a database share its pools."""
    with dg.DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        limited = {pool.name for pool in storage.get_pool_limits()}
        for pool, limit in pool_limits().items():
            if pool not in limited:
                storage.set_concurrency_slots(pool, limit)
