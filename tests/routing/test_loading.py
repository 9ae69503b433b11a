"""Rows → what the data plane knows of routes: every column, the policy's defaults, keys and Accesses."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from keys.snapshot import Limit
from routing import loading
from routing.loading import load_routes
from routing.models import Credential, Deployment, Origin, Route, RoutingPolicy
from routing.policy import Policy
from routing.providers.base import Access, NotServed, UpstreamRequest
from routing.providers.registry import PROVIDERS
from routing.renewal import Renewal
from routing.secret_sources import SecretSources
from routing.snapshot import DeploymentSnapshot, RouteSnapshot
from tests.factories import PROVIDER_KEY, make_credential, make_deployment, make_route

pytestmark = pytest.mark.django_db


def loaded(name: str = "claude-sonnet", renewal: Renewal | None = None) -> RouteSnapshot:
    route = load_routes(renewal).find(name)
    assert route is not None
    return route


def deployment(renewal: Renewal | None = None) -> DeploymentSnapshot:
    return loaded(renewal=renewal).targets[0].deployment


def put(secret: str, origin: str = Origin.PAGE) -> Credential:
    """A deployment at Anthropic whose credential holds this."""
    credential = make_credential()
    Credential.objects.filter(pk=credential.pk).update(secret=secret, origin=origin)
    make_route("claude-sonnet", make_deployment(provider="anthropic", model="claude-sonnet-4-5", credential=credential))
    return credential


def test_limits_of_a_route_are_loaded() -> None:
    route = make_route("claude-*", make_deployment())
    Route.objects.filter(id=route.id).update(rpm_limit=9, parallel_limit=0)
    assert loaded("claude-opus").limits == Limit.of("model", "claude-*", {"rpm": 9, "tpm": None, "parallel": 0})


def test_route_without_limits_has_none() -> None:
    make_route("claude-sonnet", make_deployment())
    assert loaded().limits == ()


def test_every_column_of_a_deployment_is_loaded() -> None:
    values: dict[str, Any] = {"region": "eu-west-1", "project": "p", "api": "v1", "api_version": "2024-10-21", "base_model": "claude-x"}
    row = make_deployment(**values, origin=Origin.FILE, connect_timeout_s=1, first_byte_timeout_s=2, idle_timeout_s=3)
    Deployment.objects.filter(pk=row.pk).update(rpm_limit=7, tpm_limit=8)
    make_route("claude-sonnet", row)
    assert deployment() == DeploymentSnapshot(
        row.pk, "sonnet", "demo", "demo-sonnet", **values, rpm=7, tpm=8, is_operators=True,
        connect_timeout_s=1, first_byte_timeout_s=2, idle_timeout_s=3,
    )  # fmt: skip


def test_route_that_says_nothing_has_the_policys_defaults() -> None:
    make_route("claude-sonnet", make_deployment())
    assert (loaded().strategy, loaded().retries, loaded().fallbacks) == ("simple-shuffle", 2, ())
    RoutingPolicy.objects.create(strategy="least-busy", retries=5, default_fallbacks=["other"], cooldown_s=9, allowed_fails=1)
    assert (loaded().strategy, loaded().retries, loaded().fallbacks) == ("least-busy", 5, ())
    assert load_routes().policy == Policy(allowed_fails=1, cooldown_s=9, default_fallbacks=("other",))


def test_route_that_says_something_has_its_own_way() -> None:
    RoutingPolicy.objects.create(strategy="least-busy", retries=5)
    route = make_route("claude-sonnet", make_deployment())
    said = {"strategy": "cost-based-routing", "retries": 0, "fallbacks": ["a", "b"]}
    Route.objects.filter(pk=route.pk).update(**said, context_window_fallbacks=["long"], content_policy_fallbacks=["mild"])
    found = loaded()
    assert (found.strategy, found.retries, found.fallbacks) == ("cost-based-routing", 0, ("a", "b"))
    assert (found.context_window_fallbacks, found.content_policy_fallbacks) == (("long",), ("mild",))


def test_key_is_loaded_and_in_no_repr() -> None:
    credential = make_credential()
    make_route("claude-sonnet", make_deployment(provider="anthropic", model="x", credential=credential))
    found = deployment()
    assert (found.secret, found.credential_id, found.problem) == (PROVIDER_KEY, credential.pk, "")
    assert PROVIDER_KEY not in repr(found)


@pytest.mark.parametrize(("secret", "problem"), [("env:NO_SUCH_API_KEY", "NO_SUCH_API_KEY"), ("", "holds no key"), ("fernet:x", "sealed")])
def test_key_that_cannot_be_had_is_the_deployments_problem(secret: str, problem: str) -> None:
    put(secret)
    assert problem in deployment().problem
    assert deployment().secret == ""


class Token:
    """An Access that counts its renewals."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        self.renewed = 0

    def sign(self, request: UpstreamRequest) -> None:
        """Not asked for here."""

    def renew(self) -> None:
        self.renewed += 1


def open_token(fields: Mapping[str, str], deployment: DeploymentSnapshot) -> Access:
    if "refuse" in fields.values():
        raise NotServed("these fields make no access")
    return Token(fields)


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anthropic as a provider that wants more than a key."""
    monkeypatch.setattr(loading, "PROVIDERS", {"anthropic": replace(PROVIDERS["anthropic"], open=open_token)})


def test_access_is_opened_with_the_fields_and_outlives_reloads(opening: None) -> None:
    put("env:A_API_KEY")
    renewal = Renewal(SecretSources({"A_API_KEY": '{"client_secret": "s"}'}))
    first, second = deployment(renewal), deployment(renewal)
    assert first.access is second.access
    assert isinstance(first.access, Token)
    assert (first.access.fields, first.access.renewed, first.secret) == ({"client_secret": "s"}, 1, "")


def test_deployment_without_a_credential_gets_the_default_chain(opening: None) -> None:
    make_route("claude-sonnet", make_deployment(provider="anthropic", model="x"))
    access = deployment().access
    assert isinstance(access, Token)
    assert access.fields == {}


def test_fields_that_make_no_access_are_the_deployments_problem(opening: None) -> None:
    put("env:A_API_KEY")
    found = deployment(Renewal(SecretSources({"A_API_KEY": "refuse"})))
    assert (found.problem, found.access) == ("these fields make no access", None)


def test_credential_of_several_deployments_is_read_once() -> None:
    read: list[str] = []

    class Counting(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            read.append(key)
            return super().get(key, default)

    credential = put("env:A_API_KEY")
    make_route("other", make_deployment("other", provider="anthropic", model="y", credential=credential))
    assert deployment(Renewal(SecretSources(Counting(A_API_KEY="k")))).secret == "k"
    assert read == ["A_API_KEY"]
