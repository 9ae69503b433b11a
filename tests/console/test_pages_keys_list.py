"""The list of keys and one key's page: what its address asks for, and figures that are the ledger's."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget
from keys.actions import block_key, revoke_key
from keys.models import User, VirtualKey
from tests.console.key_page_rows import names_in, text_of
from tests.console.rows import MINUTE, as_admin, served
from tests.console.spend_rows import spent
from tests.factories import make_key, make_team, make_user

pytestmark = pytest.mark.django_db


def test_person_without_keys_learns_how_to_get_one() -> None:
    make_user("newcomer")
    client = Client()
    client.force_login(User.objects.get(username="newcomer"))
    assert "Ask a manager of your team" in text_of(client, "/keys/")


# ── filters ───────────────────────────────────────────────────────────────────
def states_made() -> None:
    make_key("works")
    block_key(make_key("stopped")[0], actor=SYSTEM)
    revoke_key(make_key("gone")[0], actor=SYSTEM)
    key, _ = make_key("over", expires_at=timezone.now() + timedelta(days=1))
    VirtualKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(days=1))


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", {"works", "stopped", "over"}),
        ("?state=active", {"works"}),
        ("?state=blocked", {"stopped"}),
        ("?state=expired", {"over"}),
        ("?state=revoked", {"gone"}),
        ("?state=all", {"works", "stopped", "over", "gone"}),
        ("?state=neon", {"works", "stopped", "over"}),
        ("?q=WORK", {"works"}),
        ("?q=nothing", set()),
        ("?page=99&sort=name", {"works", "stopped", "over"}),
        ("?team=%00&owner=%00&q=%00&page=-1", {"works", "stopped", "over"}),
    ],
)
def test_address_says_which_keys(query: str, named: set[str]) -> None:
    states_made()
    assert names_in(text_of(as_admin(), f"/keys/{query}")) == named


def test_keys_are_found_by_team_owner_and_last_four() -> None:
    team, alice = make_team("Search"), make_user("alice")
    key, _ = make_key("wanted", team=team, user=alice)
    make_key("other")
    client = as_admin()
    for query in (f"?team={team.pk}", "?owner=alice", "?owner=ALICE@example.com", f"?q={key.last_four}+search"):
        assert names_in(text_of(client, f"/keys/{query}")) == {"wanted"}


def test_long_list_is_cut_into_pages() -> None:
    for number in range(51):
        make_key(f"key {number:02d}")
    client = as_admin()
    first, second = text_of(client, "/keys/?sort=name"), text_of(client, "/keys/?sort=name&page=2")
    assert 'href="?sort=name&amp;page=2" rel="next"' in first
    assert names_in(second) == {"key 50"}


def test_more_keys_cost_no_more_queries() -> None:
    client = as_admin()
    counts = []
    for number in range(3):
        key, _ = make_key(f"key {number}", team=make_team(f"team {number}"), user=make_user(f"user-{number}"))
        set_budget(Budget.Scope.KEY, key.pk, BudgetTerms(10**9, "month"), actor=SYSTEM)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get("/keys/")
        counts.append(len(captured))
    assert counts[1] == counts[2]


# ── figures ───────────────────────────────────────────────────────────────────
def test_spend_of_a_key_without_budget_is_the_ledgers() -> None:
    key, _ = make_key("laptop")
    spent(key, 1_250_000_000)
    spent(key, 2_500_000_000)
    served(nano=9_000_000_000)
    assert '$3<span class="cents">.75</span><span class="sub">all times' in text_of(as_admin(), "/keys/")


def test_budget_of_a_key_stands_in_the_list_as_it_refuses() -> None:
    key, _ = make_key("laptop")
    set_budget(Budget.Scope.KEY, key.pk, BudgetTerms(0, "month"), actor=SYSTEM)
    text = text_of(as_admin(), "/keys/")
    assert "budget used up" in text
    assert "<b>100%</b>" in text


def test_page_of_a_key_shows_its_spend_by_model_and_its_last_requests() -> None:
    key, _ = make_key("laptop")
    mine = spent(key, 1_250_000_000, at=timezone.now() - MINUTE, route="claude-opus")
    served(id="req_other", nano=7_000_000_000, route="gpt-5")
    text = text_of(as_admin(), f"/keys/{key.pk}/")
    assert "claude-opus" in text
    assert mine.id in text
    assert '$1<span class="cents">.25' in text
    assert "gpt-5" not in text
    assert "req_other" not in text


def test_history_tells_who_changed_what() -> None:
    client, (key, token) = as_admin(), make_key("laptop")
    client.post(f"/keys/{key.pk}/block/", {"block": "1"})
    text = text_of(client, f"/keys/{key.pk}/")
    assert "blocked key" in text
    assert "root@example.com" in text
    assert key.token_hash not in text.replace(f"/keys/{key.pk}/", "").replace(f"key={key.pk}", "")
    assert token not in text


def test_names_with_markup_are_inert() -> None:
    evil = '<script>alert(1)</script>"\u202e'
    key, _ = make_key(evil, team=make_team(evil), tags=[evil], allowed_models=[evil])
    client = as_admin()
    for path in (
        "/keys/",
        f"/keys/{key.pk}/",
        f"/keys/{key.pk}/change/",
        f"/keys/{key.pk}/rotate/",
        f"/keys/{key.pk}/revoke/",
        "/keys/new/",
    ):
        text = text_of(client, path)
        assert "<script>alert" not in text
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|data:", text)


# ── asking first ──
def test_revoking_asks_first_and_then_does_it() -> None:
    client, (key, _) = as_admin(), make_key("laptop")
    served(key_id=key.pk)
    assert "1 call was made with it in the last 24 hours" in text_of(client, f"/keys/{key.pk}/revoke/")
    assert not VirtualKey.objects.get(pk=key.pk).revoked_at
    client.post(f"/keys/{key.pk}/revoke/")
    assert VirtualKey.objects.get(pk=key.pk).revoked_at


def test_blocking_is_not_done_by_a_link() -> None:
    key, _ = make_key("laptop")
    assert as_admin().get(f"/keys/{key.pk}/block/").status_code == 405
