"""`python -m bench.seed --records 10_000_000`: that many records with ledger entries and roll-ups in PostgreSQL, to measure pages with.

One statement a day draws the calls and writes all that follows from them, so that `tallygate money check` finds nothing. On a core of a
laptop it makes some 10,000 records a second. Run it on a throw-away database: `.ci/services .venv/bin/python -m bench.seed --and COMMAND`.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
if __name__ == "__main__":
    django.setup()

from django.conf import settings
from django.core.management import call_command
from django.db import connection, models, transaction

from audit.day_rebuild import rebuild_days
from audit.models import RequestRecord, RollUp, TagRollUp
from audit.rollups import BOUNDS_MS
from billing.models import LedgerEntry
from keys.models import Organisation, Team, User, VirtualKey
from keys.secrets import hash_token

KEYS_PER_TEAM, KEYS_PER_PERSON, TEAMS_PER_CENTRE = 12, 2, 5
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5", "gemini-2.5-pro")
CLIENTS = ("claude-cli/2.1.329", "Anthropic/Python", "OpenAI/Python")
QUARTER = "date_bin('15 minutes', at, TIMESTAMPTZ '1970-01-01 00:00:00+00')"
FILLED: tuple[type[models.Model], ...] = (RequestRecord, LedgerEntry, RollUp, TagRollUp)
TEXTS = {"CharField": "''", "JSONField": "'[]'::jsonb", "BooleanField": "false"}


@dataclass(frozen=True, slots=True)
class Scale:
    records: int
    keys: int
    days: int


def prepare(scale: Scale) -> None:
    """Organisation, teams, people and keys with names, written without an audit trail: nobody changed anything."""
    organisation, _ = Organisation.objects.get_or_create(id="bench", defaults={"name": "Bench"})
    numbers = range(scale.keys)
    teams = [
        Team(id=f"bench-team-{number}", name=f"Team {number}", organisation=organisation, cost_centre=f"CC-{number // TEAMS_PER_CENTRE}")
        for number in range(scale.keys // KEYS_PER_TEAM + 1)
    ]
    people = [User(id=f"bench-user-{number}", username=f"person-{number}") for number in range(scale.keys // KEYS_PER_PERSON + 1)]
    keys = [
        VirtualKey(
            id=f"bench-key-{number}",
            token_hash=hash_token(f"bench {number}"),
            last_four=f"{number:04d}"[-4:],
            name=f"bench key {number}",
            team_id=f"bench-team-{number // KEYS_PER_TEAM}",
            user_id=f"bench-user-{number // KEYS_PER_PERSON}",
            is_blocked=True,
        )
        for number in numbers
    ]
    Team.objects.bulk_create(teams, batch_size=500)
    User.objects.bulk_create(people, batch_size=500)
    VirtualKey.objects.bulk_create(keys, batch_size=500)


def fill(scale: Scale, now: datetime) -> None:
    """Day by day, the last one up to `now`; each in a transaction of its own. Then the sums of days out of the roll-ups."""
    end, written = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1), 0
    statement = _statement(scale)
    for day in range(scale.days):
        due = scale.records * (day + 1) // scale.days
        start = end - timedelta(days=scale.days - day)
        span_s = min(timedelta(days=1), now - start).total_seconds()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT setseed(0.42)")
            cursor.execute(statement, {"first": written, "last": due - 1, "start": start, "span": span_s})
        written = due
    rebuild_days(settings.TIME_ZONE)


@contextmanager
def without_indexes() -> Iterator[None]:
    """They are made again at the end: four times as fast as keeping them at every row. Primary keys stay."""
    tables = [model._meta.db_table for model in FILLED]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN (SELECT conname FROM pg_constraint)",
            [tables],
        )
        known = cursor.fetchall()
        for name, _ in known:
            cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")
        yield
        for _, definition in known:
            cursor.execute(definition)


def _statement(scale: Scale) -> str:
    return f"""
        WITH luck AS MATERIALIZED ({_luck(scale)}), drawn AS MATERIALIZED ({_drawn()}),
        records AS ({_insert(RequestRecord, _record(), "drawn")}),
        entries AS ({_insert(LedgerEntry, _entry(), "drawn WHERE cost > 0")}),
        tags AS ({_insert(TagRollUp, _tag_sums(), "drawn GROUP BY 1, 2, 3, 4")})
        {_insert(RollUp, _sums(), "drawn GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10")}
    """


def _luck(scale: Scale) -> str:
    """A few keys make most calls."""
    return f"""
        SELECT number, %(start)s + random() * %(span)s * interval '1 second' AS at, floor({scale.keys} * random() ^ 3)::int AS key,
            random() AS fate, (400 * exp(2 * random()))::int AS output, (40000 * random() ^ 2)::int AS cached,
            (3000 * random())::int AS fresh, 200 + 900 * random() AS first_ms
        FROM generate_series(%(first)s, %(last)s) AS number
    """


def _drawn() -> str:
    routes, clients = (", ".join(f"'{name}'" for name in names) for names in (MODELS, CLIENTS))
    return f"""
        SELECT *, 'bench-key-' || key AS key_id, 'bench-team-' || key / {KEYS_PER_TEAM} AS team_id,
            'bench-user-' || key / {KEYS_PER_PERSON} AS user_id, 'CC-' || key / {KEYS_PER_TEAM * TEAMS_PER_CENTRE} AS cost_centre,
            (ARRAY[{routes}])[1 + key %% {len(MODELS)}] AS route, (ARRAY[{clients}])[1 + key %% {len(CLIENTS)}] AS client,
            'tag-' || key %% 8 AS tag, fate > 0.02 AS is_fine, first_ms + output * 14 AS duration_ms,
            'req_' || lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || lpad(to_hex(number), 16, '0') AS id,
            CASE WHEN fate > 0.02 THEN fresh * 3000 + cached * 300 + output * 15000 ELSE 0 END AS cost
        FROM luck
    """


def _record() -> dict[str, str]:
    served = {name: f"CASE WHEN is_fine THEN {column} ELSE 0 END" for name, column in _TOKENS.items()}
    names = {name: name for name in ("id", "key_id", "team_id", "user_id", "cost_centre", "route", "client", "duration_ms")}
    return names | served | {
        "received_at": "at",
        "first_byte_ms": "first_ms",
        "gateway_ms": "1.5",
        "endpoint": "'messages'",
        "is_stream": "true",
        "status": "CASE WHEN is_fine THEN 200 ELSE 529 END",
        "outcome": "CASE WHEN is_fine THEN 'ok' ELSE 'failed' END",
        "error_source": "CASE WHEN is_fine THEN '' ELSE 'provider' END",
        "error_code": "CASE WHEN is_fine THEN '' ELSE 'provider_error' END",
        "organisation_id": "'bench'",
        "team_name": f"'Team ' || key / {KEYS_PER_TEAM}",
        "user_name": f"'person-' || key / {KEYS_PER_PERSON}",
        "key_name": "'bench key ' || key",
        "session_id": "CASE WHEN client LIKE 'claude%%' THEN 'session-' || number / 20 ELSE '' END",
        "tags": "jsonb_build_array(tag)",
        "provider": "'anthropic'",
        "deployment_name": "'anthropic'",
        "served_model": "route",
        "cost_nano": "cost",
        "request_bytes": "4 * (fresh + cached)",
        "response_bytes": "30 * output",
    }  # fmt: skip


_TOKENS = {"input_tokens": "fresh", "cache_read_tokens": "cached", "output_tokens": "output"}


def _entry() -> dict[str, str]:
    return {name: name for name in ("at", "key_id", "team_id", "user_id", "cost_centre", "route")} | {
        "attempt_id": "id || '.1'",
        "kind": "'base'",
        "request_id": "id",
        "amount_nano": "cost",
        "organisation_id": "'bench'",
        "provider": "'anthropic'",
        "model": "route",
        "tags": "jsonb_build_array(tag)",
    }


def _sums() -> dict[str, str]:
    """The first ten are what it is grouped by, in the order of the columns."""
    kind = {
        "starts_at": QUARTER,
        "organisation_id": "'bench'",
        "team_id": "team_id",
        "cost_centre": "cost_centre",
        "user_id": "user_id",
        "key_id": "key_id",
        "route": "route",
        "provider": "'anthropic'",
        "client": "client",
        "status_class": "CASE WHEN is_fine THEN '2xx' ELSE '5xx' END",
    }
    tokens = {name: f"coalesce(sum({column}) FILTER (WHERE is_fine), 0)" for name, column in _TOKENS.items()}
    waits = {"waits": _counted("duration_ms"), "first_waits": _counted("first_ms")}
    return kind | tokens | waits | {"calls": "count(*)", "cost_nano": "sum(cost)", "duration_ms": "sum(round(duration_ms))"}


def _tag_sums() -> dict[str, str]:
    return {"starts_at": QUARTER, "tag": "tag", "team_id": "team_id", "route": "route"} | {
        "calls": "count(*)",
        "cost_nano": "sum(cost)",
        "input_tokens": "coalesce(sum(fresh + cached) FILTER (WHERE is_fine), 0)",
        "output_tokens": "coalesce(sum(output) FILTER (WHERE is_fine), 0)",
    }


def _counted(column: str) -> str:
    """How many calls took so long: one number per bound, one above."""
    bounds = (0, *BOUNDS_MS)
    parts = [f"count(*) FILTER (WHERE {column} > {low} AND {column} <= {high})" for low, high in zip(bounds, BOUNDS_MS, strict=False)]
    return f"jsonb_build_array({', '.join([*parts, f'count(*) FILTER (WHERE {column} > {BOUNDS_MS[-1]})'])})"


def _insert(model: type[models.Model], values: Mapping[str, str], source: str) -> str:
    """Columns that are not named are empty, for none has a default in the database."""
    quote = connection.ops.quote_name
    named = {_column(model, name): value for name, value in values.items()}
    others = (one for one in model._meta.concrete_fields if one.column not in named and not isinstance(one, models.BigAutoField))
    columns = named | {str(one.column): _empty(one) for one in others}
    names, selected = ", ".join(map(quote, columns)), ", ".join(columns.values())
    return f"INSERT INTO {quote(model._meta.db_table)} ({names}) SELECT {selected} FROM {source}"


def _column(model: type[models.Model], name: str) -> str:
    return str(model._meta.get_field(name).column)  # type: ignore[union-attr]  # a plain column of ours


def _empty(field: "models.Field[object, object]") -> str:
    return "NULL" if field.null else TEXTS.get(field.get_internal_type(), "0")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.seed", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--keys", type=int, default=240, metavar="N", help="few of them make most calls (default 240)")
    parser.add_argument("--days", type=int, default=90, metavar="N", help="that the records lie in, up to now (default 90)")
    parser.add_argument("--and", dest="then", nargs=argparse.REMAINDER, help="a command to run with that database")
    given = parser.parse_args()
    if connection.vendor != "postgresql":
        parser.error("a PostgreSQL database in DATABASE_URL is needed; .ci/services COMMAND starts one for a command")
    scale = Scale(given.records, given.keys, given.days)
    call_command("migrate", verbosity=0, interactive=False)
    if Organisation.objects.filter(pk="bench").exists():
        parser.error("this database was filled before; take a fresh one")
    started = time.monotonic()
    prepare(scale)
    with without_indexes():
        fill(scale, datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    took = time.monotonic() - started
    print(f"{scale.records:,} records, {RollUp.objects.count():,} roll-ups in {took:.0f} s ({scale.records / took:,.0f} a second)")
    return subprocess.run(given.then, check=False).returncode if given.then else 0


if __name__ == "__main__":
    sys.exit(main())
