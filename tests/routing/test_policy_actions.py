"""What people change about trying again and elsewhere: refused where it makes no sense, and on the trail."""

from typing import Any

import pytest

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from routing import actions
from routing.models import Route, RoutingPolicy
from tests.factories import make_deployment, make_route

pytestmark = pytest.mark.django_db

WRONG_LISTS: list[Any] = ["claude-haiku", [1], [""], ["x" * 201], ["a", "a"], [str(number) for number in range(21)], {"a": 1}, None]


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-id")[0]


def test_policy_is_made_changed_and_recorded() -> None:
    policy = actions.create_policy(RoutingPolicy(strategy="least-busy"), actor=SYSTEM)
    actions.change_policy(policy, {"allowed_fails": 7, "default_fallbacks": ["claude-haiku"]}, actor=SYSTEM)
    assert (last_event().event, last_event().after) == ("routing.changed", {"allowed_fails": 7, "default_fallbacks": ["claude-haiku"]})
    assert RoutingPolicy.objects.get().strategy == "least-busy"


def test_there_is_one_policy() -> None:
    actions.create_policy(RoutingPolicy(), actor=SYSTEM)
    with pytest.raises(ChangeRefused):
        actions.create_policy(RoutingPolicy(), actor=SYSTEM)


@pytest.mark.parametrize("names", WRONG_LISTS)
def test_wrong_lists_are_refused(names: Any) -> None:
    route = make_route("claude-sonnet", make_deployment())
    with pytest.raises(ChangeRefused):
        actions.change_route(route, {"fallbacks": names}, actor=SYSTEM)
    with pytest.raises(ChangeRefused):
        actions.create_policy(RoutingPolicy(default_fallbacks=names), actor=SYSTEM)
    with pytest.raises(ChangeRefused):
        actions.create_route(Route(name="other", context_window_fallbacks=names), actor=SYSTEM)


@pytest.mark.parametrize("field", actions.FALLBACK_FIELDS)
def test_route_does_not_fall_back_to_itself(field: str) -> None:
    route = make_route("claude-sonnet", make_deployment())
    with pytest.raises(ChangeRefused):
        actions.change_route(route, {field: ["claude-sonnet"]}, actor=SYSTEM)


def test_route_keeps_its_way_of_choosing_and_its_lists() -> None:
    route = make_route("claude-sonnet", make_deployment())
    changes = {"strategy": "cost-based-routing", "retries": 4, "context_window_fallbacks": ["claude-long"]}
    actions.change_route(route, changes, actor=SYSTEM)
    assert last_event().after == changes


@pytest.mark.parametrize("changes", [{"strategy": "by-the-moon"}, {"cooldown_s": -1}, {"health_check_interval_s": 1}, {"origin": "file"}])
def test_policy_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    policy = actions.create_policy(RoutingPolicy(), actor=SYSTEM)
    with pytest.raises(ChangeRefused):
        actions.change_policy(policy, changes, actor=SYSTEM)


def test_deployment_keeps_its_place_and_capacity() -> None:
    row = make_deployment()
    changes = {"region": "eu-west-1", "rpm_limit": 60, "tpm_limit": 100_000, "base_model": "claude-sonnet-4-5"}
    actions.change_deployment(row, changes, actor=SYSTEM)
    assert last_event().after == changes
