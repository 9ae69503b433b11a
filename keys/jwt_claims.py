"""What a signed token says about its bearer: claims → Identity, and with the snapshot's people and teams → Caller. Pure.

The token decides who calls and for which team; what person and team may do is what their rows say.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from keys.authenticate import Refusal
from keys.snapshot import Caller, Directory, Limit, ModelList

LONGEST_NAME = 64
MAX_TEAMS = 500
EVERY_MODEL = frozenset({"all-proxy-models", "all-team-models"})
# Ours, and LiteLLM's names of the same.
ROLES = {
    "viewer": "viewer", "member": "member", "finance": "finance", "admin": "admin",
    "internal_user_viewer": "viewer", "internal_user": "member", "proxy_admin_viewer": "finance", "proxy_admin": "admin",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where a token says what, as dotted paths; the first that is there counts. Nothing makes an administrator unless it is named here."""

    user: tuple[str, ...] = ("user", "sub")
    email: tuple[str, ...] = ("email",)
    team: tuple[str, ...] = ("team",)
    role: tuple[str, ...] = ()
    models: tuple[str, ...] = ("models",)
    admin_scope: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """`teams` are ids or names, in the token's order; of them the first that exists here counts. Without `models` all of the team's."""

    user: str
    email: str = ""
    teams: tuple[str, ...] = ()
    role: str = ""
    models: ModelList | None = None


def identity(claims: Mapping[str, Any], names: ClaimNames) -> Identity:
    """Raises Refusal for claims that say nothing usable: a token half understood would open more than was meant."""
    email = _text(claims, names.email).lower() if claims.get("email_verified") is True else ""
    user = _text(claims, names.user) or email
    if not user:
        raise invalid(f"names nobody in {' or '.join(names.user)}")
    if len(user) > LONGEST_NAME:
        raise invalid(f"names a person with more than {LONGEST_NAME} characters")
    teams = tuple(_texts(_found(claims, names.team), "team")[:MAX_TEAMS])
    return Identity(user, email, teams, _role(claims, names), _models(_found(claims, names.models)))


def invalid(what: str) -> Refusal:
    return Refusal("token_invalid", f"The signed token {what}. Your side. Get a new one from where yours comes from.")


def _found(claims: Mapping[str, Any], paths: tuple[str, ...]) -> Any:
    """The first claim that is there. A name with dots in it is looked for whole, too: identity providers use addresses as names."""
    for path in paths:
        found: Any = claims.get(path)
        if found is None:
            found = claims
            for step in path.split("."):
                found = found.get(step) if isinstance(found, Mapping) else None
        if found not in (None, "", []):
            return found
    return None


def _text(claims: Mapping[str, Any], paths: tuple[str, ...]) -> str:
    found = _found(claims, paths)
    texts = _texts(found, paths[0]) if paths else []
    if len(texts) > 1:
        raise invalid(f"holds several values in {paths[0]}")
    return texts[0] if texts else ""


def _texts(found: Any, name: str) -> list[str]:
    """One text or a list of them."""
    texts = [] if found is None else found if isinstance(found, list) else [found]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise invalid(f"holds something other than text in {name}")
    return [text.strip() for text in texts if text.strip()]


def _role(claims: Mapping[str, Any], names: ClaimNames) -> str:
    if names.admin_scope and names.admin_scope in _scopes(claims):
        return "admin"
    told = [ROLES[text] for text in _texts(_found(claims, names.role), "role") if text in ROLES]
    return told[0] if told else ""


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    found = _found(claims, ("scope", "scp"))
    return found.split() if isinstance(found, str) else _texts(found, "scope")


def _models(found: Any) -> ModelList | None:
    names = _texts(found, "models")
    return ModelList.of(names) if names and not EVERY_MODEL & set(names) else None


# ── with the snapshot ─────────────────────────────────────────────────────────
def team_of(who: Identity, directory: Directory, default: str) -> Caller:
    """The first of the token's teams that exists here, by id, else by a name that only one team has; the default where it names none."""
    for named in who.teams or (default,):
        team = directory.teams.get(named) or directory.teams.get(directory.team_names.get(named, ""))
        if team is not None:
            return team
    told = f"team {who.teams[0][:100]}, which is not known here" if who.teams else "no team"
    raise Refusal("team_unknown", f"The signed token names {told}. Your side. Ask your gateway's administrator to add the team.")


def person_of(who: Identity, directory: Directory) -> Caller | None:
    """By id, else by user name, else by e-mail: what the token calls its user, then its verified address."""
    emails = directory.emails
    ids = (who.user, directory.usernames.get(who.user, ""), emails.get(who.user.lower(), ""), emails.get(who.email, ""))
    return next((directory.people[known] for known in ids if known in directory.people), None)


def caller_of(who: Identity, person: Caller, team: Caller, default_parallel: int) -> Caller:
    """What a key of this person in this team would be, within the models that the token allows."""
    key_id = key_id_of(person.user_id, team.team_id)
    own = (Limit("parallel", "key", key_id, "", default_parallel, is_shared=False),) if default_parallel else ()
    return replace(
        team,
        key_id=key_id,
        key_name=f"token of {person.user_name} in {team.team_name}"[:200],
        user_id=person.user_id,
        user_name=person.user_name,
        model_lists=(who.models, *team.model_lists) if who.models else team.model_lists,
        blocked=person.blocked or team.blocked,
        limits=(*own, *person.limits, *team.limits),
    )


def key_id_of(user_id: str, team_id: str) -> str:
    """The name under which spend is kept: the same for every token of a person in a team, at most as long as a key's id."""
    plain = f"jwt:{user_id}:{team_id}"
    if len(plain) <= LONGEST_NAME and plain.count(":") == 2:
        return plain
    return "jwt:" + hashlib.sha256(f"{len(user_id)}:{user_id}:{team_id}".encode()).hexdigest()[: LONGEST_NAME - 4]
