"""LiteLLM's scripts against /tag/…."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent, TagRollUp
from billing.models import Budget
from keys.models import Tag
from tests.console.spend_rows import NOON
from tests.factories import make_admin, make_key, make_user

pytestmark = pytest.mark.django_db
NIGHTLY: dict[str, Any] = {"name": "nightly", "description": "Jobs of the night", "max_budget": 20.5, "budget_duration": "30d"}
LITELLMS_FIELDS = "name description models model_info created_at updated_at created_by litellm_budget_table"


def post(client: Client, path: str, body: object, token: str = "") -> Any:
    headers = {"x-api-key": token or settings.TALLYGATE_MASTER_KEY}
    return client.post(f"/tag/{path}", json.dumps(body), content_type="application/json", headers=headers)


def listed(client: Client, query: str = "", token: str = "") -> Any:
    return client.get(f"/tag/list{query}", headers={"authorization": f"Bearer {token or settings.TALLYGATE_MASTER_KEY}"})


def borne(tag: str, nano: int) -> None:
    TagRollUp.objects.create(starts_at=NOON, tag=tag, calls=1, cost_nano=nano)


@pytest.fixture
def nightly(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = post(client, "new", NIGHTLY).json()["tag"]
    return told


def test_new_tag_is_told_with_all_of_litellms_fields(nightly: dict[str, Any]) -> None:
    assert set(LITELLMS_FIELDS.split()) <= set(nightly)
    assert {name: (nightly | nightly["litellm_budget_table"])[name] for name in NIGHTLY} == NIGHTLY
    assert (nightly["models"], nightly["model_info"], nightly["spend"], nightly["created_by"]) == ([], {}, 0, "master-key")
    budget = Budget.objects.get()
    assert (budget.scope, budget.scope_id, budget.amount_nano) == ("tag", "nightly", 20_500_000_000)


def test_fields_that_are_not_sent_stay_and_null_takes_away(client: Client, nightly: dict[str, Any]) -> None:
    told = post(client, "update", {"name": "nightly", "max_budget": None}).json()["tag"]
    assert (told["description"], told["litellm_budget_table"]) == (NIGHTLY["description"], None)
    assert post(client, "update", {"name": "nightly", "description": None}).json()["tag"]["description"] is None


def test_models_are_kept_shown_and_named_as_without_effect(client: Client) -> None:
    answer = post(client, "new", {"name": "nightly", "models": ["claude-haiku"], "tpm_limit": 5})
    assert (answer.json()["tag"]["models"], answer["x-tallygate-ignored-fields"]) == (["claude-haiku"], "models, tpm_limit")


@pytest.mark.parametrize("forged", ["id", "pk", "metadata", "created_by", "created_at", "spend"])
def test_forged_fields_change_nothing_and_are_named(client: Client, nightly: dict[str, Any], forged: str) -> None:
    answer = post(client, "update", {"name": "nightly", forged: "forged"})
    assert answer["x-tallygate-ignored-fields"] == forged
    tag = answer.json()["tag"]
    assert tag | {"updated_at": ""} == nightly | {"updated_at": "", "extra": {forged: "forged"}}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("new", {"name": "nightly"}, 400),
        ("new", {}, 422),
        ("new", {"name": ""}, 422),
        ("new", {"name": "x" * 201}, 422),
        ("new", {"name": "other", "models": [""]}, 400),
        ("new", {"name": "other", "budget_id": "none"}, 400),
        ("new", {"name": "other", "max_budget": -1}, 422),
        ("update", {"name": "other"}, 404),
        ("delete", {"name": "other"}, 404),
        ("info", {"names": ["nightly", "other"]}, 404),
        ("info", {"names": []}, 400),
    ],
)
def test_wrong_body_is_refused_and_changes_nothing(
    client: Client, nightly: dict[str, Any], path: str, body: dict[str, Any], status: int
) -> None:
    before = AuditEvent.objects.count()
    assert post(client, path, body).status_code == status
    assert (Tag.objects.get().pk, AuditEvent.objects.count()) == ("nightly", before)


def test_deleted_tag_takes_the_budget_along(client: Client, nightly: dict[str, Any]) -> None:
    assert "nightly" in post(client, "delete", {"name": "nightly"}).json()["message"]
    assert (Tag.objects.count(), Budget.objects.count()) == (0, 0)


def test_info_is_by_name_and_tells_what_calls_cost(client: Client) -> None:
    for name in ("nightly", "weekly"):
        post(client, "new", {"name": name})
    borne("weekly", 2 * 10**9)
    told = post(client, "info", {"names": ["nightly", "weekly"]}).json()
    assert {name: row["spend"] for name, row in told.items()} == {"nightly": 0, "weekly": 2}


def test_list_tells_also_tags_that_nobody_declared(client: Client, nightly: dict[str, Any]) -> None:
    for name in ("nightly", "seen", "other"):
        borne(name, 10**9)
    rows = listed(client, "?start_date=2026-01-01").json()
    assert [(row["name"], row["spend"]) for row in rows] == [("nightly", 0), ("seen", 1)]
    assert listed(client, "?start_date=2026-01-01")["x-tallygate-ignored-fields"] == "start_date"


def test_any_number_of_tags_costs_the_same_few_queries(client: Client) -> None:
    counts = []
    for more in (range(2), range(2, 10)):
        for number in more:
            post(client, "new", {"name": f"t{number}", "max_budget": 5})
        with CaptureQueriesContext(connection) as queries:
            assert len(listed(client).json()) == more.stop
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_every_change_is_audited(client: Client, nightly: dict[str, Any]) -> None:
    post(client, "update", {"name": "nightly", "description": "x"})
    post(client, "delete", {"name": "nightly"})
    events = AuditEvent.objects.filter(object_type="tag").order_by("pk")
    assert [(event.event, event.object_id, event.actor_kind) for event in events] == [
        ("tag.created", "nightly", "master-key"), ("tag.changed", "nightly", "master-key"), ("tag.deleted", "nightly", "master-key"),
    ]  # fmt: skip


def test_longest_name_is_audited(client: Client) -> None:
    assert post(client, "new", {"name": "x" * 200}).status_code == 200
    event = AuditEvent.objects.get()
    assert (len(event.object_id), event.object_name, event.after["name"]) == (200, "x" * 200, "x" * 200)


# ── who may ───────────────────────────────────────────────────────────────────
ADDRESSES: list[tuple[str, dict[str, Any]]] = [
    ("new", {"name": "forged"}), ("update", {"name": "nightly", "description": "x"}), ("delete", {"name": "nightly"}),
    ("info", {"names": ["nightly"]}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), ADDRESSES[:3])
def test_administrator_acts_with_a_key_of_their_own(client: Client, nightly: dict[str, Any], path: str, body: dict[str, Any]) -> None:
    root = make_admin()
    assert post(client, path, body, make_key(user=root)[1]).status_code == 200
    assert AuditEvent.objects.latest("pk").actor_id == root.pk


@pytest.mark.parametrize("role", ["viewer", "member", "finance"])
@pytest.mark.parametrize(("path", "body"), ADDRESSES)
def test_other_keys_and_sessions_see_and_change_nothing(
    client: Client, nightly: dict[str, Any], path: str, body: dict[str, Any], role: str
) -> None:
    client.force_login(make_admin())
    token = make_key(user=make_user("mallory", role))[1]
    before = AuditEvent.objects.count()
    assert [post(client, path, body, secret).status_code for secret in (token, "sk-wrong")] == [403, 401]
    assert [listed(client, token=secret).status_code for secret in (token, "sk-wrong")] == [403, 401]
    assert AuditEvent.objects.count() == before
