"""LiteLLM's scripts against /key/regenerate, /key/aliases and /key/health."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.models import Budget, LedgerEntry
from keys.actions import block_key, revoke_key
from keys.authenticate import digest
from keys.loading import load_keys
from keys.models import VirtualKey
from keys.secrets import hash_token
from tests.factories import make_admin, make_key, make_team

pytestmark = pytest.mark.django_db
ISSUED = {"key_alias": "laptop", "max_budget": 20, "rpm_limit": 7, "models": ["claude-sonnet"]}


def post(client: Client, path: str, body: object = None, secret: str = "") -> Any:
    sent = "" if body is None else json.dumps(body)
    headers = {"x-api-key": secret or settings.TALLYGATE_MASTER_KEY}
    return client.post(f"/key/{path}", sent, content_type="application/json", headers=headers)


def opens(token: str, after: timedelta = timedelta(0)) -> bool:
    """Whether the data plane would know that token then."""
    now = timezone.now() + after
    caller = load_keys("sk-some-master", now).find(digest(token.encode()))
    return caller is not None and (caller.expires_at is None or caller.expires_at > now.timestamp())


@pytest.fixture
def issued(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = post(client, "generate", ISSUED).json()
    return told


def test_old_secret_is_dead_at_once_and_the_new_one_lives(client: Client, issued: dict[str, Any]) -> None:
    answer = post(client, "regenerate", {"key": issued["key"]})
    told = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert told["token"] == told["token_id"] == hash_token(told["key"]) != issued["token"]
    assert (opens(issued["key"]), opens(told["key"])) == (False, True)


def test_regenerated_key_is_the_same_row_with_its_spend_and_budget(client: Client, issued: dict[str, Any]) -> None:
    row = VirtualKey.objects.get()
    LedgerEntry.objects.create(attempt_id="a", kind="base", request_id="r", at=timezone.now(), amount_nano=2 * 10**9, key_id=row.pk)
    Budget.objects.all().delete()
    told = post(client, f"{issued['token']}/regenerate").json()
    assert VirtualKey.objects.get().pk == row.pk
    assert (told["spend"], told["key_alias"], told["rpm_limit"]) == (2, "laptop", 7)
    assert set(told) == set(issued)


@pytest.mark.parametrize("named_by", ["key", "token"])
def test_key_is_named_in_the_path_the_query_or_the_body(client: Client, issued: dict[str, Any], named_by: str) -> None:
    first = post(client, f"{issued[named_by]}/regenerate").json()
    second = post(client, f"regenerate?key={first[named_by]}").json()
    third = post(client, "regenerate", {"key": second[named_by]}).json()
    assert [opens(told["key"]) for told in (issued, first, second, third)] == [False, False, False, True]


def test_old_secret_lives_on_for_the_grace_period(client: Client, issued: dict[str, Any]) -> None:
    told = post(client, "regenerate", {"key": issued["key"], "grace_period": "24h"}).json()
    assert (opens(issued["key"]), opens(issued["key"], after=timedelta(hours=25))) == (True, False)
    assert opens(told["key"], after=timedelta(hours=25))


def test_fields_sent_along_change_the_key(client: Client, issued: dict[str, Any]) -> None:
    changes = {"rpm_limit": 9, "max_budget": 5, "models": None, "guardrails": ["x"]}
    answer = post(client, "regenerate", {"key": issued["key"], "new_key": "sk-our-own-key-1"} | changes)
    told = answer.json()
    assert (told["key"], told["rpm_limit"], told["max_budget"], told["models"]) == ("sk-our-own-key-1", 9, 5, [])
    assert answer["x-tallygate-ignored-fields"] == "guardrails"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"grace_period": "soon"}, "grace_period"),
        ({"grace_period": "31d"}, "grace_period"),
        ({"new_key": "no-prefix-here"}, "new_key"),
        ({"new_key": "sk-x"}, "key"),
        ({"team_id": "nobody"}, "team_id"),
        ({"max_budget": 1, "budget_duration": "soon"}, "budget_duration"),
    ],
)
def test_wrong_regeneration_leaves_the_old_secret_alive(client: Client, issued: dict[str, Any], body: dict[str, Any], param: str) -> None:
    answer = post(client, "regenerate", {"key": issued["key"]} | body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert opens(issued["key"])


def test_secret_of_another_key_cannot_be_taken(client: Client, issued: dict[str, Any]) -> None:
    for taken in (make_key("other")[1], issued["key"], settings.TALLYGATE_MASTER_KEY):
        assert post(client, "regenerate", {"key": issued["key"], "new_key": taken}).status_code == 400


@pytest.mark.parametrize("forged", ["id", "token_hash", "created_by", "previous_hash", "revoked_at", "new_master_key"])
def test_forged_fields_change_nothing(client: Client, issued: dict[str, Any], forged: str) -> None:
    answer = post(client, "regenerate", {"key": issued["key"], forged: "forged"})
    row = VirtualKey.objects.get()
    assert (row.pk, row.created_by, row.revoked_at, row.previous_hash) == (issued["token"], "master-key", None, "")
    assert answer["x-tallygate-ignored-fields"] == forged


def test_unknown_key_is_a_404_that_repeats_no_secret(client: Client) -> None:
    for answer in (post(client, "regenerate", {"key": "sk-perhaps-a-secret"}), post(client, "sk-perhaps-a-secret/regenerate")):
        assert answer.status_code == 404
        assert "perhaps" not in answer.content.decode()


def test_revoked_key_stays_dead(client: Client) -> None:
    key, token = make_key()
    revoke_key(key, actor=SYSTEM)
    assert post(client, "regenerate", {"key": token}).status_code == 400
    assert not opens(token)


def test_regeneration_is_audited_without_the_secret(client: Client, issued: dict[str, Any]) -> None:
    told = post(client, "regenerate", {"key": issued["key"]}).json()
    event = AuditEvent.objects.get(event="key.rotated")
    assert (event.actor_kind, event.object_id) == ("master-key", issued["token"])
    assert told["key"] not in json.dumps([event.before, event.after])


def test_administrator_regenerates_with_a_key_of_their_own(client: Client, issued: dict[str, Any]) -> None:
    admin = make_admin()
    own = make_key("own", user=admin)[1]
    assert opens(post(client, "regenerate", {"key": issued["key"]}, secret=own).json()["key"])
    assert AuditEvent.objects.get(event="key.rotated").actor_id == admin.pk


@pytest.mark.parametrize("path", ["regenerate", "x/regenerate"])
def test_virtual_key_and_session_regenerate_nothing(client: Client, path: str) -> None:
    token = make_key()[1]
    client.force_login(make_admin())
    assert post(client, path, {"key": token}, secret=token).status_code == 403
    assert post(client, path, {"key": token}, secret="sk-wrong").status_code == 401
    assert opens(token)


def aliases(client: Client, **query: Any) -> Any:
    return client.get("/key/aliases", query, headers={"x-api-key": settings.TALLYGATE_MASTER_KEY})


def test_aliases_of_live_keys_are_listed_in_pages(client: Client) -> None:
    team = make_team()
    keys = [make_key(name, team=team)[0] for name in ("ci", "laptop", "old")]
    make_key("")
    make_key("another")
    revoke_key(keys[2], actor=SYSTEM)
    told = aliases(client, size=2).json()
    assert told == {"aliases": ["another", "ci"], "total_count": 3, "current_page": 1, "total_pages": 2, "size": 2}
    assert aliases(client, team_id=team.pk, search="LAP").json()["aliases"] == ["laptop"]


def test_aliases_are_those_of_keys_that_the_asker_may_see_on_a_sound_page(client: Client) -> None:
    make_key("foreign")
    assert client.get("/key/aliases", headers={"x-api-key": make_key()[1]}).json()["aliases"] == ["laptop"]
    assert client.get("/key/aliases", headers={"x-api-key": make_key("own", user=make_admin())[1]}).status_code == 200
    assert aliases(client, size=0).status_code == aliases(client, size=101).status_code == 422


HEALTHY = {"key": "healthy", "logging_callbacks": None}


def test_key_asks_for_its_own_health(client: Client) -> None:
    assert post(client, "health", secret=make_key()[1]).json() == post(client, "health").json() == HEALTHY


def test_old_secret_is_healthy_until_its_grace_is_over(client: Client, issued: dict[str, Any]) -> None:
    post(client, "regenerate", {"key": issued["key"], "grace_period": "1h"})
    assert post(client, "health", secret=issued["key"]).json() == HEALTHY
    VirtualKey.objects.update(previous_valid_until=timezone.now())
    assert post(client, "health", secret=issued["key"]).status_code == 401


def test_key_that_may_not_call_is_not_healthy(client: Client) -> None:
    blocked, blocked_token = make_key("blocked")
    block_key(blocked, actor=SYSTEM)
    expired = make_key("expired", expires_at=timezone.now() - timedelta(seconds=1))[1]
    elsewhere = make_key("elsewhere", allowed_ips=["10.1.2.3"])[1]
    for token in (blocked_token, expired, elsewhere, "sk-nobody-at-all"):
        assert post(client, "health", secret=token).status_code in {401, 403}
