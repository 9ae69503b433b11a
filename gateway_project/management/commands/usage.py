"""`tallygate usage`: calls, tokens and money by key, team, user, model, provider or day."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway_project.management.commands.money import moment
from gateway_project.spent import COLUMNS, as_json, span, spend_table, spent, total
from gateway_project.tables import show

DAYS = 30
FORM = "%Y-%m-%d %H:%M"
NO_CALLS = "No calls yet. `keys create --name …` makes a key, `connect claude-code` shows how to use it."


class Command(BaseCommand):
    help = "Shows what was used and spent. Token counts are free and not in it; calls under way come in when they end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", choices=list(COLUMNS), default="model", metavar="WHAT", help=f"{', '.join(COLUMNS)}; without it model")
        told = f"2026-11-21 or 2026-11-21T15:30, in UTC; without it the last {DAYS} days"
        parser.add_argument("--from", dest="start", type=moment, metavar="DATE", help=told)
        parser.add_argument("--to", dest="end", type=moment, metavar="DATE", help="up to but without this moment; without it until now")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        end = (options["end"] or timezone.now()).astimezone(UTC)
        midnight = (end - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
        start = (options["start"] or midnight).astimezone(UTC)
        if start >= end:
            raise CommandError("--from must lie before --to.", returncode=2)
        rows = spent(options["by"], start, end)
        if options["as_json"]:
            found = [{"id": row.id, "name": row.name, **as_json(row.sums)} for row in rows]
            told = {"by": options["by"], "from": start.isoformat(), "to": end.isoformat(), "rows": found, "total": as_json(total(rows))}
            self.stdout.write(json.dumps(told, indent=2))
        elif rows:
            self.stdout.write(f"{start:{FORM}} to {end:{FORM}} UTC\n\n")
            show(self.stdout, spend_table(options["by"], rows), options)
        else:
            self.stdout.write(_nothing(start, end))


def _nothing(start: datetime, end: datetime) -> str:
    known = span()
    if known is None:
        return NO_CALLS
    first, last = known
    told = f"No calls from {start:{FORM}} to {end:{FORM}} UTC, but some from {first:{FORM}} to {last:{FORM}}."
    return f"{told} `usage --from {first:%Y-%m-%d}` shows them."
