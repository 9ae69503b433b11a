"""The table of permissions against the API: every operation, as every role, on objects of one's own and of others."""

import json
from collections.abc import Iterator
from string import Template
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from console.management.urls import api
from tests.console.permissions.cast import Cast, undone
from tests.console.permissions.table import ADMINS, FIRST, READING, ROLES, ROWS, STATUSES, Row

NAMES = {status: mark for mark, statuses in STATUSES.items() for status in statuses}
GRANTED = [(row, role) for row in ROWS for role in ("manager", "master") if row.columns()[role] == "o"]
WRITING = [(row, role) for row, role in GRANTED if not row.operation.startswith("GET") and row.operation not in READING]


def operations() -> Iterator[str]:
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            yield from (f"{method} {prefix}{path}" for operation in view.operations for method in operation.methods)


def asked(row: Row, role: str, cast: Cast) -> Any:
    body = Template(json.dumps(row.sent or {})).substitute(cast.names)
    headers = {"x-api-key": cast.tokens[role]} if cast.tokens[role] else {}
    method = row.operation.split()[0]
    content: Any = {} if method == "GET" else {"data": body, "content_type": "application/json"}
    return Client(raise_request_exception=False).generic(method, row.address(cast.names), headers=headers, **content)


def mark(row: Row, role: str, cast: Cast) -> str:
    """The answer's mark in the table, or its status where the table has none."""
    with undone():
        answer = asked(row, role, cast)
    return NAMES.get(answer.status_code, f"{answer.status_code}: {answer.content[:200]!r}")


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert {row.operation for row in ROWS} == set(operations())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_everybody_may_do_what_the_table_says(row: Row, cast: Cast) -> None:
    assert {role: mark(row, role, cast) for role in ROLES} == row.columns()


@pytest.mark.parametrize(("row", "role"), WRITING, ids=lambda value: getattr(value, "name", value))
def test_every_change_leaves_an_audit_event_of_who_made_it(row: Row, role: str, cast: Cast) -> None:
    with undone():
        prepared = [asked(Row(operation, ADMINS, row.sent), "master", cast).status_code for operation in FIRST.get(row.operation, [])]
        before = AuditEvent.objects.count()
        assert asked(row, role, cast).status_code == 200
        actors = {event.actor_id for event in AuditEvent.objects.order_by("id")[before:]}
    assert set(prepared) <= {200}
    assert actors == {cast.names.get(role, "")}  # the master key is nobody
