"""`tallygate apply -f FILE`: rows from a LiteLLM config.yaml."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.rows import ChangeRefused
from audit.trail import Actor
from gateway_project.config_file import load_config
from gateway_project.config_reasons import explained
from gateway_project.env import WrongSetting
from gateway_project.file_rows import apply_config
from gateway_project.file_summary import Summary
from gateway_project.progress import progress
from gateway_project.tables import Mood, Word, clean, coloured, is_coloured

MOODS = {"+ ": Mood.GOOD, "~ ": Mood.NEAR, "- ": Mood.BAD, "! ": Mood.BAD}


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
            with progress("Applying the file"):
                summary = apply_config(config, Actor("config-file", name=path.name), dry_run=options["dry_run"])
        except (WrongSetting, ChangeRefused) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(summary) | {"not_honoured": config.not_honoured, "missing": config.missing}, indent=2))
            return
        has_colour = is_coloured(self.stdout, options)
        for line in told(summary, is_dry=options["dry_run"]):
            self.stdout.write(_painted(line) if has_colour else clean(line))
        for line in explained(config.not_honoured):
            self.stderr.write(f"No effect here: {line}")
        if config.missing:
            self.stderr.write(f"These environment names are not set: {', '.join(config.missing)}")
        if unlike := [name for name, value in config.variables.items() if os.environ.get(name) != value]:
            self.stderr.write(f"environment_variables act at the next start with this file, if nothing else sets them: {', '.join(unlike)}")


def _painted(line: str) -> str:
    return coloured(Word(line, MOODS.get(line[:2], Mood.PLAIN)))


def told(summary: Summary, *, is_dry: bool) -> list[str]:
    lines = (
        [f"+ {line}" for line in summary.created] + [f"~ {line}" for line in summary.changed] + [f"- {line}" for line in summary.removed]
    )
    if not lines:
        lines = ["Nothing to change."]
    elif is_dry:
        lines.append("Dry run: nothing was changed.")
    return lines + [f"! {line}" for line in summary.left]
