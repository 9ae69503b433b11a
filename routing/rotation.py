"""Sealing stored provider keys again, so that an old one of TALLYGATE_SECRET_KEYS can be retired while the gateway runs."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet

from audit.rows import change_row
from audit.trail import Actor
from routing.credentials import SEALED, SealBroken, is_newest, resealed
from routing.models import Credential


@dataclass(frozen=True, slots=True)
class Rotated:
    """Names of credentials. `closed` are those that no key opens."""

    sealed: tuple[str, ...]
    closed: tuple[str, ...]


def sealed_credentials() -> QuerySet[Credential]:
    return Credential.objects.filter(secret__startswith=SEALED)


def rotate_seals(*, actor: Actor, tell: Callable[[int], None] | None = None) -> Rotated:
    """Each credential by itself: one that fails, or a stop in the middle, leaves all of them readable. A second call does nothing."""
    sealed, closed = [], []
    for credential in sealed_credentials():
        if tell:
            tell(1)
        try:
            if is_newest(credential.secret):
                continue
            again = resealed(credential.secret, credential.pk)
        except SealBroken:
            closed.append(credential.name)
            continue
        change_row(credential, {"secret": again}, event="credential.changed", actor=actor)
        sealed.append(credential.name)
    return Rotated(tuple(sealed), tuple(closed))
