"""The instance of a home: its limits are set once, for the machine, and then left alone."""

import os
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.instance import pool_limits, prepare_instance


@pytest.fixture
def restored_environment() -> object:
    before = dict(os.environ)
    yield None
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("restored_environment")
def test_pools_are_limited_once(tmp_path: Path) -> None:
    os.environ["HYBRID_HOME"] = str(tmp_path)
    prepare_instance()
    with dg.DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        limits = {pool.name: pool.limit for pool in storage.get_pool_limits()}
        assert limits == pool_limits()
        storage.set_concurrency_slots("gpu", 7)
    prepare_instance()
    with dg.DagsterInstance.get() as instance:
        limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
    assert limits["gpu"] == 7
    assert min(pool_limits().values()) >= 1
