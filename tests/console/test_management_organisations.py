"""LiteLLM's scripts against /organization/…."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from billing.models import Budget, LedgerEntry
from keys.models import Organisation, Team, VirtualKey
from tests.factories import make_admin, make_key, make_organisation, make_team

pytestmark = pytest.mark.django_db
ACME: dict[str, Any] = {
    "organization_id": "acme", "organization_alias": "Acme", "models": ["claude-opus"], "metadata": {"a": 1}, "max_budget": 100.5,
    "soft_budget": 80, "budget_duration": "30d",
}  # fmt: skip
LITELLMS_FIELDS = """
    organization_id organization_alias budget_id spend metadata models created_by updated_by members teams litellm_budget_table created_at
    updated_at
"""


def ask(client: Client, verb: str, path: str, body: object = None, secret: str = "") -> Any:
    headers = {"x-api-key": secret or settings.TALLYGATE_MASTER_KEY}
    return client.generic(verb, f"/organization/{path}", json.dumps(body), content_type="application/json", headers=headers)


def get(client: Client, path: str) -> Any:
    return client.get(f"/organization/{path}", headers={"x-api-key": settings.TALLYGATE_MASTER_KEY})


@pytest.fixture
def acme(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = ask(client, "POST", "new", ACME).json()
    return told


def test_new_organisation_is_told_with_all_of_litellms_fields(acme: dict[str, Any]) -> None:
    assert set(LITELLMS_FIELDS.split()) <= set(acme)
    assert {name: acme[name] for name in ("organization_id", "organization_alias", "models", "metadata")}.items() <= ACME.items()
    table = acme["litellm_budget_table"]
    assert (acme["spend"], table["max_budget"], table["soft_budget"], table["budget_duration"]) == (0, 100.5, 80, "30d")
    assert Budget.objects.filter(scope="organisation", scope_id="acme").count() == 2


def test_budget_can_be_that_of_a_plan(client: Client) -> None:
    headers = {"x-api-key": settings.TALLYGATE_MASTER_KEY}
    client.post("/budget/new", json.dumps({"budget_id": "gold", "max_budget": 7}), content_type="application/json", headers=headers)
    told = ask(client, "POST", "new", {"organization_alias": "Acme", "budget_id": "gold"}).json()
    assert (told["budget_id"], told["litellm_budget_table"]["max_budget"]) == ("gold", 7)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"organization_id": "acme", "organization_alias": "Other"}, "organization_id"),
        ({"organization_alias": "Acme"}, "organization_alias"),
        ({"organization_alias": "Other", "budget_id": "nobody"}, "budget_id"),
        ({"organization_alias": "Other", "models": [""]}, "models"),
    ],
)
def test_wrong_organisation_is_a_400_and_not_made(client: Client, acme: dict[str, Any], body: dict[str, Any], param: str) -> None:
    answer = ask(client, "POST", "new", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert Organisation.objects.count() == 1


def test_organisation_without_an_alias_is_a_422(client: Client) -> None:
    assert ask(client, "POST", "new", {}).status_code == 422


def test_fields_that_are_not_sent_stay_and_null_takes_away(client: Client, acme: dict[str, Any]) -> None:
    told = ask(client, "PATCH", "update", {"organization_id": "acme", "max_budget": None, "models": None, "blocked": True}).json()
    assert (told["models"], told["metadata"], told["blocked"], told["organization_alias"]) == ([], {"a": 1}, True, "Acme")
    assert (told["litellm_budget_table"]["max_budget"], told["litellm_budget_table"]["soft_budget"]) == (None, 80)


def test_fields_we_do_not_act_on_are_named(client: Client) -> None:
    answer = ask(client, "POST", "new", {"organization_alias": "Acme", "tpm_limit": 5, "temp_budget_increase": 1, "rpm_limit": None})
    assert answer["x-tallygate-ignored-fields"] == "temp_budget_increase, tpm_limit"


@pytest.mark.parametrize("forged", ["id", "pk", "created_at", "teams", "spend", "is_blocked"])
def test_forged_fields_change_nothing(client: Client, acme: dict[str, Any], forged: str) -> None:
    answer = ask(client, "PATCH", "update", {"organization_id": "acme", forged: "forged"})
    assert answer["x-tallygate-ignored-fields"] == forged
    assert get(client, "info?organization_id=acme").json() == acme | {"extra": {forged: "forged"}}


def test_info_holds_the_teams_and_what_was_spent(client: Client, acme: dict[str, Any]) -> None:
    ask(client, "PATCH", "update", {"organization_id": "acme", "max_budget": None, "soft_budget": None})
    team = make_team("Blue", organisation=Organisation.objects.get())
    LedgerEntry.objects.create(
        attempt_id="a", kind="base", request_id="r", at=timezone.now(), amount_nano=2 * 10**9, organisation_id="acme"
    )
    told = get(client, "info?organization_id=acme").json()
    assert ([row["team_id"] for row in told["teams"]], told["spend"], told["litellm_budget_table"]) == ([team.pk], 2, None)
    assert ask(client, "POST", "info", {"organizations": ["acme", "nobody"]}).json() == [told]


def test_list_is_narrowed_by_id_and_alias(client: Client, acme: dict[str, Any]) -> None:
    make_organisation("Beta")
    names = [[row["organization_alias"] for row in get(client, f"list{query}").json()] for query in ("", "?org_id=acme", "?org_alias=bet")]
    assert names == [["Acme", "Beta"], ["Acme"], ["Beta"]]


def test_list_costs_the_same_few_queries(client: Client, acme: dict[str, Any]) -> None:
    make_team(organisation=Organisation.objects.get())
    with CaptureQueriesContext(connection) as few:
        get(client, "list")
    for number in range(5):
        told = ask(client, "POST", "new", {"organization_alias": f"o{number}", "max_budget": 1}).json()
        make_team(organisation=Organisation.objects.get(pk=told["organization_id"]))
    with CaptureQueriesContext(connection) as many:
        assert len(get(client, "list").json()) == 6
    assert len(many) == len(few)


def test_deleted_organisation_takes_teams_keys_and_budgets_along(client: Client, acme: dict[str, Any]) -> None:
    organisation = Organisation.objects.get()
    make_key("of the team", team=make_team(organisation=organisation))
    make_key("of the organisation", organisation=organisation)
    make_key("of another", organisation=make_organisation("Beta"))
    told = ask(client, "DELETE", "delete", {"organization_ids": ["acme"]}).json()
    assert [row["organization_id"] for row in told] == ["acme"]
    assert [key.name for key in VirtualKey.objects.all()] == ["of another"]
    assert (Organisation.objects.get().name, Team.objects.count(), Budget.objects.count()) == ("Beta", 0, 0)


def test_one_unknown_organisation_and_none_is_deleted(client: Client, acme: dict[str, Any]) -> None:
    assert ask(client, "DELETE", "delete", {"organization_ids": ["acme", "nobody"]}).status_code == 404
    assert Organisation.objects.exists()


def test_unknown_organisation_is_a_404(client: Client) -> None:
    answers = [get(client, "info?organization_id=nobody"), ask(client, "PATCH", "update", {"organization_id": "nobody"})]
    assert [(answer.status_code, answer.json()["error"]["param"]) for answer in answers] == [(404, "organization_id")] * 2


def test_every_change_is_audited(client: Client, acme: dict[str, Any]) -> None:
    ask(client, "PATCH", "update", {"organization_id": "acme", "organization_alias": "Beta"})
    ask(client, "DELETE", "delete", {"organization_ids": ["acme"]})
    events = AuditEvent.objects.filter(object_id="acme", event__startswith="organisation").order_by("pk")
    assert [(event.event, event.actor_kind) for event in events] == [
        ("organisation.created", "master-key"),
        ("organisation.changed", "master-key"),
        ("organisation.deleted", "master-key"),
    ]


def test_administrator_acts_with_a_key_of_their_own(client: Client) -> None:
    admin = make_admin()
    assert ask(client, "POST", "new", ACME, secret=make_key(user=admin)[1]).status_code == 200
    assert AuditEvent.objects.get(event="organisation.created").actor_id == admin.pk


@pytest.mark.parametrize(
    ("verb", "path"),
    [("POST", "new"), ("PATCH", "update"), ("DELETE", "delete"), ("GET", "info?organization_id=acme"), ("POST", "info"), ("GET", "list")],
)
def test_virtual_key_and_session_see_and_change_nothing(client: Client, acme: dict[str, Any], verb: str, path: str) -> None:
    client.force_login(make_admin())
    body = ACME | {"organization_ids": ["acme"], "organizations": ["acme"], "organization_alias": "Forged"}
    answers = [ask(client, verb, path, body, secret=secret) for secret in (make_key()[1], "sk-wrong")]
    assert [answer.status_code for answer in answers] == [403, 401]
    assert Organisation.objects.get().name == "Acme"
