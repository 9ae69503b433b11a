"""Many keys from one table: all or none, errors by line, names and secrets in a file that comes once."""

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from audit.models import AuditEvent
from billing.models import Budget
from console.bulk_keys import MOST
from keys.models import VirtualKey
from keys.secrets import hash_token
from tests.console.key_page_rows import signed_in
from tests.console.permissions.cast import Cast

pytestmark = pytest.mark.django_db
GOOD = """name,team,owner,budget,period,models,expires
one,Search,member@example.com,12.50,30d,claude-sonnet claude-haiku,90d
two,Search,,,,,2099-12-31
"""


def sent(cast: Cast, role: str, lines: str) -> Any:
    return signed_in(cast, role).post("/keys/new/?bulk", {"lines": lines})


def rows(response: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode())))


@pytest.mark.parametrize("role", ["admin", "manager", "leader"])
def test_every_line_becomes_a_key(cast: Cast, role: str) -> None:
    assert sent(cast, role, GOOD).status_code == 200
    one, two = VirtualKey.objects.get(name="one"), VirtualKey.objects.get(name="two")
    budget = Budget.objects.get(scope="key", scope_id=one.pk)
    assert (one.team_id, one.user_id, one.allowed_models) == (
        cast.names["search"], cast.names["member"], ["claude-sonnet", "claude-haiku"],
    )  # fmt: skip
    assert (budget.amount_nano, budget.period) == (12_500_000_000, "30d")
    assert (two.user_id, two.allowed_models, two.expires_at.year if two.expires_at else 0) == (None, [], 2100)


def test_answer_is_a_file_with_names_and_secrets_that_is_not_kept(cast: Cast) -> None:
    response = sent(cast, "manager", GOOD)
    told = {row["name"]: row["secret"] for row in rows(response)}
    assert {name: hash_token(token) for name, token in told.items()} == dict(
        VirtualKey.objects.filter(name__in=["one", "two"]).values_list("name", "token_hash")
    )
    assert response["Content-Type"].startswith("text/csv")
    assert response["Content-Disposition"].startswith('attachment; filename="keys-')
    assert response["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("good\n\nbad,Sales", "Line 3:"),
        ("good\nbad,,outsider", "Nobody whom you may name"),
        ("good\ngood", "Another key is already named"),
        ("good\nbad,Search,,much", "Max budget:"),
        ("good\nbad,Search,,5,5 moons", "5 moons"),
        ("good\nbad,Search,,5,month,,soon", "no duration"),
        ("good\nbad,Search,,,,,,more", "more cells than columns"),
        ("good\n,Search", "Key name:"),
        ("name,secret\ngood,x", "Unknown: secret"),
        ("name,name\ngood,x", "each once"),
        ("name,team\n", "no line with a key"),
        ("", "no line with a key"),
        ("\n".join(f"k{number}" for number in range(MOST + 1)), "At most 500 keys"),
    ],
)
def test_one_wrong_line_and_no_key_is_issued(cast: Cast, lines: str, told: str) -> None:
    keys, events = VirtualKey.objects.count(), AuditEvent.objects.count()
    response = sent(cast, "manager", lines)
    assert response.status_code == 422
    assert told in response.content.decode()
    assert "No key was issued" in response.content.decode()
    assert (VirtualKey.objects.count(), AuditEvent.objects.count()) == (keys, events)


def test_members_issue_for_nobody_but_themselves(cast: Cast) -> None:
    response = sent(cast, "member", "mine,Search,member@example.com\ntheirs,Search,manager")
    assert "Line 2: Only managers issue keys for others." in response.content.decode()
    assert not VirtualKey.objects.filter(name="mine").exists()
    assert sent(cast, "member", "mine,Search\nmine too").status_code == 200
    assert set(VirtualKey.objects.filter(name__startswith="mine").values_list("user_id", flat=True)) == {cast.names["member"]}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_file_is_read_whatever_parts_its_columns(cast: Cast, separator: str) -> None:
    content = f"name{separator}team\r\n請求{separator}Search\r\n".encode("utf-8-sig")
    file = SimpleUploadedFile("keys.csv", content)
    assert signed_in(cast, "manager").post("/keys/new/?bulk", {"file": file}).status_code == 200
    assert VirtualKey.objects.filter(name="請求", team_id=cast.names["search"]).exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00n", b"x" * 1_000_001])
def test_file_that_is_no_table_is_told(cast: Cast, content: bytes) -> None:
    response = signed_in(cast, "manager").post("/keys/new/?bulk", {"file": SimpleUploadedFile("keys.csv", content)})
    assert response.status_code == 422


def test_no_cell_of_the_file_is_a_formula(cast: Cast) -> None:
    response = sent(cast, "manager", '"=HYPERLINK(1)",Search')
    assert rows(response)[0]["name"] == "'=HYPERLINK(1)"


def test_typed_lines_come_back_inert(cast: Cast) -> None:
    text = sent(cast, "manager", "</textarea><script>alert(1)</script>,Sales").content.decode()
    assert "<script>alert" not in text
