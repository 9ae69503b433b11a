"""Issuing a key: who may issue which, the secret once, and nothing issued that was refused."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django.fixtures import Settings

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget
from keys.models import VirtualKey
from keys.secrets import hash_token
from tests.console.key_page_rows import asked, signed_in
from tests.console.permissions.cast import Cast

pytestmark = pytest.mark.django_db


def issue(cast: Cast, role: str, **values: Any) -> Any:
    return signed_in(cast, role).post("/keys/new/", asked(cast, **values))


def fresh() -> VirtualKey:
    return VirtualKey.objects.get(name="fresh")


# ── who ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("role", "owner", "owned_by"),
    [
        ("admin", "", None),
        ("admin", "outsider", "outsider"),
        ("manager", "", None),
        ("manager", "member@example.com", "member"),
        ("leader", "member", "member"),
        ("member", "", "member"),
    ],
)
def test_key_belongs_to_whom_it_was_issued_for(cast: Cast, role: str, owner: str, owned_by: str | None) -> None:
    assert issue(cast, role, owner=owner).status_code == 200
    assert (fresh().team_id, fresh().user_id) == (cast.names["search"], cast.names.get(owned_by or ""))


@pytest.mark.parametrize("role", ["viewer", "finance"])
def test_others_are_told_who_issues_keys(cast: Cast, role: str) -> None:
    client = signed_in(cast, role)
    assert "Keys are issued by administrators" in client.get("/keys/new/").content.decode()
    assert [client.post(path, asked(cast)).status_code for path in ("/keys/new/", "/keys/new/?bulk")] == [403, 403]


@pytest.mark.parametrize(
    ("role", "values", "told"),
    [
        ("manager", {"team": "sales"}, "valid choice"),
        ("manager", {"team": ""}, "required"),
        ("manager", {"owner": "outsider"}, "Nobody whom you may name"),
        ("manager", {"owner": "nobody"}, "Nobody whom you may name"),
        ("outsider", {"team": "search"}, "valid choice"),
        ("member", {"team": "sales"}, "valid choice"),
        ("admin", {"owner": "nobody"}, "Nobody whom you may name"),
    ],
)
def test_key_for_others_is_refused_without_telling_who_there_is(cast: Cast, role: str, values: dict[str, str], told: str) -> None:
    named = {name: cast.names.get(value, value) if name == "team" else value for name, value in values.items()}
    response = issue(cast, role, **named)
    assert (response.status_code, VirtualKey.objects.filter(name="fresh").exists()) == (422, False)
    assert told in response.content.decode()


def test_member_cannot_forge_an_owner(cast: Cast) -> None:
    issue(cast, "member", owner="manager")
    assert fresh().user_id == cast.names["member"]


@pytest.mark.parametrize("role", ["manager", "member"])
def test_budget_above_the_teams_is_refused_and_nothing_is_left(cast: Cast, role: str) -> None:
    set_budget(Budget.Scope.TEAM, cast.names["search"], BudgetTerms(10**9, "month"), actor=SYSTEM)
    events = AuditEvent.objects.count()
    response = issue(cast, role, max_budget="1.01")
    assert "The key&#x27;s budget is above its team&#x27;s." in response.content.decode()
    assert not VirtualKey.objects.filter(name="fresh").exists()
    assert AuditEvent.objects.count() == events


# ── what ──────────────────────────────────────────────────────────────────────
def test_every_field_reaches_the_key(cast: Cast) -> None:
    issue(cast, "manager", scope="some", models="claude-sonnet, claude-haiku", max_budget="25.5", period="week", tpm_limit="100000",
          rpm_limit="60", parallel_limit="4", expires="30d", tags="ci, night", allowed_ips="10.0.0.0/8, 192.0.2.1",
          required_header="X-Runner-Secret", required_header_value="a long secret value")  # fmt: skip
    key, budget = fresh(), Budget.objects.get(scope="key")
    assert key.allowed_models == ["claude-sonnet", "claude-haiku"]
    assert (key.tpm_limit, key.rpm_limit, key.parallel_limit) == (100_000, 60, 4)
    assert (key.tags, key.allowed_ips, key.required_header) == (["ci", "night"], ["10.0.0.0/8", "192.0.2.1"], "x-runner-secret")
    assert (budget.amount_nano, budget.period, budget.mode) == (25_500_000_000, "week", "hard")
    assert key.expires_at
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)


def test_chosen_day_counts_to_its_end(cast: Cast) -> None:
    day = timezone.localdate() + timedelta(days=3)
    issue(cast, "manager", expires="7d", expires_on=day.isoformat())
    expires_at = fresh().expires_at
    assert expires_at
    assert timezone.localtime(expires_at).date() == day + timedelta(days=1)


def test_value_of_the_required_header_comes_back_in_no_answer(cast: Cast) -> None:
    wrong = issue(cast, "manager", name="", required_header="X-Runner-Secret", required_header_value="canary value 7731")
    assert (wrong.status_code, "canary value" in wrong.content.decode()) == (422, False)


# ── the secret ────────────────────────────────────────────────────────────────
def test_secret_is_in_the_answer_and_nowhere_else(cast: Cast) -> None:
    client = signed_in(cast, "manager")
    response = client.post("/keys/new/", asked(cast))
    token = response.context["token"]
    assert hash_token(token) == fresh().token_hash
    assert token in response.content.decode()
    assert (response["Cache-Control"], response["Referrer-Policy"]) == ("no-store, private", "no-referrer")
    assert token not in str(response.cookies)
    assert not any(token in str(session.get_decoded()) for session in Session.objects.all())
    assert not any(token in f"{event.before}{event.after}" for event in AuditEvent.objects.all())
    pages = ["/keys/", f"/keys/{fresh().pk}/", "/connect/", "/keys/new/"]
    assert not any(token in client.get(page).content.decode() for page in pages)


def test_sending_the_form_again_issues_no_second_key(cast: Cast) -> None:
    client = signed_in(cast, "manager")
    client.post("/keys/new/", asked(cast))
    assert "Another key is already named" in client.post("/keys/new/", asked(cast)).content.decode()


def test_answer_holds_a_block_for_each_client(cast: Cast, settings: Settings) -> None:
    settings.TALLYGATE_PUBLIC_URL = "https://gateway.test"
    response = issue(cast, "manager", scope="some", models="claude-haiku")
    text, token = response.content.decode(), response.context["token"]
    assert [str(tab.name) for tab in response.context["tabs"]] == ["Claude Code", "Cline", "SDKs", "boto3", "curl"]
    assert all(any(token in block.text for block in tab.blocks) for tab in response.context["tabs"])
    assert all("gateway.test" in "".join(block.text for block in tab.blocks) for tab in response.context["tabs"])
    assert "claude-haiku" in text
    assert 'data-copy="#sk"' in text
    assert 'data-test-key="#sk"' in text


def test_answer_runs_nothing_inline(cast: Cast) -> None:
    response = issue(cast, "manager")
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|data:", response.content.decode())
    assert "unsafe" not in response["Content-Security-Policy"]


def test_form_needs_its_token_against_forgery(cast: Cast) -> None:
    client = signed_in(cast, "manager")
    client.handler.enforce_csrf_checks = True
    assert client.post("/keys/new/", asked(cast)).status_code == 403
    assert not VirtualKey.objects.filter(name="fresh").exists()
