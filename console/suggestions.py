"""Names that a visitor's filters can find: all that are set up for those who see all traffic, else those of what they may see lately."""

from datetime import timedelta

from django.utils import timezone

from audit.models import RollUp
from console.access import traffic
from console.dimensions import people
from keys.access import Reach
from routing.models import Route

SUGGESTED = 100
LATELY = timedelta(days=30)


def suggestions(known: Reach) -> dict[str, list[str]]:
    lately = RollUp.objects.filter(traffic(known), starts_at__gte=timezone.now() - LATELY).exclude(route="")
    called = lately.order_by("route").values_list("route", flat=True).distinct()
    models = Route.objects.values_list("name", flat=True) if known.sees_money else called
    return {
        "model": list(models[:SUGGESTED]),
        "team": list(known.teams().values_list("name", flat=True)[:SUGGESTED]),
        "user": list(people(known)[:SUGGESTED]),
    }
