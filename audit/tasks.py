"""Periodic work on what happened. Tasks catch up with what is due, so a missed tick loses nothing."""

import logging

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from audit import outbox
from audit.chain import check_chain, last_check
from audit.day_rebuild import rebuild_days
from audit.rolled import kept_zones
from audit.trail import SYSTEM

logger = logging.getLogger(__name__)


@shared_task
def sweep_outbox() -> None:
    outbox.sweep(timezone.now())


@shared_task
def check_trail() -> None:
    """What came since the last check; a day in which nothing happened leaves no event of it."""
    known = last_check()
    if known is not None and known.is_whole and not known.newer:
        return
    found = check_chain(SYSTEM)
    if found is not None and not found.is_whole:
        logger.error("The audit trail does not hold: event %d, or one before it, was changed or removed in the database", found.broken)


@shared_task
def keep_days() -> None:
    """After a change of the time zone: until then pages read quarters of an hour."""
    if settings.TIME_ZONE not in kept_zones():
        rebuild_days(settings.TIME_ZONE)
