"""`tallygate admin login-link`: the way in for whoever runs the machine."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from audit.trail import COMMAND_LINE
from keys.models import User
from keys.sso import LINK_LASTS, first_admin, login_link


class Command(BaseCommand):
    help = "Makes a link that signs an administrator in once, within 15 minutes. The first administrator is made when there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        link = verbs.add_parser("login-link", help="print a one-time sign-in link")
        link.add_argument("--user", default="", help="user name, e-mail or id; without it the first administrator")
        link.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        person = self._person(options["user"])
        link = login_link(person)
        if options["as_json"]:
            told = {"url": link, "user": person.username, "expires_in_s": int(LINK_LASTS.total_seconds())}
            self.stdout.write(json.dumps(told, indent=2))
        else:
            self.stdout.write(link)

    def _person(self, name: str) -> User:
        if not name:
            return first_admin(COMMAND_LINE)
        found = User.objects.filter(Q(username=name) | Q(email=name) | Q(pk=name)).first()
        if found is None:
            raise CommandError(f"There is no user {name!r}.")
        if not found.is_active or found.is_blocked:
            raise CommandError(f"{name} may not sign in: the account is blocked or inactive.")
        return found
