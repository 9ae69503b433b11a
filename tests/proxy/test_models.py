"""GET /v1/models for both kinds of SDK, and the small endpoints that need no key."""

from dataclasses import replace

import anthropic
import openai
import pytest

from keys.snapshot import ModelList
from proxy.limits import Limits
from tests.proxy.door import check_refusal, get, know, plane, send
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig

NAMES = ["claude-a", "claude-b", "claude-c", "claude-d", "claude-sonnet", "vendor/model-1"]
BEARER = {"authorization": f"Bearer {ALICE}"}


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    rig = house.rig(limits)
    for name in NAMES:
        rig.gateway.route(name, rig.deployment)
    rig.gateway.route("claude-nobody-serves-it")
    return rig


def listed(rig: Rig, query: str = "", headers: dict[str, str] = BEARER) -> list[str]:
    answer = get(rig, f"/v1/models{query}", headers)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]]


@pytest.mark.parametrize("path", ["/v1/models", "/models", "/anthropic/v1/models", "/v1/v1/models", "/v1/models/"])
def test_list_needs_no_version_header(rig: Rig, path: str) -> None:
    answer = get(rig, path, BEARER)
    assert [row["id"] for row in answer.json()["data"]] == NAMES
    assert answer.headers["request-id"].startswith("req_")


def test_rows_are_what_both_kinds_of_client_read(rig: Rig) -> None:
    page = get(rig, "/v1/models").json()
    assert {"object", "data", "has_more", "first_id", "last_id"} == set(page)
    assert {"id", "type", "display_name", "created_at", "object", "created", "owned_by"} <= set(page["data"][0])


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 1000])
def test_anthropic_sdk_pages_through_the_list(rig: Rig, limit: int) -> None:
    with anthropic.Anthropic(api_key=ALICE, base_url=rig.url) as client:
        rows = list(client.models.list(limit=limit))
    assert [row.id for row in rows] == NAMES
    assert {row.type for row in rows} == {"model"}


def test_openai_sdk_lists_models(rig: Rig) -> None:
    with openai.OpenAI(api_key=ALICE, base_url=f"{rig.url}/v1") as client:
        rows = list(client.models.list())
        one = client.models.retrieve("claude-a")
    assert [row.id for row in rows] == NAMES
    assert (one.id, one.object) == ("claude-a", "model")


def test_anthropic_sdk_reads_one_model(rig: Rig) -> None:
    with anthropic.Anthropic(api_key=ALICE, base_url=rig.url) as client:
        assert client.models.retrieve("claude-b").id == "claude-b"
        with pytest.raises(anthropic.NotFoundError) as caught:
            client.models.retrieve("nobody-knows")
    assert caught.value.type == "not_found_error"


@pytest.mark.parametrize("name", ["vendor/model-1", "vendor%2Fmodel-1", "claude-of-the-family"])
def test_one_model_by_any_name_that_can_be_called(rig: Rig, name: str) -> None:
    answer = get(rig, f"/v1/models/{name}")
    assert (answer.status_code, answer.json()["id"]) == (200, name.replace("%2F", "/"))


@pytest.mark.parametrize("name", ["gpt-6", "claude-nobody-serves-it", "claude-a/x/../b%00", "%F0%9F%99%82", "x" * 5000])
def test_unknown_model_is_not_found(rig: Rig, name: str) -> None:
    rig.gateway.route("claude-*")
    answer = get(rig, f"/v1/models/{name}")
    assert check_refusal(answer, 404, "model_not_found")["type"] == "not_found_error"


def test_only_allowed_models_are_listed_shown_and_served(rig: Rig) -> None:
    headers = know(rig, "narrow", model_lists=(ModelList.of(["claude-a", "claude-b", "vendor/*"]), ModelList.of(["claude-*", "vendor/*"])))
    assert listed(rig, headers=headers) == ["claude-a", "claude-b", "vendor/model-1"]
    check_refusal(get(rig, "/v1/models/claude-c", headers), 404, "model_not_found")
    error = check_refusal(send(rig, headers=headers, model="claude-c"), 403, "model_not_allowed")
    assert "claude-a, claude-b, vendor/model-1" in error["message"] and "claude-d" not in error["message"]
    assert send(rig, headers=headers, model="claude-b").status_code == 200


def test_model_list_also_binds_count_tokens(rig: Rig) -> None:
    headers = know(rig, "narrow", model_lists=(ModelList.of(["claude-a"]),))
    check_refusal(send(rig, headers=headers, path="/v1/messages/count_tokens", model="claude-c"), 403, "model_not_allowed")


@pytest.mark.parametrize(
    "model", ["claude-A", " claude-a", "claude-a ", "claude-a\u00ad", "\uff43laude-a", "models/claude-a", "claude-a@1", "claude%2Da"]
)
def test_name_is_compared_exactly(rig: Rig, model: str) -> None:
    headers = know(rig, "narrow", model_lists=(ModelList.of(["claude-a"]),))
    answer = send(rig, headers=headers, model=model)
    assert answer.status_code in {400, 403}
    assert not rig.fake.seen


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=-1", "?limit=x", "?limit=" + "9" * 5000, "?limit=1&limit=2", "?limit=\u0662", "?after_id=", "?&&=="]
)
def test_odd_paging_is_forgiven(rig: Rig, query: str) -> None:
    assert set(listed(rig, query)) <= set(NAMES)


def test_page_after_the_last_is_empty(rig: Rig) -> None:
    page = get(rig, "/v1/models?after_id=zzz").json()
    assert (page["data"], page["has_more"], page["first_id"], page["last_id"]) == ([], False, None, None)


def test_description_is_the_display_name(rig: Rig) -> None:
    snapshot = plane(rig).snapshot
    routes = snapshot.routes.exact
    exact = {**routes, "claude-a": replace(routes["claude-a"], description="A for all")}
    plane(rig).snapshot = replace(snapshot, routes=replace(snapshot.routes, exact=exact))
    assert get(rig, "/v1/models/claude-a").json()["display_name"] == "A for all"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path", ["/api/hello", "/anthropic/api/hello", "/health/liveliness", "/health/liveness", "/health/readiness", "/v1/models"]
)
def test_small_endpoints_answer(rig: Rig, method: str, path: str) -> None:
    answer = send(rig, method=method, path=path, headers={**BEARER})
    assert answer.status_code == 200
    assert (len(answer.content) > 0) == (method == "GET")


@pytest.mark.parametrize("path", ["/api/hello", "/health/liveliness", "/health/readiness"])
def test_health_needs_no_key(rig: Rig, path: str) -> None:
    assert get(rig, path, {}).status_code == 200


def test_looking_around_leaves_no_record(rig: Rig) -> None:
    for path in ("/v1/models", "/v1/models/claude-a", "/v1/models/none", "/api/hello", "/health/readiness", "/v1/none"):
        get(rig, path)
    assert rig.gateway.lines("c") == []
    assert not plane(rig).live
