"""Keys on their pages by role: everybody sees their own and their teams', does what they may with them, and nothing with others'."""

import pytest
from django.test import Client
from django.utils import timezone

from keys.models import User, VirtualKey
from tests.console.key_page_rows import names_in, signed_in, text_of
from tests.console.permissions.cast import Cast
from tests.console.rows import MINUTE
from tests.console.spend_rows import spent

pytestmark = pytest.mark.django_db

# Of the cast's keys, those that each role's list names.
SEEN = {
    "admin": {"admin's own", "bobs", "teams", "charlies", "member's own", "manager's own", "leader's own", "outsider's own"},
    "leader": {"leader's own", "bobs", "teams"},
    "manager": {"manager's own", "bobs", "teams"},
    "member": {"member's own", "bobs"},
    "viewer": {"viewer's own"},
    "finance": {"finance's own"},
    "outsider": {"outsider's own", "charlies"},
}


@pytest.mark.parametrize("role", SEEN)
def test_list_names_the_keys_that_somebody_may_see(cast: Cast, role: str) -> None:
    named = names_in(text_of(signed_in(cast, role), "/keys/"))
    assert SEEN[role] <= named
    assert role == "admin" or named == SEEN[role]


@pytest.mark.parametrize("role", [role for role in SEEN if role not in ("admin", "outsider")])
@pytest.mark.parametrize("page", ["", "change/", "rotate/", "revoke/"])
def test_key_of_others_is_none(cast: Cast, role: str, page: str) -> None:
    assert signed_in(cast, role).get(f"/keys/{cast.names['charlies']}/{page}").status_code == 404


def test_visitor_signs_in_first() -> None:
    assert Client().get("/keys/")["Location"].startswith("/accounts/login/")


def test_blocked_person_sees_no_key(cast: Cast) -> None:
    client = signed_in(cast, "manager")
    User.objects.filter(pk=cast.names["manager"]).update(is_blocked=True)
    assert client.get("/keys/").status_code in (302, 403)


def test_calls_of_others_with_a_key_of_mine_are_not_shown(cast: Cast) -> None:
    key, now = VirtualKey.objects.get(pk=cast.names["bobs"]), timezone.now() - MINUTE
    own = spent(key, 1_000_000_000, at=now)
    key.user_id = "somebody-else"
    foreign = spent(key, 4_000_000_000, at=now)
    text = text_of(signed_in(cast, "member"), f"/keys/{key.pk}/")
    assert own.id in text
    assert foreign.id not in text
    assert "$1" in text
    assert "$5" not in text


# ── what keepers do ───────────────────────────────────────────────────────────
ACTS = {
    # role: (change, rotate, block, unblock, revoke) on Bob's key in Search
    "admin": (200, 200, 302, 302, 200),
    "manager": (200, 200, 302, 302, 200),
    "leader": (200, 200, 302, 302, 200),
    "member": (403, 200, 302, 403, 403),
    "outsider": (404, 404, 404, 404, 404),
    "viewer": (404, 404, 404, 404, 404),
    "finance": (404, 404, 404, 404, 404),
}


@pytest.mark.parametrize("role", ACTS)
def test_who_may_do_what_with_bobs_key(cast: Cast, role: str) -> None:
    client, path = signed_in(cast, role), f"/keys/{cast.names['bobs']}"
    asked = [client.get(f"{path}/change/"), client.get(f"{path}/rotate/")]
    blocked = [client.post(f"{path}/block/", {"block": "1"}), client.post(f"{path}/block/", {"block": "0"})]
    answers = [*asked, *blocked, client.get(f"{path}/revoke/")]
    assert tuple(answer.status_code for answer in answers) == ACTS[role]


@pytest.mark.parametrize("role", [role for role, acts in ACTS.items() if acts[4] != 200])
def test_revoking_is_refused_to_others_and_changes_nothing(cast: Cast, role: str) -> None:
    signed_in(cast, role).post(f"/keys/{cast.names['bobs']}/revoke/")
    assert VirtualKey.objects.get(pk=cast.names["bobs"]).revoked_at is None
