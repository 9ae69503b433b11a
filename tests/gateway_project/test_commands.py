import json
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.models import Budget
from keys import sso
from keys.actions import change_user
from keys.models import Team, User, VirtualKey
from keys.secrets import hash_token
from tests.factories import make_admin, make_key, make_team, make_user

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_key_is_created_with_budget_and_limits() -> None:
    team = make_team()
    words = ["--models", "a,b", "--max-budget", "20", "--period", "30d", "--expires", "7d", "--rpm", "5", "--cost-centre", "CC"]
    told = run_json("keys", "create", "--name", "laptop", "--team", "Search", *words)
    key = VirtualKey.objects.get()
    assert key.token_hash == hash_token(told["key"])
    assert (key.team, key.allowed_models, key.rpm_limit, key.cost_centre) == (team, ["a", "b"], 5, "CC")
    assert (told["budgets"], told["state"]) == (["$20.00 30d"], "active")
    assert AuditEvent.objects.filter(actor_kind="command-line", event="key.issued").exists()


def test_created_key_comes_with_lines_to_copy() -> None:
    text = run("keys", "create", "--name", "laptop")
    assert "export ANTHROPIC_AUTH_TOKEN=sk-" in text
    assert settings.TALLYGATE_PUBLIC_URL in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--team nobody", "no team 'nobody'"),
        ("--user nobody", "no user 'nobody'"),
        ("--max-budget much", "not an amount"),
        ("--max-budget -1", "0 or more|expected one argument"),
        ("--max-budget 1 --period fortnight", "no period"),
        ("--period 30d", "needs --max-budget"),
        ("--expires soon", "no duration"),
        ("--rpm -1", "rpm_limit|greater"),
        ("--rpm many", "invalid int"),
    ],
)
def test_wrong_word_is_one_clear_line(words: str, message: str) -> None:
    with pytest.raises(CommandError, match=message) as caught:
        run("keys", "create", "--name", "x", *words.split())
    assert "\n" not in str(caught.value)
    assert not Budget.objects.exists()
    assert not VirtualKey.objects.exists()


def test_taken_name_is_refused() -> None:
    make_key("laptop")
    with pytest.raises(CommandError, match="already named"):
        run("keys", "create", "--name", "laptop")


def test_keys_are_listed_without_secrets() -> None:
    key, token = make_key()
    assert [row["id"] for row in run_json("keys", "list")] == [key.pk]
    assert "laptop" in run("keys", "list")
    assert token not in run("keys", "list") + run("keys", "show", "laptop")


def test_empty_list_says_what_to_do() -> None:
    assert "keys create" in run("keys", "list")


def test_key_is_named_by_name_id_or_secret() -> None:
    key, token = make_key()
    for name in ("laptop", key.pk, token):
        assert run_json("keys", "show", name)["id"] == key.pk


@pytest.mark.parametrize(("verb", "state"), [("revoke", "revoked"), ("block", "blocked")])
def test_key_is_stopped(verb: str, state: str) -> None:
    make_key()
    assert run_json("keys", verb, "laptop")["state"] == state


def test_key_is_rotated_with_overlap() -> None:
    key, old = make_key()
    told = run_json("keys", "rotate", "laptop", "--overlap", "24h")
    key.refresh_from_db()
    assert (key.token_hash, key.previous_hash) == (hash_token(told["key"]), hash_token(old))


def test_unknown_key_is_told_without_repeating_it() -> None:
    with pytest.raises(CommandError, match="no such key") as caught:
        run("keys", "revoke", "sk-perhaps-a-secret")
    assert "perhaps" not in str(caught.value)


def test_team_is_created_and_listed() -> None:
    told = run_json("teams", "create", "--name", "Search", "--cost-centre", "CC")
    assert Team.objects.get().pk == told["id"]
    assert run_json("teams", "list") == [{"id": told["id"], "name": "Search", "cost_centre": "CC", "keys": 0}]


# ── the one-time link ─────────────────────────────────────────────────────────
def path_of(link: str) -> str:
    return link.strip().removeprefix(settings.TALLYGATE_PUBLIC_URL)


