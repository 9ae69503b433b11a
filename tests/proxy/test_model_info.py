"""What LiteLLM's clients ask about models: /model/info as Cline reads it, /model_group/info."""

import json
from typing import Any

import pytest

from keys.snapshot import ModelList
from proxy.limits import Limits
from proxy.table import is_ours
from routing.snapshot import DeploymentSnapshot
from tests.proxy import routes
from tests.proxy.door import get, know, send
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.routes import put, route

SONNET = "claude-sonnet-4-5"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/x"
INFO_PATHS = ["/v1/model/info", "/model/info", "/model/info/"]
PATHS = [*INFO_PATHS, "/model_group/info"]
KEY_ALONE = {"x-litellm-api-key": ALICE}


def deployment(rig: Rig, name: str, **changes: Any) -> DeploymentSnapshot:
    values = {"provider": "anthropic", "model": SONNET, "secret": "sk-provider-secret", "base_url": "http://inner.example"} | changes
    return routes.deployment(rig, name, **values)


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    rig = house.rig(limits)
    at_aws = {"provider": "bedrock", "model": ARN, "base_model": f"anthropic.{SONNET}-20250929-v1:0"}
    put(
        rig,
        route("sonnet", deployment(rig, "one", rpm=5, tpm=70), deployment(rig, "other", rpm=6, **at_aws)),
        route("nobody-priced-it", deployment(rig, "odd", model="nobody-priced-it", is_operators=True)),
        route("nobody-serves-it"),
        route("team/*", deployment(rig, "family", model="*")),
    )
    return rig


def rows(rig: Rig, path: str = "/model/info", headers: dict[str, str] = KEY_ALONE) -> list[dict[str, Any]]:
    answer = get(rig, path, headers)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["data"]
    return list(answer.json()["data"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [KEY_ALONE, {"authorization": f"Bearer {ALICE}"}, {"x-api-key": ALICE}])
def test_key_is_taken_wherever_clients_put_it(rig: Rig, path: str, headers: dict[str, str]) -> None:
    assert {row.get("model_name", row.get("model_group")) for row in rows(rig, path, headers)} == {"nobody-priced-it", "sonnet"}


def test_every_deployment_is_a_row_under_a_name_that_can_be_called(rig: Rig) -> None:
    found = rows(rig)
    assert [(row["model_name"], row["model_info"]["id"]) for row in found] == [
        ("nobody-priced-it", "dep-odd"), ("sonnet", "dep-one"), ("sonnet", "dep-other"),
    ]  # fmt: skip
    assert all(row["litellm_params"]["model"] == row["model_name"] for row in found)
    assert [row["litellm_params"]["custom_llm_provider"] for row in found] == ["anthropic", "anthropic", "bedrock"]
    assert [row["model_info"]["db_model"] for row in found] == [False, True, True]


@pytest.mark.parametrize(("name", "of_list"), [("dep-one", 1.0), ("dep-other", 1.1)])
def test_prices_are_those_of_the_price_book(rig: Rig, name: str, of_list: float) -> None:
    [row] = rows(rig, f"/model/info?litellm_model_id={name}")
    info = row["model_info"]
    costs = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost")
    assert [info[cost] for cost in costs] == pytest.approx([3e-06 * of_list, 1.5e-05 * of_list, 3e-07 * of_list, 3.75e-06 * of_list])
    assert info["supports_prompt_caching"] is True


def test_unknown_price_is_left_out(rig: Rig) -> None:
    [row] = rows(rig, "/model/info?litellm_model_id=dep-odd")
    assert set(row["model_info"]) == {"id", "db_model", "litellm_provider"}


def test_deployment_of_a_family_is_found_by_id_without_a_price(rig: Rig) -> None:
    [row] = rows(rig, "/v1/model/info?litellm_model_id=dep-family")
    assert (row["model_name"], row["model_info"].get("input_cost_per_token")) == ("team/*", None)


@pytest.mark.parametrize("path", [*PATHS, "/model/info?litellm_model_id=dep-one", "/model/info?litellm_model_id=dep-other"])
def test_neither_secret_nor_address_is_told(rig: Rig, path: str) -> None:
    text = json.dumps(rows(rig, path))
    assert not [word for word in ("secret", "inner.example", "arn:aws", "123456789012", "api_base", "api_key") if word in text]


def test_group_names_providers_sums_capacities_and_tells_the_dearest_price(rig: Rig) -> None:
    [group] = rows(rig, "/model_group/info?model_group=sonnet")
    costs = {"input_cost_per_token": 3.3e-06, "output_cost_per_token": 1.65e-05}
    assert group == {"model_group": "sonnet", "providers": ["anthropic", "bedrock"], "rpm": 11, "tpm": 70} | costs


def test_unpriced_group_costs_null_and_unknown_group_is_no_row(rig: Rig) -> None:
    [group] = rows(rig, "/model_group/info?model_group=nobody-priced-it")
    assert (group["input_cost_per_token"], group["rpm"]) == (None, None)
    assert rows(rig, "/model_group/info?model_group=none") == []


@pytest.mark.parametrize("path", PATHS)
def test_only_allowed_models_are_told(rig: Rig, path: str) -> None:
    headers = know(rig, "narrow", model_lists=(ModelList.of(["nobody-priced-it", "team/one"]),))
    assert {row.get("model_name", row.get("model_group")) for row in rows(rig, path, headers)} == {"nobody-priced-it"}


@pytest.mark.parametrize("wanted", ["dep-one", "dep-family", "none", "%F0%9F%99%82", "x" * 3000])
def test_deployment_that_is_not_there_or_not_theirs_is_not_found(rig: Rig, wanted: str) -> None:
    headers = know(rig, "narrow", model_lists=(ModelList.of(["nobody-priced-it", "team/one"]),))
    answer = get(rig, f"/model/info?litellm_model_id={wanted}", headers)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (404, "model_not_found")
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{}, {"x-litellm-api-key": "sk-nobody"}, {"cookie": "sessionid=x"}])
def test_stranger_is_refused(rig: Rig, path: str, headers: dict[str, str]) -> None:
    answer = get(rig, path, headers)
    assert (answer.status_code, "error" in answer.json()) == (401, True)


def test_blocked_key_is_refused(rig: Rig) -> None:
    assert get(rig, "/model/info", know(rig, "blocked", blocked="Key blocked")).status_code == 401


def test_changes_of_models_are_not_the_data_planes() -> None:
    assert all(is_ours(path) for path in PATHS)
    assert not [path for path in ("/model/new", "/model/update", "/model/delete") if is_ours(path)]


@pytest.mark.parametrize("path", PATHS)
def test_they_are_only_read(rig: Rig, path: str) -> None:
    answer = send(rig, path=path, headers=KEY_ALONE)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert send(rig, method="HEAD", path=path, headers=KEY_ALONE).content == b""
