"""Who is told when a run fails or a check does not pass: a log, a web address, a mailbox."""

import json
import logging
import os
import smtplib
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason

from dagster_project.study_run import failure_text
from dagster_project.trial import is_trial_run

WEBHOOK_VARIABLE = "HYBRID_WEBHOOK"
MAIL_VARIABLE, SERVER_VARIABLE = "HYBRID_MAIL_TO", "HYBRID_MAIL_SERVER"
SENDER = "hybrid@localhost"
TIMEOUT_SECONDS = 10.0
LONGEST_LIST = 20
CHECK = dg.DagsterEventType.ASSET_CHECK_EVALUATION
logger = logging.getLogger("hybrid.notifications")


@dataclass(frozen=True)
class Notice:
    """What is told: names of studies, assets and checks, and messages that quote no cell.

    Attributes
    ----------
    subject : str
    lines : tuple of str
    """

    subject: str
    lines: tuple[str, ...]


class Notifier:
    """Tells the log; and ``$HYBRID_WEBHOOK`` and ``$HYBRID_MAIL_TO``, where they are set.

    Addresses may hold secrets: they are read when something is sent, and never become part of a
    configuration that Dagster keeps or shows. Mail leaves by ``$HYBRID_MAIL_SERVER``
    (``host:port``, by default ``localhost:25``).
    """

    def tell(self, notice: Notice) -> None:
        """Send by every channel; one that fails is logged by its kind of error, and no more."""
        logger.warning("%s\n%s", notice.subject, "\n".join(notice.lines))
        for channel, variable in ((_post, WEBHOOK_VARIABLE), (_mail, MAIL_VARIABLE)):
            address = os.environ.get(variable)
            if not address:
                continue
            try:
                channel(address, notice)
            except (OSError, ValueError, smtplib.SMTPException) as error:  # URLs are in messages
                logger.error("%s: not sent (%s)", variable, type(error).__name__)


def _post(address: str, notice: Notice) -> None:
    """Post JSON that Slack, Teams and Mattermost show: one field, `text`."""
    if not address.startswith(("https://", "http://")):
        raise ValueError("expected a web address")
    text = "\n".join((notice.subject, *notice.lines))
    request = urllib.request.Request(
        address, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
        pass


def _mail(address: str, notice: Notice) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, address, notice.subject
    message.set_content("\n".join(notice.lines))
    host, _, port = os.environ.get(SERVER_VARIABLE, "localhost:25").partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_SECONDS) as server:
        server.send_message(message)


def failure_notice(
    run: dg.DagsterRun, events: list[dg.DagsterEvent], ended: dg.DagsterEvent
) -> Notice:
    """Say which steps of a run failed, in the study author's words, or what else `ended` it."""
    failed = [f"{e.step_key}: {failure_text(e)}" for e in events if e.is_step_failure]
    told = ended.event_specific_data  # none if the daemon ended the run
    is_of_steps = (
        isinstance(told, JobFailureData) and told.failure_reason is RunFailureReason.STEP_FAILURE
    )
    lines = failed[:LONGEST_LIST] if is_of_steps else [ended.message or "", *failed[:LONGEST_LIST]]
    kept = f"run {run.run_id}; the last complete tables stay as they are"
    return Notice(f"{run.job_name} failed", (*lines, kept))


def gate_notice(run: dg.DagsterRun, events: list[dg.DagsterEvent]) -> Notice | None:
    """Say which checks of a finished run did not pass; None if all did."""
    checks = [e.asset_check_evaluation_data for e in events if e.event_type is CHECK]
    failed = [
        f"{c.asset_key.to_user_string()}: {c.check_name} ({c.severity.value.lower()})"
        for c in checks
        if not c.passed
    ]
    if not failed:
        return None
    return Notice(
        f"{run.job_name}: {len(failed)} checks not passed",
        (*sorted(failed)[:LONGEST_LIST], f"run {run.run_id}"),
    )


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def notify_failure(
    context: dg.RunFailureSensorContext, notifier: dg.ResourceParam[Notifier]
) -> None:
    """Tell of a run that failed, and of the checks in it that did not pass."""
    run = context.dagster_run
    events = _events(context.instance, run)
    notifier.tell(failure_notice(run, events, context.failure_event))
    _tell_gates(run, events, notifier)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS, default_status=dg.DefaultSensorStatus.RUNNING
)
def notify_gates(context: dg.RunStatusSensorContext, notifier: dg.ResourceParam[Notifier]) -> None:
    """Tell of the checks that did not pass in a run that ended well."""
    run = context.dagster_run
    _tell_gates(run, _events(context.instance, run), notifier)


def _tell_gates(run: dg.DagsterRun, events: list[dg.DagsterEvent], notifier: Notifier) -> None:
    notice = None if is_trial_run(run) else gate_notice(run, events)
    if notice is not None:
        notifier.tell(notice)


def _events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterEvent]:
    wanted = {CHECK, dg.DagsterEventType.STEP_FAILURE}
    entries = instance.all_logs(run.run_id, of_type=wanted)
    return [entry.get_dagster_event() for entry in entries]


SENSORS = (notify_failure, notify_gates)
