"""The management API against its own description: whatever is sent, as whichever role, nothing breaks."""

from itertools import cycle
from typing import Any

import pytest
import requests
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, openapi
from schemathesis.core.result import Ok

from console.management.urls import api
from tests.console.permissions.cast import Cast, undone

SCHEMA = openapi.from_dict(dict(api.get_openapi_schema()))
OPERATIONS: list[Any] = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
OTHERS = ("member", "viewer", "finance", "manager", "leader")
FEW = settings(max_examples=len(OTHERS), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
# With these a case gets past the look-up of what it names.
KNOWN: dict[str, Any] = {
    "key": "bobs", "keys": ["bobs"], "team_id": "search", "team_ids": ["search"], "user_id": "member", "user_ids": ["newcomer"],
    "organization_id": "acme", "organizations": ["acme"], "organization_ids": ["globex"], "budget_id": "plan", "budgets": ["plan"],
    "end_user_id": "customer", "name": "tag",
}  # fmt: skip


def with_known(values: Any, names: dict[str, str]) -> Any:
    """Ids of the cast in place of invented ones."""
    fields = values if isinstance(values, dict) else {}
    known = {field: [names[name] for name in value] if isinstance(value, list) else names[value] for field, value in KNOWN.items()}
    return values if values is not fields else fields | {field: known[field] for field in fields.keys() & known.keys()}


def sent(case: Case[Any], role: str, cast: Cast) -> Any:
    asked = requests.Request(**case.as_transport_kwargs(base_url="http://testserver"))
    asked.headers, key = {}, {"x-api-key": cast.tokens[role]}
    ready = asked.prepare()
    client = Client(raise_request_exception=False)
    with undone():
        return client.generic(str(ready.method), ready.path_url, ready.body or b"", "application/json", headers=key)


def test_description_names_every_operation_once() -> None:
    labels = [operation.label for operation in OPERATIONS]
    assert len(labels) == len(set(labels)) == sum(len(path) for path in SCHEMA.raw_schema["paths"].values())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_nothing_that_is_sent_breaks_the_api(operation: Any, cast: Cast) -> None:
    others = cycle(OTHERS)
    modes = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])

    @FEW
    @given(case=modes.flatmap(lambda mode: operation.as_strategy(generation_mode=mode)), is_known=st.booleans())
    def send(case: Case[Any], is_known: bool) -> None:
        names = cast.names if is_known else {}
        case.body, case.query = with_known(case.body, names) if names else case.body, with_known(case.query, names) if names else case.query
        answers = [sent(case, role, cast) for role in ("admin", next(others))]
        assert max(answer.status_code for answer in answers) < 500 or operation.label == "GET /cache/ping", answers[0].content

    send()
