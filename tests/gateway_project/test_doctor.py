"""`tallygate doctor` against the fake provider's versions of what goes wrong, and against addresses where nobody is."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from audit.chain import check_chain
from audit.models import AuditEvent
from audit.rolled import kept_zones
from audit.tasks import keep_days
from audit.trail import COMMAND_LINE
from gateway_project import celery, diagnosis
from gateway_project.config_file import ConfigFile
from gateway_project.surroundings import GB
from routing.models import Credential, Deployment, Origin
from tests.console.rows import served
from tests.factories import make_credential, make_deployment, make_key, make_route
from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.script import Answer, refusal
from tests.fakes.serving import serve_in_thread

pytestmark = pytest.mark.django_db

NO_ACCESS = "You don't have access to the model with the specified model ID."
NO_REGION = "Invocation of model ID claude with on-demand throughput isn't supported."


@pytest.fixture(autouse=True)
def alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Redis nor a broker, whatever the suite runs beside."""
    settings.REDIS_URL = ""
    monkeypatch.setattr(celery, "IS_EMBEDDED", True)


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    yield FakeProvider()


@pytest.fixture
def upstream(fake: FakeProvider) -> Iterator[str]:
    with serve_in_thread(fake) as url:
        yield url


def deployed(url: str, key: str = DEFAULT_KEY, **values: Any) -> Deployment:
    known = {"name": "sonnet", "provider": "anthropic", "model": "claude-sonnet-4-5-20250929", "origin": Origin.FILE}
    return Deployment.objects.create(**known | {"base_url": url, "credential": make_credential(secret=key)} | values)


def run(*words: str, well: bool = True) -> str:
    out = StringIO()
    if well:
        call_command("doctor", *words, stdout=out)
        return out.getvalue()
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", *words, stdout=out)
    return out.getvalue()


def test_healthy_installation_is_told_line_by_line(upstream: str) -> None:
    deployed(upstream)
    said = run()
    assert [tuple(line.split()[:2]) for line in said.splitlines()] == [
        ("ok", "settings"), ("ok", "address"), ("ok", "disk"), ("ok", "background"), ("ok", "database"), ("ok", "clock"), ("ok", "secrets"),
        ("!", "processes"), ("!", "routes"), ("ok", "keys"), ("ok", "credential"), ("ok", "deployment"),
    ]  # fmt: skip
    assert "It answers." in said


@pytest.mark.parametrize(("answer", "kind"), [
    (refusal(401, "invalid x-api-key"), "credential_refused"),
    (refusal(403, NO_ACCESS), "model_access"),
    (refusal(400, NO_REGION), "region"),
    (refusal(404, "model: claude-x"), "model_unknown"),
    (refusal(400, "Your credit balance is too low to access the Anthropic API."), "quota"),
    (refusal(429), "rate_limited"),
    (refusal(529), "overloaded"),
    (refusal(500), "provider_error"),
    (Answer(fault="reset"), "unreachable"),
])  # fmt: skip
def test_failure_of_the_provider_is_told_in_one_line(fake: FakeProvider, upstream: str, answer: Answer, kind: str) -> None:
    deployed(upstream)
    fake.script(answer)
    (line,) = [row for row in json.loads(run("sonnet", "--json", well=False)) if row["what"].startswith("deployment")]
    assert (line["is_ok"], line["kind"]) == (False, kind)
    assert "\n" not in line["text"]


@pytest.mark.parametrize(("url", "kind"), [
    ("http://127.0.0.1:1", "unreachable"),
    ("http://no-such-host.invalid", "dns"),
    ("http://169.254.169.254", "address_refused"),
])  # fmt: skip
def test_address_where_nobody_is(url: str, kind: str) -> None:
    deployed(url)
    (line,) = [row for row in json.loads(run("sonnet", "--json", well=False)) if row["what"].startswith("deployment")]
    assert line["kind"] == kind


def test_server_without_tls_is_told(upstream: str) -> None:
    deployed(upstream.replace("http://", "https://"))
    (line,) = [row for row in json.loads(run("sonnet", "--json", well=False)) if row["what"].startswith("deployment")]
    assert line["kind"] == "tls"


def test_missing_environment_is_told_at_the_credential_and_at_its_deployment(upstream: str) -> None:
    credential = Credential.objects.create(name="by name", provider="anthropic", secret="env:NOT_THERE_API_KEY")
    deployed(upstream, credential=credential)
    rows = json.loads(run("--json", well=False))
    assert [row["kind"] for row in rows if not row["is_ok"]] == ["credential_unusable", "credential_unusable"]


def test_model_without_a_price_is_named(upstream: str) -> None:
    deployed(upstream, model="fake-model-of-no-list")
    assert "has no price" in run("sonnet", well=False)


def test_no_calls_means_none(fake: FakeProvider, upstream: str) -> None:
    deployed(upstream, key="sk-wrong")
    run("--no-calls")
    assert not fake.seen


def test_key_is_never_told(fake: FakeProvider, upstream: str) -> None:
    deployed(upstream, key="sk-canary-of-the-doctor")
    assert "canary" not in run(well=False) + run("--json", well=False)


def test_price_that_is_missing_is_found_without_a_call(fake: FakeProvider, upstream: str) -> None:
    deployed(upstream, model="fake-model-of-no-list")
    assert "!!  deployment sonnet            anthropic/fake-model-of-no-list: It has no price" in run("--no-calls", well=False)
    assert not fake.seen


