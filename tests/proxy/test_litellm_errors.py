"""Refusals at the door of OpenAI's APIs as LiteLLM's scripts know them, in both manners; everybody else keeps our own contract."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from keys.snapshot import Limit, ModelList
from routing.dialects.litellm_errors import TABLES
from tests.proxy.door import check_refusal, know, plane, send
from tests.proxy.rig import Rig
from tests.proxy.talk import HEADERS
from tests.proxy.test_budget import posted, row

MANNERS: list[str] = ["classic", "current"]


def chat(rig: Rig, manner: str, headers: dict[str, str] = HEADERS, model: str = "claude-sonnet") -> httpx.Response:
    plane(rig).refusals = TABLES[manner]
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    return send(rig, json.dumps(body).encode(), path="/v1/chat/completions", headers=headers)


def error(answer: httpx.Response) -> dict[str, Any]:
    told = dict(answer.json()["error"])
    assert set(told) == {"message", "type", "param", "code"}
    assert told["code"] == str(answer.status_code)
    return told


@pytest.mark.parametrize(("manner", "status"), [("classic", 400), ("current", 422)])
def test_spent_budget(rig: Rig, manner: str, status: int) -> None:
    spent = row(amount=2_500_000_000)
    rig.gateway.budget(spent, posted=posted(spent, 2_500_000_000, datetime.now(UTC)))
    rig.gateway.route("gpt-4o", replace(rig.deployment, provider="openai"))
    answer = chat(rig, manner, model="gpt-4o")
    told = error(answer)
    assert (answer.status_code, told["type"]) == (status, "budget_exceeded")
    assert told["message"].startswith("Budget has been exceeded! Current cost: 2.500000000, Max budget: 2.500000000. The budget of")
    assert (answer.headers["x-tallygate-error-code"], answer.headers["x-should-retry"]) == ("budget_exceeded", "false")
    assert rig.gateway.closings()[0].summary.status == status


@pytest.mark.parametrize(("manner", "kind"), [("classic", "token_not_found_in_db"), ("current", "auth_error")])
def test_unknown_key(rig: Rig, manner: str, kind: str) -> None:
    answer = chat(rig, manner, {"authorization": "Bearer sk-nobody"})
    assert (answer.status_code, error(answer)["type"]) == (401, kind)
    assert error(answer)["message"].startswith("Authentication Error, Invalid proxy server token passed.")


@pytest.mark.parametrize(("manner", "status"), [("classic", 401), ("current", 403)])
def test_model_that_the_key_may_not_use(rig: Rig, manner: str, status: int) -> None:
    answer = chat(rig, manner, know(rig, "bob", model_lists=(ModelList.of(["claude-haiku"]),)))
    assert (answer.status_code, error(answer)["type"], error(answer)["param"]) == (status, "key_model_access_denied", "model")


@pytest.mark.parametrize("manner", MANNERS)
def test_model_that_is_not_there(rig: Rig, manner: str) -> None:
    answer = chat(rig, manner, model="nonesuch")
    assert (answer.status_code, error(answer)["type"]) == (400, "invalid_request_error")
    assert "Invalid model name passed in model=nonesuch." in error(answer)["message"]


@pytest.mark.parametrize("manner", MANNERS)
def test_rate_limit(rig: Rig, manner: str) -> None:
    limits = Limit.of("key", "key-bob", {"rpm": 0})
    answer = chat(rig, manner, know(rig, "bob", limits=limits))
    assert answer.status_code == 429
    assert error(answer)["message"].startswith(
        "Rate limit exceeded for api_key: bob. Limit type: requests. Current limit: 0, Remaining: 0."
    )


@pytest.mark.parametrize("manner", MANNERS)
def test_callers_of_anthropics_api_hear_it_in_our_way(rig: Rig, manner: str) -> None:
    plane(rig).refusals = TABLES[manner]
    check_refusal(send(rig, headers={"x-api-key": "sk-nobody"}), 401, "key_invalid")
    check_refusal(send(rig, model="nonesuch"), 403, "model_not_allowed")


def test_refusal_that_litellm_has_no_word_for_is_told_in_our_way(rig: Rig) -> None:
    plane(rig).refusals = {}
    answer = send(rig, b"{", path="/v1/chat/completions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
