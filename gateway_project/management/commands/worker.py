"""`tallygate worker`: background work in a process of its own."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway_project.celery import IS_EMBEDDED, app

NO_BROKER = "no broker is set, so background work runs inside `tallygate serve`. Set REDIS_URL or TALLYGATE_BROKER_URL to run it apart"


class Command(BaseCommand):
    help = "Runs background tasks apart from serve. Needs REDIS_URL or TALLYGATE_BROKER_URL."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=4, help="tasks at a time (default 4)")

    def handle(self, **options: Any) -> None:
        if IS_EMBEDDED:
            raise CommandError(NO_BROKER)
        app.worker_main(["worker", "--pool=threads", f"--concurrency={options['concurrency']}", "--loglevel=WARNING"])
