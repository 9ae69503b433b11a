"""This installation as the page of settings tells of it: effective settings, what the file says in vain, the doctor, versions, licences."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata
from typing import cast

import django
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import Actor, record_change
from console.installation import Configuration, Version
from gateway_project import doctor
from gateway_project.config_file import ConfigFile
from gateway_project.config_reasons import explained
from gateway_project.diagnosis import Line
from gateway_project.env import Reading
from gateway_project.management.commands.check_config import all_readings, problems_of

BETWEEN_ROUNDS = timedelta(minutes=1)
NOTICES = ("LICENSE", "NOTICE")


@dataclass(frozen=True, slots=True)
class _Round:
    """Stands in the audit trail for the installation, which is no row."""

    pk: str = ""

    class _meta:  # the one attribute of a model that the trail reads besides its key and its name
        model_name = "installation"

    def __str__(self) -> str:
        return ""


class Installation:
    def readings(self) -> list[Reading]:
        return all_readings(self._file)

    def configuration(self) -> Configuration:
        file = self._file
        return Configuration(str(file.path or ""), explained(file.not_honoured), problems_of(file))

    def at_hand(self) -> Iterator[Line]:
        return doctor.at_hand()

    def everything(self, actor: Actor) -> Iterator[Line]:
        """Each round costs at the providers: it is audited, and there is one a minute."""
        latest = AuditEvent.objects.filter(event="doctor.run", at__gt=timezone.now() - BETWEEN_ROUNDS)
        if latest.exists():
            raise ChangeRefused(_("The doctor was here less than a minute ago. Wait a little."))
        with transaction.atomic():
            record_change("doctor.run", cast(Model, _Round()), actor=actor, after={})
        return doctor.everything(has_calls=True)

    def versions(self) -> list[Version]:
        return [
            Version("Tallygate", _own_version()),
            Version("Python", platform.python_version()),
            Version("Django", django.get_version()),
            Version(connection.display_name, ".".join(map(str, connection.get_database_version()))),
        ]

    def notice(self) -> str:
        """The licence and what else is shipped with it, where they lie beside the code."""
        files = [settings.BASE_DIR / name for name in NOTICES]
        return "\n\n".join(file.read_text() for file in files if file.is_file())

    @property
    def _file(self) -> ConfigFile:
        config: ConfigFile = settings.TALLYGATE_CONFIG
        return config


def _own_version() -> str:
    try:
        return metadata.version("tallygate")
    except metadata.PackageNotFoundError:
        return ""
