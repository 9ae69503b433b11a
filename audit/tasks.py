"""Periodic work on what happened. Tasks catch up with what is due, so a missed tick loses nothing."""

from celery import shared_task
from django.utils import timezone

from audit import outbox


@shared_task
def sweep_outbox() -> None:
    outbox.sweep(timezone.now())
