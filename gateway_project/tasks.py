"""Periodic work of the site itself. Tasks catch up with what is due, so a missed tick loses nothing."""

from celery import shared_task
from django.core.management import call_command


@shared_task
def clear_sessions() -> None:
    call_command("clearsessions", verbosity=0)