def test_link_makes_the_first_admin_and_signs_in_once(client: Client) -> None:
    address = path_of(run("admin", "login-link"))
    answer = client.get(address)
    assert (answer.status_code, answer["Location"], "no-store" in answer["Cache-Control"]) == (302, "/", True)
    assert client.get("/admin/").status_code == 200
    assert AuditEvent.objects.get(event="user.signed_in_by_link").actor_name == "admin"
    assert Client().get(address).status_code == 403


def test_second_link_is_for_the_same_admin() -> None:
    run("admin", "login-link")
    run("admin", "login-link")
    assert User.objects.count() == 1


def test_link_expires(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    address = path_of(run("admin", "login-link"))
    now = sso.LINK_TOKENS._now()
    monkeypatch.setattr(sso.LinkTokens, "_now", lambda self: now + sso.LINK_LASTS * 1.1)
    assert client.get(address).status_code == 403


def test_link_of_a_blocked_person_does_not_work(client: Client) -> None:
    make_admin("other")
    root = make_admin()
    address = path_of(run("admin", "login-link", "--user", "root"))
    change_user(root, {"is_blocked": True}, actor=SYSTEM)
    assert client.get(address).status_code == 403


def test_looking_at_a_link_does_not_use_it_up(client: Client) -> None:
    address = path_of(run("admin", "login-link"))
    assert client.head(address).status_code == 405
    assert client.get(address).status_code == 302


@pytest.mark.parametrize("address", ["/login/x/y/", "/login/////", "/login/YWxpY2U/abc-def/", "/login/%00/x/"])
def test_forged_link_does_not_sign_in(client: Client, address: str) -> None:
    make_user("alice")
    assert client.get(address).status_code in {403, 404}


def test_link_for_an_unknown_person_is_refused() -> None:
    with pytest.raises(CommandError, match="no user"):
        run("admin", "login-link", "--user", "nobody")


# ── JSON ──────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("words", "shape"),
    [
        ("admin login-link", {"url", "user", "expires_in_s"}),
        ("secrets new-key", {"key"}),
        ("secrets rotate", {"sealed", "closed"}),
        ("money check", {"windows", "calls", "quarters", "findings"}),
        ("money rebuild-rollups", {"quarters"}),
        ("teams create --name Blue", {"id", "name", "cost_centre", "keys"}),
        ("connect openai", {"client", "url", "model", "blocks"}),
        ("export", {"deployments", "notes", "config"}),
        ("check-config", {"settings", "not_honoured", "problems"}),
        ("prices reprice --from 2026-01-01", {"dry_run", "calls", "unclear", "unpriced", "models"}),
        ("usage", {"by", "from", "to", "rows", "total"}),
    ],
)
def test_json_has_the_shape_that_is_documented(words: str, shape: set[str]) -> None:
    name, *rest = words.split()
    assert set(run_json(name.replace("-", "_"), *rest)) == shape


@pytest.mark.parametrize("words", ["keys list", "teams list", "budgets list", "budgets plans list", "routes", "prices list", "prices diff"])
def test_json_of_nothing_is_an_empty_list(words: str) -> None:
    assert run_json(*words.split()) == []


def test_plan_that_makes_two_budgets_is_one_document() -> None:
    run("budgets", "plans", "set", "trial", "--amount", "10", "--soft-amount", "8", "--period", "30d")
    told = run_json("budgets", "set", "--scope", "global", "--plan", "trial")
    assert sorted(row["mode"] for row in told) == ["hard", "soft"]


def test_states_are_coloured_where_colour_is_wanted() -> None:
    make_key("laptop")
    make_key("lost")
    run("keys", "block", "lost")
    text = run("keys", "--force-color", "list")
    assert "\x1b[32mactive" in text
    assert "\x1b[31mblocked" in text
    assert "\x1b" not in run("keys", "list")


def test_lists_say_what_to_do_when_they_are_empty() -> None:
    assert "teams create" in run("teams", "list")
    assert "budgets plans set" in run("budgets", "plans", "list")
