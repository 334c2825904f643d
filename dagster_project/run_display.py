"""A run as the terminal shows it: assets as they finish, bars for those that take minutes."""

from types import TracebackType
from typing import Self

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from dagster_project.earlier_settings import EARLIER
from dagster_project.study_run import failure_text


class RunDisplay:
    """Prints the events of one run; use it as a context, and as the run's `on_event`.

    Parameters
    ----------
    console : Console
        Where it prints. Bars are drawn only where there is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("  {task.description:<34}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[place]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, event: dg.DagsterEvent) -> None:
        """Print one event."""
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
            self._advance(event)
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            self._finish(event)
        elif event.event_type is dg.DagsterEventType.STEP_FAILURE:
            self._console.print(
                f"  failed  {event.step_key}: {failure_text(event)}", style="red", markup=False
            )

    def _advance(self, event: dg.DagsterEvent) -> None:
        asset, told = _asset(event), event.asset_observation_data.asset_observation.metadata
        share = told["share_done"].value if "share_done" in told else None
        if not isinstance(share, float):
            return
        if not self._tasks:
            self._bars.start()
        if asset not in self._tasks:
            self._tasks[asset] = self._bars.add_task(asset, total=1.0, place="")
        if "step" in told:
            place = f"step {told['step'].value}, loss {told['loss'].value}"
        else:
            place = f"{told['scenario'].value}, n = {told['n_rows'].value:,}"
        self._bars.update(self._tasks[asset], completed=share, place=place)

    def _finish(self, event: dg.DagsterEvent) -> None:
        asset, metadata = _asset(event), event.step_materialization_data.materialization.metadata
        if asset in self._tasks:
            self._bars.remove_task(self._tasks[asset])
        seconds = metadata["seconds"].value if "seconds" in metadata else 0.0
        self._console.print(f"  {asset:<34}{seconds:>7.1f} s", markup=False, highlight=False)
        if EARLIER in metadata:
            earlier = metadata[EARLIER].value
            self._console.print(f"    {earlier}", style="yellow", markup=False, soft_wrap=True)
        if "recommendation" in metadata:
            sentence = metadata["recommendation"].value
            self._console.print(f"    {sentence}", markup=False, highlight=False, soft_wrap=True)


def _asset(event: dg.DagsterEvent) -> str:
    return "/".join(event.asset_key.path[1:]) if event.asset_key else ""
