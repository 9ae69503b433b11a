"""Who came in, when, how and from where, in the audit trail; and that people tried in vain, without whose name they tried."""

from datetime import timedelta
from hashlib import sha256

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from audit.trail import Actor, record_change
from keys.models import User

HOUR_S = 3600
# Whoever is not signed in must not be able to fill the trail: of the failures of an hour the first, the tenth, the hundredth … are told.
TOLD = frozenset(10**power for power in range(10))


@transaction.atomic
def record_sign_in(user: User, way: str, ip: str) -> None:
    """`way` is how: password, password and totp, the name of an identity provider …"""
    actor = Actor("user", id=user.pk, name=str(user)[:200], ip=ip)
    record_change("user.signed_in", user, actor=actor, after={"way": way})


def record_failure(way: str, ip: str) -> None:
    """One more of this hour, as far as the cache knows; `ip` is where the one that is told came from."""
    begins = timezone.now().replace(minute=0, second=0, microsecond=0)
    named = sha256(way.encode()).hexdigest()  # a key of the cache holds no spaces
    attempts = _counted(f"failed-sign-ins:{named}:{begins:%Y%m%d%H}")
    if attempts in TOLD:
        told = {"way": way, "failed": attempts, "from": begins.isoformat(), "to": (begins + timedelta(hours=1)).isoformat()}
        with transaction.atomic():
            record_change("user.sign_in_failed", User(pk=""), actor=Actor("system", name="Tallygate", ip=ip), after=told)


def _counted(key: str) -> int:
    try:
        return 1 if cache.add(key, 1, HOUR_S) else int(cache.incr(key))
    except ValueError:  # forgotten between the two
        return 1
