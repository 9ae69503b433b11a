"""`tallygate check-config`: every setting, where it comes from, and what is wrong with it."""

import json
import sys
from dataclasses import asdict, replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from gateway_project import celery, env
from gateway_project.config_file import ConfigFile
from gateway_project.config_reasons import explained
from gateway_project.env import Reading
from gateway_project.first_run import MAKERS
from gateway_project.tables import Table, clean, show

FROM_FILE = {
    "TALLYGATE_MASTER_KEY": "master_key",
    "DATABASE_URL": "database_url",
    "TALLYGATE_KEY_HEADER": "key_header",
    "TALLYGATE_ALLOWED_IPS": "allowed_ips",
    "TALLYGATE_MAX_IN_FLIGHT": "max_in_flight",
    "TALLYGATE_BODY_LIMIT_MB": "body_limit_mb",
    "TALLYGATE_LITELLM_COMPAT": "litellm_compat",
    "TALLYGATE_LITELLM_TEST_FIELDS": "litellm_test_fields",
}
SECRET = frozenset({"TALLYGATE_MASTER_KEY", "DATABASE_URL"})


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
            show(self.stdout, _table(readings), options)
            self.stdout.write("\n".join(told(config, problems)), ending="")
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
        return replace(reading, source="configuration file", shown="set" if reading.name in SECRET else reading.shown)
    if reading.name in MAKERS:
        return replace(reading, shown="set", source="secrets.env")
    if reading.name == "TALLYGATE_BROKER_URL" and settings.REDIS_URL:
        return replace(reading, source="REDIS_URL")
    return reading


def problems_of(config: ConfigFile) -> list[str]:
    missing = _("%(path)s refers to %(name)s, which is not set in the environment.")
    unread = _("%(name)s is set, but no setting has that name. Correct or unset it.")
    return [missing % {"path": config.path, "name": name} for name in config.missing] + [unread % {"name": name} for name in env.unread()]


def _table(readings: list[Reading]) -> Table:
    return Table(("setting", "value", "from", "meaning"), [(one.name, one.shown or "-", one.source, one.meaning) for one in readings])


def told(config: ConfigFile, problems: list[str]) -> list[str]:
    """What stands below the table, each part after an empty line."""
    lines = []
    if config.not_honoured:
        lines += ["", f"Keys of {config.path} that have no effect:", *(f"  {line}" for line in explained(config.not_honoured))]
    if problems:
        lines += ["", "Problems:", *(f"  {problem}" for problem in problems)]
    return [*map(clean, lines), ""] if lines else []
