"""A small LiteLLM installation: its rows as its database gives them, and the tables of that database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql
from psycopg.types.json import Json

from gateway_project.litellm_import.reading import TABLES, Source
from keys.secrets import hash_token

NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)
RESET = datetime(2026, 4, 1)  # LiteLLM's columns say no zone
TOKEN = "sk-bobs-laptop-1234"
HASH = hash_token(TOKEN)
SCHEMA = "litellm_of_a_test"
Rows = dict[str, list[dict[str, Any]]]

_PLAIN_TYPES = {
    "max_budget": "double precision", "soft_budget": "double precision", "spend": "double precision DEFAULT 0",
    "tpm_limit": "bigint", "rpm_limit": "bigint", "max_parallel_requests": "integer", "blocked": "boolean", "model_id": "integer",
    "expires": "timestamp(3)", "created_at": "timestamp(3)", "budget_reset_at": "timestamp(3)", "id": "serial",
}  # fmt: skip
_JSON = {"metadata", "members_with_roles", "model_max_budget", "budget_limits", "aliases", "config", "permissions", "litellm_params",
         "model_info", "credential_values", "credential_info"}  # fmt: skip
_LISTS = {"models", "teams", "admins", "members", "allowed_routes"}


def litellm_rows() -> Rows:
    return {
        "plans": [{"budget_id": "plan-1", "max_budget": 50.0, "budget_duration": "30d", "budget_reset_at": RESET, "rpm_limit": 60}],
        "organisations": [{"organization_id": "org-1", "organization_alias": "Acme", "budget_id": "plan-1", "models": [], "spend": 12.5}],
        "people": [
            {"user_id": "alice", "user_email": "alice@example.com", "user_role": "proxy_admin"},
            {"user_id": "bob", "user_email": "bob@example.com", "user_role": "internal_user", "max_budget": 10, "spend": 2.25},
        ],
        "teams": [
            {
                "team_id": "team-1", "team_alias": "Search", "organization_id": "org-1", "models": ["claude-sonnet"], "blocked": False,
                "members_with_roles": [{"user_id": "alice", "role": "admin"}, {"user_id": "bob", "role": "user"}],
                "max_budget": 100.0, "budget_duration": "7d", "budget_reset_at": datetime(2026, 3, 20), "spend": 33.333333333,
                "metadata": {"tags": ["search"], "cost_center": "4711", "logging": [{"callback_vars": {"langfuse_secret": "hidden"}}]},
            }
        ],
        "members": [{"team_id": "team-1", "user_id": "bob", "spend": 1.5, "budget_id": "plan-1"}],
        "keys": [
            {
                "token": HASH, "key_name": "sk-...1234", "key_alias": "laptop", "team_id": "team-1", "user_id": "bob", "spend": 4.2,
                "models": ["claude-sonnet"], "rpm_limit": 20, "max_budget": 20.0, "budget_duration": "30d", "budget_reset_at": RESET,
                "metadata": {"model_rpm_limit": {"claude-opus": 5}, "tags": ["ci"]}, "blocked": None,
            }
        ],
        "end_users": [{"user_id": "customer-7", "alias": "Seven", "blocked": True, "spend": 0.5, "budget_id": "plan-1"}],
        "tags": [{"tag_name": "nightly", "description": "night builds", "models": [], "spend": 0.0}],
        "models": [
            {
                "model_id": "0b7d2b16-8a7f-4ab1-9d1e-0d2f3c4b5a69", "model_name": "gpt", "model_info": {"id": "0b7d2b16"},
                "litellm_params": {"model": "openai/gpt-4o", "api_key": "sk-of-openai-5533", "rpm": 100},
            }
        ],
    }  # fmt: skip


def source_of(rows: Mapping[str, Any]) -> Source:
    return Source(rows)


@contextmanager
def _inside() -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own to the test's database: what it does is there at once, and for others too."""
    words = connection.get_connection_params()
    named = {name: words[name] for name in ("host", "user", "dbname", "password", "port") if words.get(name)}
    with psycopg.connect(**named, autocommit=True) as other:
        other.execute(f"SET search_path = {SCHEMA}")
        yield other


@contextmanager
def litellm_database(rows: Rows) -> Iterator[str]:
    """LiteLLM's tables with these rows in a schema of the test's database, and the address that LiteLLM would have for it."""
    named = connection.get_connection_params()
    with _inside() as other:
        other.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        other.execute(f"CREATE SCHEMA {SCHEMA}")
        for kind, (table, key, columns) in TABLES.items():
            _make(other, table, (key, *columns))
            _fill(other, table, rows.get(kind, []))
        try:
            yield f"postgresql://{named['user']}@/{named['dbname']}?host={named['host']}&schema={SCHEMA}&connection_limit=5"
        finally:
            other.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def alter(*statements: str) -> None:
    with _inside() as other:
        for statement in statements:
            other.execute(statement.encode())


def everything() -> str:
    """All rows of all tables, as text."""
    with _inside() as other:
        tables = [other.execute(sql.SQL("TABLE {}").format(sql.Identifier(table))).fetchall() for table, _, _ in TABLES.values()]
    return repr(tables)


def _make(other: psycopg.Connection[Any], table: str, columns: tuple[str, ...]) -> None:
    typed = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_type(table, name))) for name in columns]
    other.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(table), sql.SQL(", ").join(typed)))


def _type(table: str, column: str) -> str:
    if column == "model_id" and table == "LiteLLM_ProxyModelTable":
        return "text"
    if column in _JSON:
        return "jsonb"
    return "text[]" if column in _LISTS else _PLAIN_TYPES.get(column, "text")


def _fill(other: psycopg.Connection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        values = [Json(value) if name in _JSON else value for name, value in row.items()]
        names, marks = sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join([sql.Placeholder()] * len(row))
        other.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, marks), values)
