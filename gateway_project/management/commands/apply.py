"""`tallygate apply -f FILE`: rows from a LiteLLM config.yaml."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.rows import ChangeRefused
from audit.trail import Actor
from gateway_project.config_file import load_config
from gateway_project.env import WrongSetting
from gateway_project.file_rows import Summary, apply_config


class Command(BaseCommand):
    help = "Makes credentials, deployments and routes say what a LiteLLM config.yaml says. Rows made in pages stay as they are."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-f", "--file", type=Path, required=True, metavar="FILE", help="the config.yaml")
        parser.add_argument("--dry-run", action="store_true", help="show what would change and change nothing")
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    def handle(self, **options: Any) -> None:
        path = options["file"].expanduser().absolute()
        try:
            config = load_config(path)
            summary = apply_config(config, Actor("config-file", name=path.name), dry_run=options["dry_run"])
        except (WrongSetting, ChangeRefused) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(summary) | {"not_honoured": config.not_honoured, "missing": config.missing}, indent=2))
            return
        for line in told(summary, is_dry=options["dry_run"]):
            self.stdout.write(line)
        if config.not_honoured:
            self.stderr.write(f"These keys have no effect here: {', '.join(config.not_honoured)}")
        if config.missing:
            self.stderr.write(f"These environment names are not set: {', '.join(config.missing)}")


def told(summary: Summary, *, is_dry: bool) -> list[str]:
    lines = (
        [f"+ {line}" for line in summary.created] + [f"~ {line}" for line in summary.changed] + [f"- {line}" for line in summary.removed]
    )
    if not lines:
        lines = ["Nothing to change."]
    elif is_dry:
        lines.append("Dry run: nothing was changed.")
    return lines + [f"! {line}" for line in summary.left]
