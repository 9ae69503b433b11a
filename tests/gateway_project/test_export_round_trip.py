"""Whatever rows there are: an exported file means the same on an empty installation, and these very rows where it came from."""

import random
from pathlib import Path

import pytest
from django.utils import timezone

from audit.trail import COMMAND_LINE, Actor
from billing.models import Budget, BudgetPlan, Price
from gateway_project.config_export import exported
from gateway_project.config_file import load_config
from gateway_project.file_rows import apply_config
from gateway_project.file_summary import Summary
from routing.actions import Target, create_credential, create_route
from routing.models import Credential, Deployment, Origin, Route, RouteTarget, RoutingPolicy
from tests.gateway_project.test_export_command import NAMES

pytestmark = pytest.mark.django_db

FILE = Actor("config-file", name="config.yaml")
PROVIDERS = {"anthropic": "claude-x", "openai": "gpt-x", "bedrock": "anthropic.claude-x", "groq": "llama-x"}
SECRETS = ("env:OUR_KEY", "file:/etc/keys/ours", "sk-sealed", "vault:secret/llm#key")


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES.split(), "GROQ_API_KEY", "GROQ_API_BASE"):
        monkeypatch.delenv(name, raising=False)


def make_rows(chance: random.Random) -> None:
    """Credentials, deployments and routes that share each other at random, with prices and a policy."""
    credentials = [a_credential(chance, number, provider) for number, provider in enumerate(PROVIDERS)]
    deployments = [a_deployment(chance, number, credentials[number % len(credentials)]) for number in range(6)]
    for number in range(5):
        some = chance.sample(deployments, chance.randint(1, 3))
        targets = [Target(deployment, chance.randint(1, 2), chance.randint(0, 4)) for deployment in some]
        fallbacks = chance.sample([f"route-{other}" for other in range(5) if other != number], 2)
        create_route(Route(name=f"route-{number}", fallbacks=fallbacks), targets, actor=COMMAND_LINE)
    for provider, model in chance.sample(sorted(PROVIDERS.items()), 2):
        pico = chance.randint(10_000, 90_000_000)
        Price.objects.create(provider=provider, model=model, starts_at=timezone.now(), input_pico=pico, output_pico=3 * pico + 1)
    RoutingPolicy.objects.create(retries=chance.randint(0, 4), has_health_checks=True, health_check_interval_s=chance.randint(10, 99))
    Credential.objects.filter(pk__in=[row.pk for row in chance.sample(credentials, 2)]).update(origin=Origin.PAGE)
    Route.objects.filter(pk__in=[row.pk for row in chance.sample(list(Route.objects.all()), 2)]).update(origin=Origin.FILE)
    # what leads nowhere is no file's
    Deployment.objects.filter(targets=None).update(origin=Origin.PAGE)
    Credential.objects.exclude(deployments__targets__isnull=False).update(origin=Origin.PAGE)


def a_credential(chance: random.Random, number: int, provider: str) -> Credential:
    draft = Credential(name=f"key {number}", provider=provider, origin=Origin.FILE)
    return create_credential(draft, chance.choice(SECRETS), actor=COMMAND_LINE)


def a_deployment(chance: random.Random, number: int, credential: Credential) -> Deployment:
    extra = {"id": f"our-id-{number}"} if chance.random() < 0.3 else {}
    return Deployment.objects.create(
        name=chance.choice([f"deployment {number}", f"route-{number} ({credential.provider}/{PROVIDERS[credential.provider]})"]),
        provider=credential.provider,
        model=PROVIDERS[credential.provider],
        credential=credential,
        region="eu-west-1" if credential.provider == "bedrock" else "",
        rpm_limit=chance.choice([None, 60]),
        tpm_limit=chance.choice([None, 9000]),
        idle_timeout_s=chance.choice([120.0, 9.5]),
        origin=chance.choice([Origin.PAGE, Origin.FILE]),
        **extra,
    )


def empty() -> None:
    for model in (RoutingPolicy, Route, Deployment, Credential, Price, Budget, BudgetPlan):
        model._default_manager.all().delete()


def apply(folder: Path, text: str) -> Summary:
    (folder / "config.yaml").write_text(text)
    return apply_config(load_config(folder / "config.yaml"), FILE)


def leading() -> list[tuple[str, str, str, int, int]]:
    columns = ("route__name", "deployment__name", "deployment__credential__name", "order", "weight")
    return sorted(RouteTarget.objects.values_list(*columns))


def data() -> dict[str, object]:
    return exported().data


@pytest.mark.parametrize("seed", range(12))
def test_exported_file_means_the_same_rows_everywhere(tmp_path: Path, seed: int) -> None:
    make_rows(random.Random(seed))  # noqa: S311  # no secret
    before, text, led = data(), exported().text(), leading()
    here = apply(tmp_path, text)
    assert (here.created, here.removed, here.left) == ((), (), ())
    assert (data(), leading()) == (before, led)
    assert apply(tmp_path, text) == Summary()
    empty()
    assert apply(tmp_path, text).left == ()
    assert (data(), leading()) == (before, led)


def test_budget_for_everyone_comes_back(tmp_path: Path) -> None:
    apply(tmp_path, "litellm_settings: {max_budget: 12.5, budget_duration: 30d}\n")
    before, text = data(), exported().text()
    assert before["litellm_settings"] == {"max_budget": 12.5, "budget_duration": "30d"}
    empty()
    apply(tmp_path, text)
    assert data() == before
