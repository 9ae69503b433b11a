"""What stays on record of a call: who, from where, in which session, with which tools, served by whom."""

import json
from typing import Any

import pytest

from proxy.limits import Limits
from tests.fakes.provider import DEFAULT_KEY
from tests.proxy.door import know, plane, send, summary
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import HEADERS, MODEL

WRITE = {"name": "Write", "input_schema": {"type": "object", "properties": {"file_path": {}, "content": {}}}}
SESSION = "3f0c9c7e-8d5b-4a52-9e1f-000000000001"
WAYS = [{"stream": True}, {}]


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.mark.parametrize("way", WAYS)
def test_record_names_the_caller(rig: Rig, way: dict[str, Any]) -> None:
    headers = know(rig, "bob", organisation_id="org-1", cost_centre="CC-7", tags=("prod", "search"))
    assert send(rig, headers=headers, **way).status_code == 200
    record = summary(rig)
    assert (record.key_id, record.key_name, record.user_id, record.user_name) == ("key-bob", "bob", "user-bob", "bob")
    assert (record.team_id, record.team_name, record.organisation_id, record.cost_centre) == ("team-blue", "Blue", "org-1", "CC-7")
    assert (record.tags, record.client_ip) == (["prod", "search"], "127.0.0.1")


@pytest.mark.parametrize("way", WAYS)
def test_record_names_what_was_asked_and_who_served_it(rig: Rig, way: dict[str, Any]) -> None:
    answer = send(rig, **way)
    record = summary(rig)
    assert (record.endpoint, record.is_stream, record.route, record.status, record.outcome) == ("messages", bool(way), MODEL, 200, "ok")
    assert (record.provider, record.deployment_id, record.deployment_name, record.served_model) == ("anthropic", "dep-1", "fake", MODEL)
    assert (record.stop_reason, record.response_bytes, record.error_code) == ("end_turn", len(answer.content), "")
    assert 0 < record.gateway_ms <= record.duration_ms
    assert record.first_byte_ms is not None and record.first_byte_ms <= record.duration_ms
    assert [(note.id, note.outcome, note.status) for note in record.attempts] == [(f"{record.id}.1", "ok", 200)]


@pytest.mark.parametrize(("sent", "tags"), [
    ("a, b ,,a", ["own", "a", "b"]),
    ("caf\u00e9", ["own", "caf\u00e9"]),
    ("own", ["own"]),
    (",".join(f"t{number}" for number in range(50)), ["own", *(f"t{number}" for number in range(19))]),
    ("x" * 300, ["own", "x" * 100]),
])  # fmt: skip
def test_tags_of_the_call_join_those_of_the_key(rig: Rig, sent: str, tags: list[str]) -> None:
    headers = know(rig, "bob", tags=("own",))
    send(rig, headers=[*headers.items(), ("x-litellm-tags", sent.encode())])  # type: ignore[list-item]  # bytes go out as they are
    assert summary(rig).tags == tags


def claude_code(**fields: str) -> dict[str, str]:
    """Metadata as Claude Code sends it."""
    return {"user_id": json.dumps({"device_id": "d" * 64, "account_uuid": "", **fields})}


SESSIONS = [
    ({"x-claude-code-session-id": SESSION}, None, SESSION, ""),
    ({}, claude_code(session_id=SESSION), SESSION, ""),
    ({"x-claude-code-session-id": SESSION}, claude_code(session_id="other"), SESSION, ""),
    ({"x-litellm-session-id": SESSION}, None, SESSION, ""),
    ({}, {"user_id": "customer-17"}, "", "customer-17"),
    ({}, {"user_id": "{not json"}, "", "{not json"),
    ({}, {"user_id": None}, "", ""),
    ({}, {"user_id": 5}, "", ""),
    ({}, "nonsense", "", ""),
    ({}, None, "", ""),
    ({"x-claude-code-session-id": "s" * 500}, None, "s" * 100, ""),
    ({}, {"user_id": "u" * 500}, "", "u" * 200),
]


@pytest.mark.parametrize(("headers", "metadata", "session", "end_user"), SESSIONS)
def test_session_and_end_user(rig: Rig, headers: dict[str, str], metadata: object, session: str, end_user: str) -> None:
    assert send(rig, headers={**HEADERS, **headers}, metadata=metadata).status_code == 200
    assert (summary(rig).session_id, summary(rig).end_user) == (session, end_user)


def test_agent_of_a_session(rig: Rig) -> None:
    send(rig, headers={**HEADERS, "x-claude-code-agent-id": "agent-3"})
    assert summary(rig).agent_id == "agent-3"


@pytest.mark.parametrize(("agent", "client"), [
    ("claude-cli/2.1.329 (external, sdk-cli)", "claude-cli/2.1.329"),
    ("Anthropic/Python 2.11.0", "Anthropic/Python"),
    ("", ""),
    ("x" * 300, "x" * 100),
])  # fmt: skip
def test_client_is_the_first_product_of_its_name(rig: Rig, agent: str, client: str) -> None:
    send(rig, headers={**HEADERS, "user-agent": agent})
    assert summary(rig).client == client


@pytest.mark.parametrize("way", WAYS)
def test_tools_used_are_on_record(rig: Rig, way: dict[str, Any]) -> None:
    send(rig, tools=[WRITE], messages=[{"role": "user", "content": "Write a greeting to a.txt"}], **way)
    assert (summary(rig).tools, summary(rig).stop_reason) == (["Write"], "tool_use")


@pytest.mark.parametrize("way", WAYS)
def test_tools_offered_but_not_used_are_not(rig: Rig, way: dict[str, Any]) -> None:
    send(rig, tools=[WRITE], **way)
    assert summary(rig).tools == []


def test_record_holds_no_secret_and_no_text_of_the_conversation(rig: Rig) -> None:
    send(rig, messages=[{"role": "user", "content": "confidential-8841"}], system="confidential-8841")
    assert rig.gateway.closings()
    (journal,) = plane(rig).journal.folder.glob("*.log")
    text = journal.read_text()
    assert not [secret for secret in (ALICE, DEFAULT_KEY, "confidential-8841", "Hello from the fake") if secret in text]


@pytest.mark.parametrize("number", [1, 5])
def test_every_call_has_one_record_under_its_request_id(rig: Rig, number: int) -> None:
    ids = [send(rig).headers["request-id"] for _ in range(number)]
    assert [entry.summary.id for entry in rig.gateway.closings(number)] == ids == sorted(set(ids))
    assert not plane(rig).live
