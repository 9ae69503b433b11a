"""`tallygate doctor` against the fake provider's versions of what goes wrong, and against addresses where nobody is."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from routing.models import Credential, Deployment, Origin
from tests.factories import make_credential
from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.script import Answer, refusal
from tests.fakes.serving import serve_in_thread

pytestmark = pytest.mark.django_db

NO_ACCESS = "You don't have access to the model with the specified model ID."
NO_REGION = "Invocation of model ID claude with on-demand throughput isn't supported."


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
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["ok", "database"],
        ["ok", "clock"],
        ["ok", "secrets"],
        ["ok", "processes"],
        ["ok", "credential"],
        ["ok", "deployment"],
    ]
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
