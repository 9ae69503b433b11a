"""Keys by those who do not see everything: which a script may name, and what it may ask for. Whether it is theirs to give: key_rules."""

from django.db.models import Q

from console.asker import Asker
from console.key_rules import Allowed, managed, owner_of_new
from console.management.errors import Refused, forbidden
from console.management.key_fields import KeyFields
from keys.models import VirtualKey
from keys.secrets import hash_token

NOT_YOURS = "this key is not known, or not yours."


# ── naming ────────────────────────────────────────────────────────────────────
def named_key(by: Asker, name: str, allowed: Allowed = managed) -> VirtualKey:
    """By its secret, its hash or its id. Who does not see everything learns the same of a key of others as of none."""
    named = hash_token(name) if name.startswith("sk-") else name
    return _allowed(by, VirtualKey.objects.filter(Q(id=named) | Q(token_hash=named)).first(), allowed, "key")


def aliased_key(by: Asker, alias: str) -> VirtualKey:
    return _allowed(by, VirtualKey.objects.filter(name=alias, revoked_at=None).first(), managed, "key_aliases")


def _allowed(by: Asker, key: VirtualKey | None, allowed: Allowed, param: str) -> VirtualKey:
    if key and allowed(by.reach, key):
        return key
    if not by.sees_all:
        raise forbidden(NOT_YOURS)
    raise Refused("Key not found in database.", type="not_found_error", param=param, status=404)


def check_filter(by: Asker, *, team_id: str = "", user_id: str = "", organisation_id: str = "") -> None:
    """A list of somebody else's keys is refused; a list without a filter holds what the asker may see."""
    reach = by.reach
    is_theirs = (
        (not team_id or team_id in reach.joined)
        and (not user_id or user_id == reach.person_id or reach.leads_person(user_id))
        and (not organisation_id or reach.manages_organisation(organisation_id))
    )
    if not by.sees_all and not is_theirs:
        raise forbidden("a key lists only keys of its own people and teams.")


# ── asking for a new one ──────────────────────────────────────────────────────
def asked_by(by: Asker, asked: KeyFields) -> KeyFields:
    """What is asked for, with the team and person that go without saying. Refused when they are not the asker's to name."""
    reach = by.reach
    if by.sees_all:
        return asked
    places = {"team_id": asked.team_id or reach.bound_to}
    if not reach.manages_team(places["team_id"]):
        places["user_id"] = owner_of_new(by, places["team_id"], asked.user_id) or ""
    _refuse_foreign_terms(by, asked)
    return asked.model_copy(update=places)


def _refuse_foreign_terms(by: Asker, asked: KeyFields) -> None:
    """Before anything is looked up: what there is must not be told by another refusal."""
    if asked.team_id and asked.team_id not in by.reach.joined:
        raise forbidden("this team is not known, or not yours.")
    if asked.user_id and asked.user_id != by.reach.person_id and not by.reach.leads_person(asked.user_id):
        raise forbidden("this person is in none of your teams.")
    if asked.budget_id and not by.reach.managed:
        raise forbidden("only managers and administrators name a budget.")


def check_asked(by: Asker, asked: KeyFields) -> None:
    """For a change: people and teams that are named must be the asker's."""
    if not by.sees_all:
        _refuse_foreign_terms(by, asked)
