"""What a script sends on which we do not act is kept and told again, for every kind of row; what is secret is not."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.test import Client

from audit.models import AuditEvent
from routing.models import Credential

pytestmark = pytest.mark.django_db
UNKNOWN: dict[str, Any] = {"cost_owner": "Mei", "policies": ["eu-only"], "nested": {"deep": 1}}


class Kind(NamedTuple):
    """`told` finds the row in what /info answers."""

    family: str
    named: dict[str, Any]
    told: Callable[[Any], dict[str, Any]]
    info: tuple[str, str, Any]
    update: tuple[str, str]


KINDS = {
    "team": Kind("team", {"team_id": "t1"}, lambda told: told["team_info"], ("GET", "team/info?team_id=t1", None), ("POST", "team/update")),
    "user": Kind("user", {"user_id": "u1"}, lambda told: told["user_info"], ("GET", "user/info?user_id=u1", None), ("POST", "user/update")),
    "organization": Kind(
        "organization",
        {"organization_id": "o1", "organization_alias": "Acme"},
        lambda told: told,
        ("GET", "organization/info?organization_id=o1", None),
        ("PATCH", "organization/update"),
    ),
    "customer": Kind(
        "customer", {"user_id": "c1"}, lambda told: told, ("GET", "customer/info?end_user_id=c1", None), ("POST", "customer/update")
    ),
    "tag": Kind(
        "tag", {"name": "nightly"}, lambda told: told["nightly"], ("POST", "tag/info", {"names": ["nightly"]}), ("POST", "tag/update")
    ),
}


def ask(method: str, path: str, body: Any = None) -> Any:
    headers = {"authorization": f"Bearer {settings.TALLYGATE_MASTER_KEY}"}
    return Client().generic(method, f"/{path}", json.dumps(body or {}), content_type="application/json", headers=headers)


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


def new(kind: Kind, fields: dict[str, Any]) -> Any:
    answer = ask("POST", f"{kind.family}/new", kind.named | fields)
    assert answer.status_code == 200, answer.content
    return answer


def extra(kind: Kind) -> Any:
    return kind.told(ask(*kind.info).json()).get("extra")


def test_unknown_fields_are_named_kept_and_told(kind: Kind) -> None:
    answer = new(kind, UNKNOWN)
    assert answer["x-tallygate-ignored-fields"] == "cost_owner, nested, policies"
    assert extra(kind) == UNKNOWN


def test_change_adds_to_what_is_kept_and_null_takes_away(kind: Kind) -> None:
    new(kind, UNKNOWN)
    ask(*kind.update, kind.named | {"cost_owner": None, "region": "eu"})
    assert extra(kind) == {"policies": ["eu-only"], "nested": {"deep": 1}, "region": "eu"}


def test_change_of_another_field_leaves_what_is_kept(kind: Kind) -> None:
    new(kind, UNKNOWN)
    ask(*kind.update, kind.named | {"max_budget": 5})
    assert extra(kind) == UNKNOWN


def test_secrets_among_unknown_fields_are_named_and_kept_nowhere(kind: Kind) -> None:
    secret = {"password": "hunter2", "logging": [{"langfuse_secret_key": "hunter2", "host": "h"}], "access_token": "hunter2"}
    answer = new(kind, secret)
    assert answer["x-tallygate-ignored-fields"] == "access_token, logging, password"
    assert extra(kind) == {"logging": [{"host": "h"}]}
    assert "hunter2" not in json.dumps(list(AuditEvent.objects.values("before", "after")))


def told(answer: Any) -> Any:
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_budget_tells_what_it_keeps() -> None:
    ask("POST", "budget/new", {"budget_id": "b1", "max_budget": 5, "cost_owner": "Mei", "api_key": "hunter2"})
    ask("POST", "budget/update", {"budget_id": "b1", "policies": ["eu"]})
    [row] = told(ask("POST", "budget/info", {"budgets": ["b1"]}))
    assert (row["max_budget"], row["extra"]) == (5, {"cost_owner": "Mei", "policies": ["eu"]})


def test_model_keeps_what_its_parts_say_besides_and_nothing_that_opens_the_provider() -> None:
    params = {"model": "openai/gpt-4.1", "api_key": "sk-1", "input_cost_per_token": 0.1, "num_retries": 2}
    made = told(ask("POST", "model/new", {"model_name": "gpt", "litellm_params": params, "model_info": {"mode": "chat", "secret": "x"}}))
    assert made["extra"] == {"litellm_params": {"input_cost_per_token": 0.1, "num_retries": 2}, "model_info": {"mode": "chat"}}
    body = {"model_info": {"id": made["model_id"], "mode": None}, "litellm_params": {"num_retries": 3}, "team": "blue"}
    assert told(ask("POST", "model/update", body))["extra"] == {
        "litellm_params": {"input_cost_per_token": 0.1, "num_retries": 3},
        "team": "blue",
    }


def test_member_of_a_team_keeps_own_fields_and_those_of_the_body() -> None:
    ask("POST", "team/new", {"team_id": "t1", "members_with_roles": [{"user_id": "u1", "desk": 1}]})
    answer = ask("POST", "team/member_add", {"team_id": "t1", "member": {"user_id": "u2", "desk": 2}, "wave": "a"})
    assert answer["x-tallygate-ignored-fields"] == "member.desk, wave"
    ask("POST", "team/member_update", {"team_id": "t1", "user_id": "u1", "desk": None, "floor": 3})
    rows = told(ask("GET", "team/info?team_id=t1"))["team_memberships"]
    assert {row["user_id"]: row["extra"] for row in rows} == {"u1": {"floor": 3}, "u2": {"desk": 2, "wave": "a"}}


def test_member_of_an_organization_keeps_own_fields_and_those_of_the_body() -> None:
    ask("POST", "organization/new", {"organization_id": "o1", "organization_alias": "Acme"})
    ask("POST", "organization/member_add", {"organization_id": "o1", "member": {"user_id": "u1", "desk": 1}, "wave": "a"})
    row = told(ask("PATCH", "organization/member_update", {"organization_id": "o1", "user_id": "u1", "wave": None}))
    assert (row["user_role"], row["extra"]) == ("internal_user", {"desk": 1})


def test_credentials_description_is_kept_and_told() -> None:
    body = {
        "credential_name": "main",
        "credential_info": {"custom_llm_provider": "anthropic", "description": "Of the EU account", "api_key": "x"},
    }
    ask("POST", "credentials", body | {"credential_values": {"api_key": "sk-ant-1"}})
    ask("PATCH", "credentials/main", {"credential_info": {"owner": "Mei"}})
    assert Credential.objects.get().extra == {"credential_info": {"description": "Of the EU account", "owner": "Mei"}}
    told = ask("GET", "credentials/by_name/main").json()["credential_info"]
    assert told == {"custom_llm_provider": "anthropic", "description": "Of the EU account", "owner": "Mei"}
