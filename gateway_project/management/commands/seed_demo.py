"""`tallygate seed-demo`: two organisations with sixty days of traffic to look at."""

import secrets
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.money import money
from gateway_project.bootstrap import migrate
from gateway_project.demo_seed.cast import PEOPLE, Person, full_name
from gateway_project.demo_seed.seeding import Seeded, first_key, is_in_use, is_seeded, seed_demo
from gateway_project.demo_seed.traffic import DAYS
from gateway_project.locks import bootstrap_lock

# One of each role, with what they may do.
SHOWN = {
    "demo-marta": "administrator: everything",
    "demo-ingrid": "finance: all money, changes nothing",
    "demo-jonas": "manager of Platform and Search & Pricing",
    "demo-priya": "member of Platform",
    "demo-tomas": "viewer at Nordwind",
    "demo-sato": "manager of 開発部 and サポート部",
}


class Command(BaseCommand):
    help = "Fills an empty installation with two organisations, their people, keys, budgets and sixty days of calls. See docs/demo.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="another number gives other traffic (default 1)")
        parser.add_argument("--days", type=int, default=DAYS, choices=range(1, DAYS + 1), metavar="N", help=f"of traffic (default {DAYS})")
        parser.add_argument("--password", default="", help="the password of all its people (default: a new one, printed once)")
        parser.add_argument("--force", action="store_true", help="add the demo although keys or calls are here already")

    def handle(self, *args: Any, **options: Any) -> None:
        with bootstrap_lock(settings.TALLYGATE_HOME):
            migrate()
        if is_seeded():
            self.stdout.write("The demo is here already; nothing was changed.")
            return
        if is_in_use() and not options["force"]:
            raise CommandError(
                "somebody's own keys, teams or calls are here, and the demo would stand among them. "
                "Give it its own TALLYGATE_HOME or database, or say --force"
            )
        self.stdout.write(f"Making {options['days']} days of traffic; this takes some seconds.")
        self.stdout.flush()
        started = time.monotonic()
        seeded = seed_demo(timezone.now(), options["seed"], options["password"] or secrets.token_urlsafe(9), options["days"])
        self.stdout.write(told(seeded, time.monotonic() - started))


def told(seeded: Seeded, took_s: float) -> str:
    people = {person.id: person for person in PEOPLE}
    lines = [
        f"{seeded.calls:,} calls, {money(seeded.spent_nano)} in {took_s:.0f} s.",
        "",
        f"  Password of everybody  {seeded.password}",
        *(f"  {_sign_in(people[name]):<23}{full_name(people[name])}, {what}" for name, what in SHOWN.items()),
        "",
        f"  Key {first_key()}  {seeded.token}",
        "",
    ]
    return "\n".join(lines)


def _sign_in(person: Person) -> str:
    return person.email.partition("@")[0]
