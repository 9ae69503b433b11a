"""`tallygate money`: does the money add up? And roll-ups made anew where they do not."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.day_rebuild import rebuild_days
from audit.models import RequestRecord, RollUp
from billing.ledger import prove
from billing.models import Window
from billing.rollup_rebuild import rebuild
from gateway_project.progress import progress


def moment(text: str) -> datetime:
    """A date, or a date and time; of UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no date. Write 2026-11-21, or 2026-11-21T15:30 for a time of that day.") from None


class Command(BaseCommand):
    help = "Proves that budget windows, shares, ledger, request records and roll-ups agree. Exit code 1 when they do not."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        check = verbs.add_parser("check", help="compare every window, call and quarter of an hour with the ledger")
        anew = verbs.add_parser("rebuild-rollups", help="make the sums of each quarter of an hour anew from records and ledger")
        anew.add_argument(
            "--from", dest="start", type=moment, metavar="DATE", help="where to begin: 2026-11-21 or 2026-11-21T15:30, in UTC"
        )
        anew.add_argument("--to", dest="end", type=moment, metavar="DATE", help="up to but without this moment; all there is when left out")
        anew.add_argument(
            "--days",
            action="store_true",
            dest="only_days",
            help="only the sums of days, out of those of quarters: after a change of time zone",
        )
        for one in (check, anew):
            one.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "check":
            self._check(as_json=options["as_json"])
        else:
            self._rebuild(options)

    def _check(self, *, as_json: bool) -> None:
        with progress("Comparing windows, calls and roll-ups"):
            findings = prove()
        windows, calls = Window.objects.count(), RequestRecord.objects.count()
        quarters = RollUp.objects.order_by().values("starts_at").distinct().count()
        if as_json:
            self.stdout.write(json.dumps({"windows": windows, "calls": calls, "quarters": quarters, "findings": findings}, indent=2))
        else:
            self.stdout.write("\n".join(findings) or f"{windows} windows, {calls} calls and {quarters} quarters of an hour add up.")
        if findings:
            sys.exit(1)

    def _rebuild(self, options: dict[str, Any]) -> None:
        start, end = options["start"], options["end"]
        if start and end and start >= end:
            raise CommandError("--from must lie before --to.", returncode=2)
        if options["only_days"]:
            with progress("Making days anew"):
                done = rebuild_days(settings.TIME_ZONE, start, end)
            self.stdout.write(json.dumps({"days": done}, indent=2) if options["as_json"] else f"{done} days were made anew.")
            return
        with progress("Making roll-ups anew") as step:
            done = rebuild(start, end, tell=step)
        self.stdout.write(json.dumps({"quarters": done}, indent=2) if options["as_json"] else f"{done} quarters of an hour were made anew.")
