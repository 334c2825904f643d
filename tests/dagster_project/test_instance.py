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


@pytest.mark.usefixtures("restored_environment")
def test_a_run_outlasts_a_code_server_that_cannot_be_reached(tmp_path: Path) -> None:
    """Dagster's own default is to fail such a run when it leaves the queue."""
    os.environ["HYBRID_HOME"] = str(tmp_path)
    prepare_instance()
    with dg.DagsterInstance.get() as instance:
        queue = instance.get_concurrency_config().run_queue_config
    assert (queue.max_user_code_failure_retries, queue.user_code_failure_retry_delay) == (5, 30)
    assert queue.max_concurrent_runs == 4
    assert [limit["key"] for limit in queue.tag_concurrency_limits] == ["study"]
