"""LiteLLM's scripts against /budget/…: what they call a budget is a plan here."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.models import Budget, BudgetPlan
from billing.plans import take_plan
from tests.factories import make_team

pytestmark = pytest.mark.django_db
TRIAL: dict[str, Any] = {"budget_id": "trial", "max_budget": 10.5, "soft_budget": 8, "budget_duration": "30d", "rpm_limit": 60}
LITELLMS_FIELDS = """
    budget_id max_budget soft_budget max_parallel_requests tpm_limit rpm_limit model_max_budget budget_duration budget_reset_at created_at
    created_by updated_at updated_by
"""


def post(client: Client, path: str, body: object) -> Any:
    headers = {"x-api-key": settings.TALLYGATE_MASTER_KEY}
    return client.post(f"/budget/{path}", json.dumps(body), content_type="application/json", headers=headers)


def get(client: Client, path: str) -> Any:
    return client.get(f"/budget/{path}", headers={"x-api-key": settings.TALLYGATE_MASTER_KEY})


def test_new_budget_is_told_with_all_of_litellms_fields(client: Client) -> None:
    told = post(client, "new", TRIAL).json()
    assert set(LITELLMS_FIELDS.split()) <= set(told)
    assert {name: told[name] for name in TRIAL} == TRIAL
    assert (told["created_by"], told["budget_reset_at"][:2]) == ("master-key", "20")
    assert AuditEvent.objects.get().event == "plan.set"


def test_budget_without_an_id_gets_one(client: Client) -> None:
    told = post(client, "new", {"max_budget": 1}).json()
    assert BudgetPlan.objects.get().pk == told["budget_id"]
    assert (told["budget_duration"], told["budget_reset_at"]) == (None, None)


def test_second_budget_of_an_id_is_refused(client: Client) -> None:
    post(client, "new", TRIAL)
    assert post(client, "new", TRIAL).status_code == 400


def test_update_reaches_everybody_and_leaves_the_rest(client: Client) -> None:
    post(client, "new", TRIAL)
    take_plan(BudgetPlan.objects.get(), "team", make_team().pk, actor=SYSTEM)
    told = post(client, "update", {"budget_id": "trial", "max_budget": 20, "rpm_limit": None}).json()
    assert (told["max_budget"], told["soft_budget"], told["rpm_limit"]) == (20, 8, None)
    assert Budget.objects.get(mode="hard").amount_nano == 20 * 10**9


def test_fields_that_are_kept_only_are_named(client: Client) -> None:
    answer = post(client, "new", TRIAL | {"model_max_budget": {"x": {"budget_limit": 1}}})
    assert answer["x-tallygate-ignored-fields"] == "model_max_budget"
    assert answer.json()["model_max_budget"] == {"x": {"budget_limit": 1}}


def test_budgets_are_read_one_by_one_and_together(client: Client) -> None:
    for name in ("a", "b", "c"):
        post(client, "new", TRIAL | {"budget_id": name})
    assert [row["budget_id"] for row in get(client, "list").json()] == ["a", "b", "c"]
    assert [row["budget_id"] for row in post(client, "info", {"budgets": ["b", "nobody"]}).json()] == ["b"]


def test_settings_name_each_field_with_its_value(client: Client) -> None:
    post(client, "new", TRIAL)
    told = {row["field_name"]: row["field_value"] for row in get(client, "settings?budget_id=trial").json()}
    assert (told["max_budget"], told["budget_duration"], told["tpm_limit"]) == (10.5, "30d", None)


def test_deleted_budget_lets_nobody_go_without_a_limit(client: Client) -> None:
    post(client, "new", TRIAL)
    take_plan(BudgetPlan.objects.get(), "team", make_team().pk, actor=SYSTEM)
    assert post(client, "delete", {"id": "trial"}).json()["budget_id"] == "trial"
    assert (BudgetPlan.objects.count(), Budget.objects.count()) == (0, 2)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("new", {"max_budget": -1}, 422),
        ("new", {"budget_id": "x" * 65}, 422),
        ("new", {"max_budget": 1, "budget_duration": "1M"}, 400),
        ("update", {"max_budget": 1}, 400),
        ("update", {"budget_id": "nobody"}, 400),
        ("info", {"budgets": []}, 400),
        ("delete", {"id": "nobody"}, 400),
    ],
)
def test_wrong_body_is_refused(client: Client, path: str, body: dict[str, Any], status: int) -> None:
    assert post(client, path, body).status_code == status
    assert not BudgetPlan.objects.exists()
