"""Reads what we take from LiteLLM's PostgreSQL, in one read-only transaction. Tables and columns that a version lacks are no error."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import CommandError
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.numeric import NumericLoader

from gateway_project.databases import databases
from gateway_project.env import WrongSetting

Row = Mapping[str, Any]
STATEMENT_TIMEOUT_S = 120
ROWS_PER_FETCH = 2000
_LIMITS = ("max_parallel_requests", "tpm_limit", "rpm_limit")
_MONEY = ("max_budget", "budget_duration", "budget_reset_at", "spend", "model_max_budget", "budget_limits")

# Our word for each table, its name, the column that tells its rows apart, and the other columns that we read.
TABLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "plans": (
        "LiteLLM_BudgetTable",
        "budget_id",
        ("max_budget", "soft_budget", "budget_duration", "budget_reset_at", "model_max_budget", "created_at", *_LIMITS),
    ),
    "organisations": (
        "LiteLLM_OrganizationTable",
        "organization_id",
        ("organization_alias", "budget_id", "metadata", "models", "spend", "created_at"),
    ),
    "people": (
        "LiteLLM_UserTable",
        "user_id",
        ("user_alias", "user_email", "user_role", "teams", "models", "metadata", "created_at", *_LIMITS, *_MONEY),
    ),
    "teams": (
        "LiteLLM_TeamTable",
        "team_id",
        ("team_alias", "organization_id", "admins", "members", "members_with_roles", "metadata", "soft_budget", "models", "blocked",
         "model_id", "created_at", *_LIMITS, *_MONEY),
    ),
    "aliases": ("LiteLLM_ModelTable", "id", ("aliases",)),
    "members": ("LiteLLM_TeamMembership", "team_id", ("user_id", "spend", "budget_id")),
    "organisation_members": ("LiteLLM_OrganizationMembership", "organization_id", ("user_id", "user_role", "spend", "budget_id")),
    "keys": (
        "LiteLLM_VerificationToken",
        "token",
        ("key_name", "key_alias", "expires", "models", "aliases", "config", "user_id", "team_id", "project_id", "permissions", "metadata",
         "blocked", "allowed_routes", "budget_id", "organization_id", "created_at", "created_by", *_LIMITS, *_MONEY),
    ),
    "end_users": (
        "LiteLLM_EndUserTable",
        "user_id",
        ("alias", "spend", "allowed_model_region", "default_model", "budget_id", "blocked"),
    ),
    "tags": ("LiteLLM_TagTable", "tag_name", ("description", "models", "spend", "budget_id", "created_at")),
    "models": ("LiteLLM_ProxyModelTable", "model_id", ("model_name", "litellm_params", "model_info", "blocked", "created_at")),
    "credentials": ("LiteLLM_CredentialsTable", "credential_id", ("credential_name", "credential_values", "credential_info")),
}  # fmt: skip
# Without these it is no database of LiteLLM's.
NEEDED = ("LiteLLM_TeamTable", "LiteLLM_VerificationToken")


@dataclass(frozen=True, slots=True)
class Source:
    """All rows, by our word for their table; a table that is not there has none."""

    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict, repr=False)

    def of(self, kind: str) -> Sequence[Row]:
        return self.rows.get(kind, ())


def read(url: str) -> Source:
    """Raises CommandError with a line that names neither the password nor the address it stood in."""
    words = _words(url)
    try:
        with psycopg.connect(**words, row_factory=dict_row, application_name="tallygate import") as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.adapters.register_loader("float8", NumericLoader)
            return Source(dict(_tables(connection)))
    except psycopg.Error as error:
        text = " ".join(str(error).split()) or type(error).__name__
        secret = words.get("password", "")
        raise CommandError(f"LiteLLM's database cannot be read: {text.replace(secret, '…') if secret else text}") from None


def _words(url: str) -> dict[str, Any]:
    """LiteLLM's address as libpq takes it, without what only Prisma knows."""
    try:
        found = databases(url, Path())["default"]
    except WrongSetting as error:
        raise CommandError(str(error).replace("DATABASE_URL", "--database-url"), returncode=2) from None
    if not found["ENGINE"].endswith("postgresql"):
        raise CommandError("--database-url must be LiteLLM's PostgreSQL: postgresql://user:password@host/name.", returncode=2)
    options = dict(found["OPTIONS"])
    session = f"{options.pop('options', '')} -c statement_timeout={STATEMENT_TIMEOUT_S}s"
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return {**options, "options": session.strip()} | {theirs: found[ours] for theirs, ours in named.items() if found[ours]}


def _tables(connection: psycopg.Connection[dict[str, Any]]) -> Iterator[tuple[str, list[Row]]]:
    known = _columns(connection)
    if missing := [name for name in NEEDED if name not in known]:
        raise CommandError(f"That database has no table {missing[0]}: is it LiteLLM's? A `?schema=` of its address counts here too.")
    for kind, (table, key, others) in TABLES.items():
        columns = [name for name in (key, *others) if name in known.get(table, ())]
        if key in columns:
            yield kind, list(_rows(connection, table, columns, key))


def _columns(connection: psycopg.Connection[dict[str, Any]]) -> dict[str, set[str]]:
    text = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ANY(%s)"
    found: dict[str, set[str]] = {}
    for row in connection.execute(text, [[table for table, _, _ in TABLES.values()]]):
        found.setdefault(row["table_name"], set()).add(row["column_name"])
    return found


def _rows(connection: psycopg.Connection[dict[str, Any]], table: str, columns: Sequence[str], key: str) -> Iterator[Row]:
    """Oldest first, so that of two rows with one name the same one keeps it each time."""
    order = [sql.Identifier("created_at"), sql.SQL("{}::text").format(sql.Identifier(key))]
    statement = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(table),
        sql.SQL(", ").join(order if "created_at" in columns else order[1:]),
    )
    with connection.cursor("tallygate_import") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        cursor.execute(statement)
        yield from cursor
