"""`tallygate import litellm`: keys, teams, people, budgets and models of a LiteLLM installation."""

import json
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway_project.litellm_import.moving import move_in
from gateway_project.litellm_import.report import Report
from gateway_project.tables import show

WORDS = "Give `--database-url postgresql://…` of LiteLLM's database, or its config.yaml, or both."


class Command(BaseCommand):
    help = "Moves in from LiteLLM. Everybody's keys go on working. Run it again at any time: what is here already is left as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", choices=["litellm"], help="what to move in from")
        parser.add_argument("file", nargs="?", type=Path, metavar="CONFIG.yaml", help="its file; the same as `apply -f CONFIG.yaml`")
        parser.add_argument("--database-url", default="", metavar="URL", help="its PostgreSQL, which is only read")
        parser.add_argument("--dry-run", action="store_true", help="show what would be made and change nothing")
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="print JSON, with every row that is left or cannot be taken"
        )

    def handle(self, **options: Any) -> None:
        url, path, is_dry = options["database_url"], options["file"], options["dry_run"]
        if not url and not path:
            raise CommandError(WORDS, returncode=2)
        if path:
            flags = [flag for flag, is_given in (("--dry-run", is_dry), ("--json", options["as_json"] and not url)) if is_given]
            call_command("apply", "--file", str(path), *flags, stdout=self._beside(url), stderr=self.stderr)
        if url:
            self._tell(move_in(url, timezone.now(), is_dry=is_dry), is_dry=is_dry, options=options)

    def _beside(self, url: str) -> Any:
        """Where two reports come, standard output is the database's alone: a script reads it."""
        return self.stderr if url else self.stdout

    def _tell(self, report: Report, *, is_dry: bool, options: dict[str, Any]) -> None:
        if options["as_json"]:
            self.stdout.write(json.dumps({"dry_run": is_dry, **report.as_json()}, indent=2))
            return
        show(self.stdout, report.table(), options)
        for line in report.lines():
            self.stdout.write(line)
        if report.changes_nothing:
            self.stdout.write("Nothing to change.")
        elif is_dry:
            self.stdout.write("Dry run: nothing was changed.")
