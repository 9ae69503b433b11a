"""Rows → limits of a route, which all of its callers share."""

import pytest

from keys.snapshot import Limit
from routing.loading import load_routes
from routing.models import Route
from tests.factories import make_deployment, make_route


@pytest.mark.django_db
def test_limits_of_a_route_are_loaded() -> None:
    route = make_route("claude-*", make_deployment())
    Route.objects.filter(id=route.id).update(rpm_limit=9, parallel_limit=0)
    loaded = load_routes().find("claude-opus")
    assert loaded is not None
    assert loaded.limits == Limit.of("model", "claude-*", {"rpm": 9, "tpm": None, "parallel": 0})


@pytest.mark.django_db
def test_route_without_limits_has_none() -> None:
    make_route("claude-sonnet", make_deployment())
    loaded = load_routes().find("claude-sonnet")
    assert loaded is not None
    assert loaded.limits == ()
