"""`tallygate check-config`: every setting, where it comes from, and what is wrong with it."""

import json
import sys
from dataclasses import asdict, replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from gateway_project import celery, env
from gateway_project.config_file import ConfigFile
from gateway_project.env import Reading
from gateway_project.first_run import MAKERS

FROM_FILE = {"TALLYGATE_MASTER_KEY": "master_key", "DATABASE_URL": "database_url", "TALLYGATE_KEY_HEADER": "key_header"}


class Command(BaseCommand):
    help = "Lists every setting with its source. Exit code 1 when something is wrong, 2 when a value cannot be used at all."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    def handle(self, **options: Any) -> None:
        config: ConfigFile = settings.TALLYGATE_CONFIG
        readings, problems = all_readings(config), problems_of(config)
        if options["json"]:
            report = {"settings": [asdict(reading) for reading in readings], "not_honoured": config.not_honoured, "problems": problems}
            self.stdout.write(json.dumps(report, indent=2))
        else:
            self.stdout.write("\n".join(told(readings, config, problems)))
        if problems:
            sys.exit(1)


def all_readings(config: ConfigFile) -> list[Reading]:
    """In the order in which settings are declared; with their real source where it is not the environment."""
    assert celery.app, "importing the Celery application declares its setting"  # noqa: S101
    return [_sourced(reading, config) for reading in env.READINGS.values()]


def _sourced(reading: Reading, config: ConfigFile) -> Reading:
    if reading.source != "default":
        return reading
    if reading.name == "TALLYGATE_CONFIG" and config.path:
        return replace(reading, shown=str(config.path), source="remembered")
    if reading.name == "TALLYGATE_MASTER_KEY" and env.READINGS["LITELLM_MASTER_KEY"].source == "environment":
        return replace(reading, shown="set", source="LITELLM_MASTER_KEY")
    if FROM_FILE.get(reading.name) in config.environment:
        return replace(reading, source="configuration file", shown=reading.shown if reading.name == "TALLYGATE_KEY_HEADER" else "set")
    if reading.name in MAKERS:
        return replace(reading, shown="set", source="secrets.env")
    if reading.name == "TALLYGATE_BROKER_URL" and settings.REDIS_URL:
        return replace(reading, source="REDIS_URL")
    return reading


def problems_of(config: ConfigFile) -> list[str]:
    missing = [f"{config.path} refers to {name}, which is not set in the environment." for name in config.missing]
    return missing + [f"{name} is set, but no setting has that name. Correct or unset it." for name in env.unread()]


def told(readings: list[Reading], config: ConfigFile, problems: list[str]) -> list[str]:
    name_width = max(len(reading.name) for reading in readings)
    lines = [f"{reading.name:<{name_width}}  {reading.shown or '-'}  ({reading.source}) {reading.meaning}" for reading in readings]
    if config.not_honoured:
        lines += ["", f"Keys of {config.path} that have no effect:", *(f"  {key}" for key in config.not_honoured)]
    if problems:
        lines += ["", "Problems:", *(f"  {problem}" for problem in problems)]
    return lines
