"""`tallygate beat`: the clock of background work in a process of its own. Run exactly one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway_project.celery import IS_EMBEDDED, app
from gateway_project.management.commands.worker import NO_BROKER


class Command(BaseCommand):
    help = "Sends due tasks to the broker. Run exactly one. Needs REDIS_URL or TALLYGATE_BROKER_URL."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        if IS_EMBEDDED:
            raise CommandError(NO_BROKER)
        app.Beat(scheduler_cls="celery.beat:Scheduler", loglevel="WARNING").run()
