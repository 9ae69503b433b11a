"""GET /health as LiteLLM's scripts know it."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.models import Instance
from routing.diagnosis import SENTENCES
from routing.models import Deployment

pytestmark = pytest.mark.django_db
MASTER = {"Authorization": "Bearer sk-master-for-tests"}


def test_every_deployment_is_called_once(client: Client) -> None:
    Deployment.objects.create(name="works", provider="demo", model="demo-haiku-instant")
    Deployment.objects.create(name="broken", provider="demo", model="demo-error-529-instant")
    answer = client.get("/health", headers=MASTER).json()
    assert (answer["healthy_count"], answer["unhealthy_count"]) == (1, 1)
    assert answer["healthy_endpoints"][0]["model"] == "demo/demo-haiku-instant"
    broken = answer["unhealthy_endpoints"][0]
    assert (broken["error"], broken["message"], broken["status"]) == ("overloaded", SENTENCES["overloaded"], 529)


def test_health_needs_the_master_key(client: Client) -> None:
    assert client.get("/health").status_code == 401


def test_one_model_can_be_asked_for(client: Client) -> None:
    Deployment.objects.create(name="works", provider="demo", model="demo-haiku-instant")
    assert client.get("/health?model=nothing", headers=MASTER).json()["healthy_count"] == 0


@pytest.mark.parametrize(("processes", "redis", "noted"), [(1, "", 0), (2, "", 1), (2, "redis://127.0.0.1", 0)])
def test_processes_that_cannot_share_rates_are_noted(client: Client, settings: Settings, processes: int, redis: str, noted: int) -> None:
    settings.REDIS_URL, now = redis, timezone.now()
    Instance.objects.bulk_create(Instance(id=f"instance-{number}", started_at=now, beat_at=now) for number in range(processes))
    assert len(client.get("/health", headers=MASTER).json()["notes"]) == noted
