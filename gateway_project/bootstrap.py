"""What every start does before it listens: migrate, make the file's rows and the defaults, let the first person in."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor

from audit.trail import SYSTEM, Actor
from gateway_project import env
from gateway_project.default_rows import make_defaults
from gateway_project.file_rows import apply_config
from gateway_project.file_summary import Summary
from gateway_project.first_run import load_secrets, write_private
from gateway_project.locks import bootstrap_lock
from keys.actions import KeySpec, create_user, issue_key
from keys.models import User, VirtualKey
from keys.sso import LINK_LASTS, login_link

FIRST_KEY = "first key"
FIRST_RUN_FILE = "first-run.txt"


@dataclass(frozen=True, slots=True)
class FirstPerson:
    """What only the first start knows; the token exists nowhere else."""

    admin: User
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    applied: Summary
    is_first: bool


def bootstrap(introduce: Callable[[FirstPerson], None]) -> Started:
    """Safe to run in several processes at once, and again at every start. `introduce` hands over what only the first start knows."""
    config = settings.TALLYGATE_CONFIG
    with bootstrap_lock(settings.TALLYGATE_HOME):
        migrate()
        applied = apply_config(config, Actor("config-file", name=config.path.name)) if config.path else Summary()
        make_defaults(has_file_deployments=bool(config.deployments))
        is_first = _first_person(introduce)
    connections.close_all()
    return Started(applied, is_first)


def migrate() -> None:
    for alias in settings.DATABASES:
        executor = MigrationExecutor(connections[alias])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", database=alias, verbosity=0, interactive=False)


@transaction.atomic
def _first_person(introduce: Callable[[FirstPerson], None]) -> bool:
    """An administrator and a key, where there is no administrator yet. Undone if they cannot be handed over: the token exists only here."""
    if User.objects.filter(role=User.Role.ADMIN).exists() or User.objects.filter(username="admin").exists():
        return False
    admin = create_user(User(username="admin", role=User.Role.ADMIN), actor=SYSTEM)
    token = ""
    if not VirtualKey.objects.filter(name=FIRST_KEY, revoked_at=None).exists():
        _, token = issue_key(KeySpec(name=FIRST_KEY, user=admin), actor=SYSTEM)
    introduce(FirstPerson(admin, token))
    return True


def first_words(first: FirstPerson, address: str) -> str:
    """Everything a newcomer needs, secrets included: for a terminal or a private file, never for a log."""
    generated = load_secrets(settings.TALLYGATE_HOME)["TALLYGATE_MASTER_KEY"]
    is_generated = generated == settings.TALLYGATE_MASTER_KEY
    link = address + login_link(first.admin).removeprefix(settings.TALLYGATE_PUBLIC_URL)
    lines = [
        "",
        f"  Pages         {address}",
        f"  Sign in once  {link} (within {LINK_LASTS.seconds // 60} minutes)",
        f"  Master key    {settings.TALLYGATE_MASTER_KEY if is_generated else 'the one you set'}",
    ]
    if first.token:
        lines += [
            "",
            "  Claude Code through this gateway:",
            f"    export ANTHROPIC_BASE_URL={shlex.quote(address)}",
            f"    export ANTHROPIC_AUTH_TOKEN={first.token}",
            "    claude",
        ]
    return "\n".join([*lines, ""])


def keep_first_words(text: str) -> Path:
    path = settings.TALLYGATE_HOME / FIRST_RUN_FILE
    write_private(path, text, replace=True)
    return Path(path)


def public_address(host: str, port: int, *, is_tls: bool) -> str:
    """TALLYGATE_PUBLIC_URL, or where this process listens if nobody set that."""
    reading = env.READINGS.get("TALLYGATE_PUBLIC_URL")
    if reading and reading.source != "default":
        return str(settings.TALLYGATE_PUBLIC_URL)
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104  # compared, not bound
    return f"{'https' if is_tls else 'http'}://{shown}:{port}"
