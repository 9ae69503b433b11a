"""`tallygate export`: the present rows of routing as a config.yaml."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway_project.config_export import Exported, exported


class Command(BaseCommand):
    help = "Writes credentials by reference, deployments, routes and the routing policy as a config.yaml. Secrets are never written."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, metavar="FILE", help="write there, over what is there; without it to the screen")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found, path = exported(), options["output"]
        if path:
            _write(path, found)
        if options["as_json"]:
            told = {"deployments": found.deployments, "notes": found.notes, **({"file": str(path)} if path else {"config": found.data})}
            self.stdout.write(json.dumps(told, indent=2))
        elif path:
            count = f"{found.deployments} deployment{'' if found.deployments == 1 else 's'}"
            self.stdout.write(f"{path}: {count}. `apply -f {path} --dry-run` shows what it would change.")
            for note in found.notes:
                self.stderr.write(f"! {note}")
        else:
            self.stdout.write(found.text(), ending="")


def _write(path: Path, found: Exported) -> None:
    try:
        path.expanduser().write_text(found.text(), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
