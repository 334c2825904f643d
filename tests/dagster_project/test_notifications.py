"""Who is told of failures: by which channel, in which words, and that no channel breaks a run."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from dagster_project.notifications import (
    Notice,
    Notifier,
    failure_notice,
    notify_failure,
    notify_gates,
)

NOTICE = Notice("refresh_small failed", ("small/splits: no", "run 1"))


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """Listen on loopback, as a chat service would."""
    received: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(json.loads(content))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HYBRID_WEBHOOK", f"http://127.0.0.1:{server.server_port}/secret")
    yield received
    server.shutdown()
    server.server_close()


def test_the_log_is_told_by_default(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HYBRID_WEBHOOK", raising=False)
    with caplog.at_level(logging.WARNING, "hybrid.notifications"):
        Notifier().tell(NOTICE)
    assert [record.getMessage() for record in caplog.records] == [
        "refresh_small failed\nsmall/splits: no\nrun 1"
    ]


def test_the_webhook_is_told_in_one_text(posted: list[dict[str, str]]) -> None:
    Notifier().tell(NOTICE)
    assert posted == [{"text": "refresh_small failed\nsmall/splits: no\nrun 1"}]


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("HYBRID_WEBHOOK", "http://127.0.0.1:9/secret"),
        ("HYBRID_WEBHOOK", "secret"),
        ("HYBRID_MAIL_TO", "secret@example.org"),
    ],
)
def test_a_channel_that_fails_is_logged_without_its_address(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv(variable, address)
    monkeypatch.setenv("HYBRID_MAIL_SERVER", "127.0.0.1:9")
    Notifier().tell(NOTICE)
    assert f"{variable}: not sent" in caplog.text
    assert "secret" not in caplog.text


@dg.asset
def guarded() -> None: ...


@dg.asset_check(asset=guarded)
def verdict() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.ERROR)


@dg.asset(deps=[guarded])
def broken() -> None:
    raise dg.Failure("study 'small', column 'A': expected a treatment", allow_retries=False)


def run_and_tell(assets: list[object], posted: list[dict[str, str]]) -> list[str]:
    made = dg.Definitions(
        assets=assets, asset_checks=[verdict], jobs=[dg.define_asset_job("all_of_it")]
    )
    job = made.resolve_job_def("all_of_it")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        succeeded = result.success
        ended = result.get_run_success_event() if succeeded else result.get_run_failure_event()
        context = dg.build_run_status_sensor_context(
            sensor_name="tells",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=ended,
            resources={"notifier": Notifier()},
        )
        with context:
            if succeeded:
                notify_gates(context)
            else:
                notify_failure(context.for_run_failure())
    return [each["text"] for each in posted]


def test_a_check_that_did_not_pass_is_told_though_the_run_ended_well(
    posted: list[dict[str, str]],
) -> None:
    (text,) = run_and_tell([guarded], posted)
    assert text.startswith("all_of_it: 1 checks not passed\nguarded: verdict (error)\nrun ")


def test_a_failed_run_is_told_in_the_words_of_its_step(posted: list[dict[str, str]]) -> None:
    failure, gates = run_and_tell([guarded, broken], posted)
    assert failure.startswith("all_of_it failed\nbroken: study 'small', column 'A': expected")
    assert "verdict (error)" in gates


def test_a_run_that_the_daemon_ended_is_told_with_its_reason() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        made = dg.Definitions(assets=[guarded], jobs=[dg.define_asset_job("all_of_it")])
        run = instance.create_run_for_job(made.resolve_job_def("all_of_it"))
        ended = instance.report_run_failed(run, "Exceeded maximum runtime of 20 seconds.")
    notice = failure_notice(run, [], ended)
    assert notice.subject == "all_of_it failed"
    assert notice.lines[0] == "Exceeded maximum runtime of 20 seconds."
    assert notice.lines[1].startswith(f"run {run.run_id}; the last complete tables")
