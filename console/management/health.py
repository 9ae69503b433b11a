"""GET /health: one tiny call to every deployment, in LiteLLM's shape, and notes of ours. Liveness and readiness are the data plane's."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from django.http import HttpRequest
from ninja import Router

from billing.models import Instance
from console.management.askers import any_administrator
from routing.models import Deployment
from routing.probe import probe

router = Router(tags=["health"], auth=any_administrator)

# Every probe is a real call: a list that long is looked at in parts.
MAX_PROBES = 50
# A process that lives beats each second.
ALIVE_S = 10


@router.get("/health", summary="Calls every deployment once")
def health(request: HttpRequest, model: str = "") -> dict[str, Any]:
    rows = Deployment.objects.filter(is_active=True).exclude(model="*").select_related("credential")
    if model:
        rows = rows.filter(routes__name=model)
    healthy, unhealthy = [], []
    for deployment in rows[:MAX_PROBES]:
        outcome = probe(deployment)
        entry = {"model": f"{deployment.provider}/{deployment.model}", "model_id": deployment.id, "ms": outcome.ms}
        if outcome.ok:
            healthy.append(entry)
        else:
            unhealthy.append({**entry, "error": outcome.error, "message": outcome.sentence, "status": outcome.status})
    return {
        "healthy_endpoints": healthy,
        "unhealthy_endpoints": unhealthy,
        "healthy_count": len(healthy),
        "unhealthy_count": len(unhealthy),
        "notes": notes(),
    }


def notes() -> list[str]:
    """What works with less than it could, and whoever runs this should know."""
    if settings.REDIS_URL:
        return []
    alive = Instance.objects.filter(lost_at=None, beat_at__gte=Now() - timedelta(seconds=ALIVE_S)).count()
    if alive < 2:
        return []
    return [f"{alive} processes share this database without REDIS_URL: each holds rate limits by itself. Budgets are exact all the same."]
