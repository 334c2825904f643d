"""How asset checks ended, trials apart from the study itself."""

from functools import cache

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES as FINISHED,
)

from dagster_project.trial import is_trial_run

LOOKED_BACK = 50  # trials in a row that hide an older evaluation


class CheckHistory:
    """The last evaluation of checks, by trials only or by all other runs only.

    Parameters
    ----------
    instance : DagsterInstance
        Remembers evaluations and their runs.
    of_trials : bool
        Which of the two.
    """

    def __init__(self, instance: dg.DagsterInstance, *, of_trials: bool) -> None:
        self._instance, self._of_trials = instance, of_trials
        self._is_trial = cache(self._look_up)

    def last(self, check: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
        """Give the last finished evaluation, if there is one."""
        history = self._instance.event_log_storage.get_asset_check_execution_history(
            check, limit=LOOKED_BACK, status=FINISHED
        )
        for record in history:
            if record.evaluation and self._is_trial(record.run_id) == self._of_trials:
                return record.evaluation
        return None

    def _look_up(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return run is not None and is_trial_run(run)
