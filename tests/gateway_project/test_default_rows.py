"""What a first start makes of the keys that it finds in the environment."""

import pytest
from django.conf import settings

from audit.models import AuditEvent
from gateway_project.default_rows import PROVIDERS, make_defaults
from routing.models import Credential, Deployment, Route

pytestmark = pytest.mark.django_db(databases=list(settings.DATABASES))

AWS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}
GOOGLE = {"GOOGLE_APPLICATION_CREDENTIALS": "/keys/sa.json", "CLOUD_ML_REGION": "global", "GOOGLE_CLOUD_PROJECT": "p"}


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in PROVIDERS:
        for name in (*found.names, *found.regions, *found.projects):
            monkeypatch.delenv(name, raising=False)


def started_with(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    make_defaults(has_file_deployments=False)


@pytest.mark.parametrize(("environment", "provider", "routes", "secret"), [
    ({"OPENAI_API_KEY": "sk-x"}, "openai", {"gpt-*", "openai/*"}, "env:OPENAI_API_KEY"),
    ({"GEMINI_API_KEY": "x"}, "gemini", {"gemini-*", "gemini/*"}, "env:GEMINI_API_KEY"),
    ({"AWS_BEARER_TOKEN_BEDROCK": "x", "AWS_REGION": "us-east-1"}, "bedrock", {"bedrock/*"}, "env:AWS_BEARER_TOKEN_BEDROCK"),
])  # fmt: skip
def test_key_in_the_environment_makes_routes(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], provider: str, routes: set[str], secret: str
) -> None:
    started_with(monkeypatch, environment)
    deployment = Deployment.objects.get(provider=provider)
    assert deployment.model == "*"
    assert {route.name for route in deployment.routes.all()} == routes
    assert Credential.objects.get().secret == secret


@pytest.mark.parametrize(
    ("environment", "provider", "place"), [(AWS, "bedrock", ("eu-west-1", "")), (GOOGLE, "vertex_ai", ("global", "p"))]
)
def test_clouds_own_chain_makes_routes_without_a_credential(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], provider: str, place: tuple[str, str]
) -> None:
    started_with(monkeypatch, environment)
    deployment = Deployment.objects.get(provider=provider)
    assert (deployment.region, deployment.project) == place
    assert deployment.credential is None
    assert Route.objects.get(name=f"{provider}/*").targets.get().deployment == deployment


@pytest.mark.parametrize("environment", [AWS, GOOGLE])
def test_half_of_what_a_cloud_needs_makes_nothing(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    started_with(monkeypatch, dict(list(environment.items())[:-1]))
    assert {row.provider for row in Deployment.objects.all()} == {"demo"}


def test_second_start_makes_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    started_with(monkeypatch, {**AWS, "AWS_BEARER_TOKEN_BEDROCK": "x", "OPENAI_API_KEY": "sk-x"})
    before = AuditEvent.objects.count()
    make_defaults(has_file_deployments=False)
    assert AuditEvent.objects.count() == before
    assert Deployment.objects.filter(provider="bedrock").count() == 1


def test_claude_is_still_answered_by_the_demo_beside_other_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    started_with(monkeypatch, {"OPENAI_API_KEY": "sk-x"})
    assert Route.objects.get(name="claude-*").targets.get().deployment.provider == "demo"
