from dataclasses import asdict

import pytest

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from routing import actions
from routing.credentials import resolve
from routing.models import Credential, Deployment, Origin
from routing.probe import Outcome
from tests.factories import PROVIDER_KEY, make_credential, make_deployment, make_route

pytestmark = pytest.mark.django_db


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-id")[0]


def test_credential_is_stored_sealed_and_told_as_set() -> None:
    credential = make_credential()
    assert PROVIDER_KEY not in str(Credential.objects.values().get())
    assert resolve(Credential.objects.get()) == PROVIDER_KEY
    assert last_event().after["secret"] == "set"
    assert credential.origin == Origin.PAGE


def test_changed_secret_is_told_without_itself() -> None:
    credential = make_credential()
    actions.change_credential(credential, {"secret": "sk-ant-new-canary"}, actor=SYSTEM)
    assert (last_event().event, last_event().after) == ("credential.changed", {"secret": "changed"})
    assert resolve(Credential.objects.get()) == "sk-ant-new-canary"


@pytest.mark.parametrize("secret", ["env:TALLYGATE_MASTER_KEY", "env:PATH", "env:"])
def test_reference_to_a_closed_name_is_refused(secret: str) -> None:
    with pytest.raises(ChangeRefused):
        make_credential(secret=secret)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://169.254.169.254/", "https://u:p@example.com"])
def test_deployment_made_here_cannot_lead_inside(url: str) -> None:
    with pytest.raises(ChangeRefused):
        make_deployment(base_url=url)


def test_change_cannot_lead_inside_either() -> None:
    deployment = make_deployment()
    with pytest.raises(ChangeRefused):
        actions.change_deployment(deployment, {"base_url": "http://10.0.0.1"}, actor=SYSTEM)


@pytest.mark.parametrize("model", ["../secrets", "a?b", "a#b", "a b", "a/../b", "@evil", "a//b", ""])
def test_model_id_cannot_bend_the_address(model: str) -> None:
    with pytest.raises(ChangeRefused):
        make_deployment(model=model)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "anthropic.claude-sonnet-4-5-v1:0", "claude@20250929", "org/model-7b", "*"])
def test_ordinary_model_ids_pass(model: str) -> None:
    assert make_deployment(model=model).model == model


def test_origin_cannot_be_changed() -> None:
    with pytest.raises(ChangeRefused, match="origin"):
        actions.change_deployment(make_deployment(), {"origin": "file"}, actor=SYSTEM)


def test_credential_in_use_cannot_be_deleted() -> None:
    credential = make_credential()
    make_deployment(credential=credential)
    with pytest.raises(ChangeRefused, match="1 deployments still belong"):
        actions.delete_credential(credential, actor=SYSTEM)


def test_deployment_in_a_route_cannot_be_deleted() -> None:
    deployment = make_deployment()
    make_route("claude-sonnet", deployment)
    with pytest.raises(ChangeRefused):
        actions.delete_deployment(deployment, actor=SYSTEM)


def test_route_tells_its_targets_before_and_after() -> None:
    first, second = make_deployment("one"), make_deployment("two")
    route = make_route("claude-sonnet", first)
    actions.set_targets(route, [actions.Target(second, order=1, weight=3)], actor=SYSTEM)
    assert [row["deployment"] for row in last_event().before["targets"]] == ["one"]
    assert [(row["deployment"], row["weight"]) for row in last_event().after["targets"]] == [("two", 3)]


def test_same_targets_again_record_nothing() -> None:
    deployment = make_deployment()
    route = make_route("claude-sonnet", deployment)
    before = AuditEvent.objects.count()
    actions.set_targets(route, [actions.Target(deployment)], actor=SYSTEM)
    assert AuditEvent.objects.count() == before


def test_route_names_a_deployment_once() -> None:
    deployment = make_deployment()
    with pytest.raises(ChangeRefused):
        make_route("claude-sonnet", deployment, deployment)


def test_deleted_route_frees_its_deployments() -> None:
    deployment = make_deployment()
    actions.delete_route(make_route("claude-sonnet", deployment), actor=SYSTEM)
    actions.delete_deployment(deployment, actor=SYSTEM)
    assert not Deployment.objects.exists()


def test_connection_test_is_audited() -> None:
    outcome = actions.test_deployment(make_deployment(), actor=SYSTEM)
    assert outcome.ok
    assert (last_event().event, last_event().after) == ("deployment.tested", asdict(outcome))


def test_connection_tests_are_limited() -> None:
    deployment, outcome = make_deployment(), Outcome(True, 200, "", 1)
    for _ in range(actions.TESTS_PER_MINUTE):
        actions.test_deployment(deployment, actor=SYSTEM, send=lambda one: outcome)
    with pytest.raises(ChangeRefused, match="Too many"):
        actions.test_deployment(deployment, actor=SYSTEM, send=lambda one: outcome)