def test_name_that_nothing_has_is_a_mistake() -> None:
    with pytest.raises(CommandError, match="no credential and no active deployment 'sonet'"):
        run("sonet")


def test_colour_is_of_the_mark_only() -> None:
    assert "\x1b[32mok\x1b[0m  settings" in run("--force-color")
    assert "\x1b[33m! \x1b[0m  routes" in run("--force-color")


def test_signs_of_the_terminal_in_a_name_are_spelled_out(upstream: str) -> None:
    deployed(upstream, name="\x1b[2Jsonnet")
    assert "\x1b" not in run()


# ── around the gateway ────────────────────────────────────────────────────────
def told(what: str, *, well: bool = True) -> list[tuple[bool, bool, str]]:
    rows = json.loads(run("--no-calls", "--json", well=well))
    return [(row["is_ok"], row["is_note"], row["text"]) for row in rows if row["what"] == what]


@pytest.mark.parametrize(("name", "value", "what", "text"), [
    ("TALLYGATE_PUBLIC_URL", "http://gateway.example.com", "address", "is not https"),
    ("TALLYGATE_MASTER_KEY", "sk-1234", "settings", "may be guessed"),
    ("TALLYGATE_EGRESS_ALLOW", ["0.0.0.0/0"], "settings", "0.0.0.0/0: deployments made in pages reach all"),
    ("DEBUG", True, "settings", "TALLYGATE_DEBUG"),
    ("TALLYGATE_CONFIG", ConfigFile(Path("c.yaml"), not_honoured=tuple("abcdefg")), "settings", "a, b, c, d, e and 2 more"),
])  # fmt: skip
def test_what_may_harm_is_a_note(settings: Settings, name: str, value: Any, what: str, text: str) -> None:
    settings.IS_HTTPS = False
    setattr(settings, name, value)
    (note,) = [line for line in told(what) if line[1]]
    assert note[0]
    assert text in note[2]
    assert "sk-1234" not in note[2]


def test_name_that_the_file_needs_and_nobody_set_is_wrong(settings: Settings) -> None:
    settings.TALLYGATE_CONFIG = ConfigFile(Path("c.yaml"), missing=("NO_SUCH",))
    assert told("settings", well=False) == [(False, False, "c.yaml refers to NO_SUCH, which is not set in the environment.")]


@pytest.mark.parametrize(("free", "is_ok", "is_note"), [(GB // 10, False, False), (GB, True, True), (3 * GB, True, False)])
def test_disk_that_runs_full_is_told_before_it_is(monkeypatch: pytest.MonkeyPatch, free: int, is_ok: bool, is_note: bool) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, free))
    assert [line[:2] for line in told("disk", well=is_ok)] == [(is_ok, is_note)]


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "nonsense"])
def test_redis_that_does_not_answer_is_wrong(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    ((is_ok, _, text),) = told("redis", well=False)
    assert not is_ok
    assert "secret" not in text


def test_broker_that_does_not_answer_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "IS_EMBEDDED", False)
    monkeypatch.setattr(celery.app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(celery.app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    ((is_ok, _, text),) = told("background work", well=False)
    assert not is_ok
    assert "broker does not answer" in text


def test_name_that_nothing_answers_for_is_wrong() -> None:
    make_route("dead", make_deployment("off", is_active=False))
    ((is_ok, _, text),) = told("routes", well=False)
    assert (is_ok, text.split(".")[0]) == (False, "Nothing answers for dead")


def test_audit_trail_that_did_not_hold_is_wrong_until_it_does() -> None:
    make_credential()
    event = AuditEvent.objects.order_by("-pk")[0]
    AuditEvent.objects.filter(pk=event.pk).update(ip="203.0.113.66")
    check_chain(COMMAND_LINE)
    [(is_ok, _, text)] = told("audit trail", well=False)
    assert (is_ok, f"Event {event.pk}," in text) == (False, True)
    AuditEvent.objects.filter(pk=event.pk).update(ip=event.ip)
    check_chain(COMMAND_LINE)
    assert told("audit trail") == []


def test_keys_that_end_soon_are_a_note() -> None:
    make_key("laptop", expires_at=timezone.now() + timedelta(days=3))
    make_key("later", expires_at=timezone.now() + timedelta(days=30))
    ((is_ok, is_note, text),) = told("keys")
    assert (is_ok, is_note) == (True, True)
    assert "expire laptop." in text


def test_days_that_are_not_kept_of_the_time_zone_are_a_note_until_they_are_made(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    assert told("roll-ups") == []
    served()
    ((is_ok, is_note, text),) = told("roll-ups")
    assert (is_ok, is_note) == (True, True)
    assert "No sums of days in Asia/Tokyo" in text
    call_command("money", "rebuild-rollups", "--days", stdout=StringIO())
    assert told("roll-ups") == []


def test_days_come_by_themselves_after_a_change_of_the_time_zone(settings: Settings) -> None:
    served()
    settings.TIME_ZONE = "Asia/Tokyo"
    keep_days()
    assert (told("roll-ups"), kept_zones()) == ([], ["Asia/Tokyo"])
    with CaptureQueriesContext(connection) as asked:
        keep_days()
    assert len(asked) == 1


def test_database_that_does_not_answer_is_told_and_the_rest_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "MigrationExecutor", Mock(side_effect=OperationalError("connection\nrefused")))
    lines = run(well=False).splitlines()
    assert lines[-1].split(maxsplit=2)[2] == "connection refused. Start it, or correct DATABASE_URL."
