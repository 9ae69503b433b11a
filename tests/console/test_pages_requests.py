"""The list of requests: its filters stand in the URL, its pages follow one another without a gap."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import RequestRecord
from audit.trail import SYSTEM
from console.filters import PAGE
from keys.actions import remove_member
from keys.models import Membership, User
from tests.console.rows import MINUTE, as_admin, attempt, served
from tests.console.spend_rows import Cast, spent
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PROBLEM: dict[str, Any] = {"outcome": "failed", "error_source": "provider", "status": 529}


SET: dict[str, Any] = {"tags": ["a, b", "nightly"], "provider": "bedrock", "client": "claude-cli", "cost_centre": "4711"}


def ids(client: Client, query: str = "") -> list[str]:
    text = client.get(f"/requests/{query}").content.decode()
    return re.findall(r'<th scope="row" class="p1"><a href="/requests/([^/]+)/">', text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["req_mine", "req_other"]),
        ("?outcome=ok", ["req_mine"]),
        ("?outcome=problem", ["req_other"]),
        ("?outcome=failed&side=provider&status=529", ["req_other"]),
        ("?side=client", []),
        ("?model=claude-sonnet", ["req_mine"]),
        ("?model=gpt-5.1-2025", ["req_other"]),
        ("?key=laptop", ["req_mine"]),
        ("?key=hash-2", ["req_other"]),
        ("?team=Search", ["req_mine"]),
        ("?team=Search&key=hash-2", []),
        ("?user=Bob", ["req_other"]),
        ("?session=s-1", ["req_mine"]),
        ("?tag=nightly", ["req_mine"]),
        ("?tag=night", []),
        ("?tag=-", ["req_other"]),
        ("?provider=bedrock&client=claude-cli&centre=4711", ["req_mine"]),
        ("?provider=anthropic", ["req_other"]),
        ("?q=OTHER", ["req_other"]),
        ("?q=upstream-7", ["req_mine"]),
        ("?outcome=nonsense&side=x&status=-1&period=%27&before=7&q=%00", ["req_mine", "req_other"]),
    ],
)
def test_filter_of_the_url(query: str, found: list[str]) -> None:
    served(id="req_mine", key_name="laptop", team_name="Search", session_id="s-1", upstream_request_id="upstream-7", **SET)
    served(id="req_other", key_id="hash-2", user_name="Bob", route="gpt-5.1", served_model="gpt-5.1-2025", **PROBLEM)
    assert sorted(ids(as_admin(), query)) == found


def test_token_counts_are_hidden_until_asked_for() -> None:
    served(id="req_count", endpoint="/v1/messages/count_tokens", nano=0)
    client = as_admin()
    assert ids(client) == []
    assert ids(client, "?counts=1") == ["req_count"]


def test_old_requests_are_found_by_period_session_and_id() -> None:
    served(id="req_old", at=timezone.now() - timedelta(days=40), session_id="s-9")
    client = as_admin()
    assert ids(client) == []
    week = timezone.now().date() - timedelta(days=43)
    for query in (f"?from={week}&to={week + timedelta(days=6)}", "?period=90d", "?period=all", "?session=s-9", "?q=req_old&period=today"):
        assert ids(client, query) == ["req_old"]


def test_pages_follow_one_another_without_gap_or_repeat() -> None:
    moment = timezone.now() - MINUTE
    made = [served(at=moment).id for _number in range(PAGE + 20)] + [served(at=moment - MINUTE).id]
    client = as_admin()
    first = client.get("/requests/?outcome=ok").content.decode()
    follow = re.search(r'href="(\?[^"]*before=[^"]*)"', first)
    assert follow is not None
    seen = ids(client, "?outcome=ok") + ids(client, follow.group(1).replace("&amp;", "&"))
    assert sorted(seen) == sorted(made)


def test_last_page_offers_no_further_one() -> None:
    for _number in range(PAGE):
        served()
    text = as_admin().get("/requests/").content.decode()
    assert f"Next {PAGE}" not in text


def test_removing_a_chip_keeps_the_other_filters() -> None:
    text = as_admin().get("/requests/?team=Search&key=laptop&outcome=ok&counts=1").content.decode()
    assert '<a href="?period=7d&amp;outcome=ok&amp;key=laptop&amp;counts=1" aria-label="Remove filter Team">' in text


def test_typed_names_are_inert() -> None:
    served(key_name="<script>alert(1)</script>", team_name="evil \u202egnp.exe", route='"><img src=x>', client="<b>")
    client = as_admin()
    text = "".join(client.get(f"/requests/{query}").content.decode() for query in ("", "?team=%3Cscript%3E&q=%22%3E%3Cimg%3E"))
    assert "<script>" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>" in text


def test_empty_result_says_what_to_do() -> None:
    assert "Remove a filter or choose a longer period." in as_admin().get("/requests/?status=418").content.decode()


@pytest.mark.parametrize(
    ("status", "source", "side"),
    [
        (400, "client", "client"), (413, "provider", "client"), (401, "provider", "gateway"), (404, "provider", "gateway"),
        (503, "gateway", "gateway"), (429, "provider", "provider"), (529, "provider", "provider"), (200, "provider", "provider"),
    ],
)  # fmt: skip
def test_side_is_found_where_the_pages_tell_it(status: int, source: str, side: str) -> None:
    served(id="req_one", outcome="failed", status=status, error_source=source)
    client = as_admin()
    assert [found for found in ("client", "gateway", "provider") if ids(client, f"?side={found}")] == [side]


def test_refusal_of_our_key_is_marked_as_ours() -> None:
    refused = attempt(status=401, outcome="failed", error_code="credential_refused")
    served(outcome="failed", status=401, error_source="provider", attempts=[refused])
    assert '<use href="#i-gate"/></svg>401 failed</span>' in as_admin().get("/requests/").content.decode()


def test_fault_is_named_and_marked() -> None:
    served(**PROBLEM)
    text = as_admin().get("/requests/").content.decode()
    assert '<span class="badge them"><svg class="i" aria-hidden="true"><use href="#i-cloud"/></svg>529 failed</span>' in text
    assert "Provider&#x27;s side." in text


def test_many_rows_need_no_more_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    client = as_admin()
    for _number in range(PAGE + 1):
        served()
    with django_assert_max_num_queries(7):
        client.get("/requests/")


# ── whose requests ────────────────────────────────────────────────────────────
def as_cast(who: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=who))
    return client


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("root", ["alice", "bob", "charlie"]), ("finance", ["alice", "bob", "charlie"]), ("alice", ["alice", "bob"]), ("bob", ["bob"]),
        ("charlie", ["charlie"]), ("viewer", []),
    ],
)  # fmt: skip
def test_everybody_sees_their_own_and_those_of_the_teams_they_manage(who: str, seen: list[str]) -> None:
    Cast()
    make_user("viewer", User.Role.VIEWER)
    client = as_cast(who)
    text = client.get("/requests/?period=all").content.decode()
    assert sorted(set(re.findall(r"<bdi>(\w+)&#x27;s key</bdi>", text))) == seen
    answers = {one.key_name.split("'")[0]: client.get(f"/requests/{one.pk}/").status_code for one in RequestRecord.objects.all()}
    assert sorted(name for name, status in answers.items() if status == 200) == seen


@pytest.mark.parametrize("query", ["team=Sales", "user=charlie", "key=charlie%27s+key", "outcome=failed", "q=req_", "team=-", "model=opus"])
def test_no_filter_opens_requests_of_others(query: str) -> None:
    Cast()
    text = as_cast("bob").get(f"/requests/?period=all&{query}").content.decode()
    assert "charlie&#x27;s key</bdi></td>" not in text
    assert set(ids(as_cast("bob"), f"?period=all&{query}")) <= {RequestRecord.objects.get(key_name="bob's key").pk}


def test_nothing_of_others_is_suggested() -> None:
    cast = Cast()
    spent(cast.bob, 1, at=timezone.now(), route="haiku")
    spent(cast.charlie, 1, at=timezone.now(), route="secret-model")
    text = as_cast("bob").get("/requests/").content.decode()
    assert re.findall(r'<option value="([^"]+)"></option>', text) == ["haiku", "Search", "bob"]


def test_one_who_left_a_team_still_sees_their_own_requests_alone() -> None:
    cast = Cast()
    remove_member(Membership.objects.get(user__username="alice"), actor=SYSTEM)
    assert ids(as_cast("alice"), "?period=all") == [RequestRecord.objects.get(key_id=cast.alice.pk).pk]
