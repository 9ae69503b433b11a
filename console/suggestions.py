"""Names that a visitor's filters can find: all that are set up for those who see all traffic, else those of what they may see lately."""

from django.utils import timezone

from console.access import traffic
from console.dimensions import people
from console.figures import Source
from console.period import period
from keys.access import Reach
from routing.models import Route

SUGGESTED = 100
LATELY = "30d"


def suggestions(known: Reach) -> dict[str, list[str]]:
    models = Route.objects.values_list("name", flat=True)[:SUGGESTED] if known.sees_money else _called(known)[:SUGGESTED]
    return {
        "model": list(models),
        "team": list(known.teams().values_list("name", flat=True)[:SUGGESTED]),
        "user": list(people(known)[:SUGGESTED]),
    }


def _called(known: Reach) -> list[str]:
    zone = timezone.get_current_timezone()
    lately = period(LATELY, timezone.now(), zone)
    return sorted(str(route) for (route,), _ in Source(traffic(known), zone).sums((lately.start, lately.end), "route") if route)
