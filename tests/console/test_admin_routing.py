"""Strategy, retries and fallbacks in the admin: typed one name a line, told where they are wrong. Credentials are tested."""

import pytest
from django.test import Client

from audit.models import AuditEvent
from routing import actions
from routing.diagnosis import SENTENCES
from routing.models import Credential, Deployment, Origin, Route, RoutingPolicy
from tests.console.admin_pages import inline, page
from tests.factories import make_admin, make_credential, make_deployment, make_route

pytestmark = pytest.mark.django_db

POLICY = {
    "strategy": "least-busy",
    "retries": "1",
    "allowed_fails": "3",
    "cooldown_s": "5",
    "is_sticky": "on",
    "health_check_interval_s": "300",
    "default_fallbacks": "claude-haiku\r\n  claude-sonnet \r\n\r\n",
}


@pytest.fixture
def web() -> Client:
    client = Client()
    client.force_login(make_admin())
    return client


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


def test_policy_is_made_once_and_changed(web: Client) -> None:
    web.post(page(RoutingPolicy, "add"), POLICY)
    row = RoutingPolicy.objects.get()
    assert (row.strategy, row.default_fallbacks) == ("least-busy", ["claude-haiku", "claude-sonnet"])
    assert web.get(page(RoutingPolicy, "add")).status_code == 403
    web.post(page(RoutingPolicy, "change", str(row.pk)), POLICY | {"retries": "4"})
    row.refresh_from_db()
    assert row.retries == 4
    assert events()[-2:] == ["routing.changed", "routing.changed"]


def test_policy_saved_unchanged_records_nothing(web: Client) -> None:
    web.post(page(RoutingPolicy, "add"), POLICY)
    before = events()
    web.post(page(RoutingPolicy, "change", str(RoutingPolicy.objects.get().pk)), POLICY)
    assert events() == before


def test_policy_cannot_be_deleted_or_changed_where_the_file_says_it(web: Client) -> None:
    row = RoutingPolicy.objects.create(origin=Origin.FILE)
    assert web.post(page(RoutingPolicy, "delete", str(row.pk)), {"post": "yes"}).status_code == 403
    assert web.post(page(RoutingPolicy, "change", str(row.pk)), POLICY).status_code == 403


def test_route_is_given_its_fallbacks(web: Client) -> None:
    route = make_route("claude-sonnet", make_deployment())
    form = {"name": "claude-sonnet", "is_active": "on", "strategy": "cost-based-routing", "retries": "2", "fallbacks": "claude-haiku"}
    target = {"id": route.targets.get().pk, "route": route.pk, "deployment": route.targets.get().deployment_id, "order": "1", "weight": "1"}
    web.post(page(Route, "change", route.pk), form | inline("targets", target, initial=1))
    route.refresh_from_db()
    assert (route.strategy, route.retries, route.fallbacks) == ("cost-based-routing", 2, ["claude-haiku"])


@pytest.mark.parametrize("names", ["claude-sonnet", "a\na", "x" * 201])
def test_wrong_fallbacks_are_told_on_the_form(web: Client, names: str) -> None:
    form = {"name": "claude-sonnet", "is_active": "on", "fallbacks": names} | inline("targets")
    answer = web.post(page(Route, "add"), form)
    assert "fallbacks" in answer.context["adminform"].form.errors


def test_deployment_is_given_its_region_and_capacity(web: Client) -> None:
    timeouts = {"connect_timeout_s": "5", "first_byte_timeout_s": "600", "idle_timeout_s": "120"}
    form = {"name": "demo", "provider": "demo", "model": "demo-sonnet", "is_active": "on", **timeouts}
    web.post(page(Deployment, "add"), form | {"region": "eu-west-1", "rpm_limit": "60"})
    row = Deployment.objects.get()
    assert (row.region, row.rpm_limit, row.tpm_limit) == ("eu-west-1", 60, None)


# R145
def test_every_deployment_of_a_credential_is_tested(web: Client) -> None:
    row = make_credential()
    for model in ("demo-haiku-instant", "demo-error-403"):
        make_deployment(name=model, model=model, credential=row)
    make_deployment(name="other", model="demo-error-500")
    answer = web.post(page(Credential, "changelist"), {"action": "test_selected", "_selected_action": [row.pk]}, follow=True)
    html = answer.content.decode()
    assert "demo-haiku-instant: It answers. (" in html
    assert f"demo-error-403: {SENTENCES['credential_refused']} (status 403, " in html
    assert AuditEvent.objects.filter(event="deployment.tested").count() == 2


def test_credential_is_saved_and_its_deployments_are_tested(web: Client) -> None:
    row = make_credential()
    make_deployment(name="one", credential=row)
    form = {"name": "renamed", "provider": "anthropic", "new_secret": "", "routing_credential_save_and_test": "1"}
    assert "one: It answers. (" in web.post(page(Credential, "change", row.pk), form, follow=True).content.decode()


def test_credential_without_deployments_has_nothing_to_call(web: Client) -> None:
    row = make_credential()
    answer = web.post(page(Credential, "changelist"), {"action": "test_selected", "_selected_action": [row.pk]}, follow=True)
    assert "no deployment uses it" in answer.content.decode()


# R145
def test_tests_of_a_credential_are_limited_with_all_others(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "TESTS_PER_MINUTE", 1)
    row = make_credential()
    for name in ("one", "two"):
        make_deployment(name=name, credential=row)
    answer = web.post(page(Credential, "changelist"), {"action": "test_selected", "_selected_action": [row.pk]}, follow=True)
    html = answer.content.decode()
    assert "one: It answers." in html and "Too many connection tests" in html
    assert AuditEvent.objects.filter(event="deployment.tested").count() == 1
