"""What a running gateway lets out: none of the secrets it was fed, nothing of its inside, no program, no call that nobody asked for."""

import json
from pathlib import Path

import pytest

from tests.gateway_project.canaries import CANARY, KNOWN, OPEN_TO_ALL, Said, walked

ROOT = str(Path(__file__).parents[2])
INSIDE = ("Traceback", "site-packages", 'File "', "SELECT ", "INSERT ", "sqlite", "django.", "127.0.0.1:1", "Errno", ROOT)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    return walked(tmp_path_factory.mktemp("canaries"))


# R149
def test_no_secret_is_anywhere_whichever_way_it_came_in(said: Said) -> None:
    places = {way_in: said.places(secret) for way_in, secret in CANARY.items()}
    assert {way_in: found for way_in, found in places.items() if found} == {}


# R149
def test_issued_key_is_in_no_later_answer_and_in_no_file(said: Said) -> None:
    assert said.issued.startswith("sk-")
    assert said.places(said.issued) == []


# R147, R149
def test_secrets_of_the_home_are_in_their_own_file_alone(said: Said) -> None:
    assert len(said.own) == 3
    assert [said.places(secret) for secret in said.own] == [[], [], []]


def test_search_looks_everywhere(said: Said) -> None:
    found = " ".join(said.places(KNOWN))
    for place in (
        "GET /keys/",
        "GET /admin/keys/",
        "GET /audit/",
        "GET /api/reports/keys/",
        "POST /v1/messages",
        "tallygate.sqlite3",
        ".log",
    ):
        assert place in found, place
    assert {200, 302, 400, 401, 403, 422, 502} <= {answer.status_code for answer in said.answers.values()}
    assert len(said.answers) > 120 and "Forbidden (CSRF" in said.log and "Sign-in through company failed" in said.log


# R158
def test_every_line_of_the_log_is_one_event_in_json(said: Said) -> None:
    events = [json.loads(line) for line in said.log.splitlines()]
    assert len(events) > 5
    assert all({"at", "level", "event", "logger"} <= set(event) for event in events)


# R164
def test_refusal_tells_nothing_of_the_inside(said: Said) -> None:
    refused = {asked: answer.text for asked, answer in said.answers.items() if answer.is_error}
    assert len(refused) > 30
    assert {asked: text for asked, text in refused.items() for word in INSIDE if word in text} == {}
    unnamed = [asked for asked, answer in said.answers.items() if answer.is_error and "/v1" in asked and "request-id" not in answer.headers]
    assert unnamed == []


# R163
def test_what_is_open_to_all_names_no_address_and_nothing_of_ours(said: Said) -> None:
    told = [said.answers[path] for path in OPEN_TO_ALL]
    assert {answer.status_code for answer in told} == {200}
    text = "".join(answer.text for answer in told)
    assert [word for word in (KNOWN, "127.0.0.1:1", "provider.example", "dead-end", "sqlite") if word in text] == []


# R167
def test_server_starts_no_program(said: Said) -> None:
    assert "address" in said.watched
    assert [line for line in said.watched.splitlines() if line.startswith("program ")] == []


# R175
def test_server_calls_nobody_but_whom_it_was_told(said: Said) -> None:
    """`provider.example` is a deployment's, asked by /health."""
    named = {line.split("'")[1] for line in said.watched.splitlines()}
    assert named == {"127.0.0.1", "provider.example"}
